"""The sender: claim, decide, render, hand over, record.

Each stage is a function of its own with a commit at its end, so that a process may die between
any two of them. Nothing is handed over inside a transaction.
"""

import random
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.clock import Clock
from drip.content.render import Renderer
from drip.content.sources import ContentDir
from drip.core.breaker import Breaker
from drip.core.clinic import Clinic
from drip.core.delivery import Reason
from drip.core.links import Links
from drip.core.outgoing import EmailContent, Outgoing, Rejected, SmsContent
from drip.core.pace import LocalPace, Pace
from drip.core.policy import End, Postpone
from drip.core.schedule import Channel
from drip.errors import StoreError
from drip.providers.protocol import Provider
from drip.services import metrics
from drip.services.bookings.changing import catch_up
from drip.services.consent.stopping import cut_off
from drip.services.journeys import UNREACHABLE
from drip.services.outbound.afterwards import tell_staff
from drip.services.outbound.deciding import Batch, Judged, Ready, judge
from drip.services.outbound.recording import Answered, record
from drip.services.readable import UNREADABLE, readable_clinics
from drip.services.scope import scope_of
from drip.store import attempts, claiming, deliveries
from drip.store.claimed import Claimed, Known
from drip.store.claiming import Line, Look, Room
from drip.store.engine import writing

log = structlog.get_logger(__name__)

CLAIM_LEASE = timedelta(minutes=1)
"""How long a claim may wait for a worker: what gets lost on the way is late by no more."""

LEASE = timedelta(minutes=5)
"""How long a worker may take over a hand-over; longer than all its time-outs."""

Providers = Mapping[Channel, Provider]

_PLAN_NO_LONGER_HOLDS = frozenset({Reason.SESSION_MOVED, *UNREACHABLE})
"""Why a delivery is not just ended but its enrollment planned again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's time-limited right to send these deliveries."""

    token: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is handed over now, and what cannot go out because its plan no longer holds."""

    token: str
    going: list[tuple[Claimed, Outgoing]]
    astray: list[tuple[Claimed, End]]


@dataclass(slots=True)
class Sender:
    """Sends what is due. Every stage takes `now` (aware UTC).

    `tick` takes up to `batch` deliveries through all stages. Of a larger claim `at_once` are
    decided and handed over together, and `lanes` such portions are on their way at a time.
    Emails carry `links`, where there are any.
    """

    engine: Engine
    content: ContentDir
    providers: Providers
    pace: Pace = field(default_factory=LocalPace)
    batch: int = 50
    at_once: int = 200
    lanes: int = 2
    links: Links | None = None
    jitter: random.Random = field(default_factory=random.Random)
    renderer: Renderer = field(init=False)
    answers: list[Answered] = field(default_factory=list, init=False)
    """What providers said and is not recorded yet."""
    breakers: dict[Channel, Breaker] = field(init=False)
    _threads: ThreadPoolExecutor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.renderer = Renderer(self.content)
        self.breakers = {channel: Breaker() for channel in self.providers}

    def tick(self, now: datetime) -> int:
        """Send one batch of what is due; gives how many deliveries were claimed.

        Answers that a StoreError keeps from being recorded are recorded by the next tick.
        """
        self.record_answers(now)
        claim = self.claim(now)
        if claim.ids:
            self.work(claim, now)
        return len(claim.ids)

    def work(self, claim: Claim, now: datetime) -> None:
        """Take a claim through all that follows it, as one batch."""
        prepared = self.prepare(claim, now)
        self.answers += self.hand_over(prepared.going, now)
        self._finish(prepared, now)

    def work_through(self, claim: Claim, clock: Clock) -> None:
        """Take a claim through in portions: while some are on their way, the next is prepared.

        Where the database is lost on the way, the portions that were handed over are waited for
        and their answers kept for `record_answers`; the rest is claimed again when its lease
        lapses. Raises StoreError then.
        """
        flying: deque[tuple[Prepared, Future[list[Answered]]]] = deque()
        try:
            for ids in _portions(claim.ids, self.at_once):
                while len(flying) >= self.lanes:
                    self._land(*flying.popleft(), clock)
                now = clock()
                prepared = self.prepare(Claim(claim.token, ids), now)
                flying.append((prepared, self._pool().submit(self.hand_over, prepared.going, now)))
            while flying:
                self._land(*flying.popleft(), clock)
        finally:
            for _, answered in flying:
                self.answers += answered.result()

    def record_answers(self, now: datetime) -> None:
        """Record the answers that are in hand."""
        self.record(self.answers, now)
        recorded, self.answers = self.answers, []
        for each in recorded:
            if isinstance(each.answer, Rejected) and each.answer.suppress:
                self.set_right(each.delivery, now)

    def claim(
        self,
        now: datetime,
        channel: Channel | None = None,
        most: int | None = None,
        seen: Look | None = None,
    ) -> Claim:
        """Take a lease on what is due, on one channel or all: a batch, or up to `most`.

        No more of a clinic's texts than its sender's pace has room for. `seen` is a look of
        just before, which spares another.
        """
        token = secrets.token_hex(8)
        with writing(self.engine) as session:
            ids = claiming.claim(
                session,
                now,
                limit=self.batch if most is None else most,
                lease=CLAIM_LEASE,
                token=token,
                channel=channel,
                room=self._room(session, now),
                seen=seen,
            )
        if channel is not None:
            metrics.claimed(channel, len(ids))
        return Claim(token, tuple(ids))

    def give_back(self, claim: Claim, now: datetime) -> None:
        """Let go of what is claimed and not being handed over: it is claimed again at once."""
        with writing(self.engine) as session:
            deliveries.give_back(session, claim.ids, claim.token, now)

    def prepare(self, claim: Claim, now: datetime) -> Prepared:
        """Decide and render, then write `sending` and the attempts, all in one transaction.

        It holds the addresses of its patients: a STOP, or another sender with a step for one
        of them, comes before it or after. What is `going` is committed as being handed over.
        """
        with writing(self.engine) as session:
            batch = Batch(session, claim.ids, claim.token, now)
            judged = judge(batch, self.renderer, self.links, now)
            return self._commit(session, judged, claim.token, now)

    def hand_over(
        self, prepared: Sequence[tuple[Claimed, Outgoing]], now: datetime
    ) -> list[Answered]:
        """Give each channel's batch to its provider; no database session is open meanwhile."""
        by_channel: defaultdict[Channel, list[tuple[Claimed, Outgoing]]] = defaultdict(list)
        for delivery, outgoing in prepared:
            by_channel[outgoing.channel].append((delivery, outgoing))
        answered = []
        for channel, group in by_channel.items():
            provider = self.providers[channel]
            started = time.perf_counter()
            answers = provider.send([outgoing for _, outgoing in group], now)
            metrics.handed_over(provider.name, time.perf_counter() - started, len(group))
            self.breakers[channel].heard(answers, now)
            for (delivery, outgoing), answer in zip(group, answers, strict=True):
                answered.append(Answered(outgoing, delivery, provider.name, answer))
        return answered

    def record(self, answered: Sequence[Answered], now: datetime) -> None:
        """Write down all answers in one transaction: see `drip.services.outbound.recording`."""
        record(self.engine, answered, now, self.jitter)

    def set_right(self, delivery: Known, now: datetime) -> None:
        """Plan again where the plan that made a delivery no longer holds.

        Its session moved while it was being handed over, or its channel cannot be used any more.
        A delivery that waits for this stays claimed meanwhile: a crash only puts it off.
        """
        try:
            scope = scope_of(self.engine, self.content, delivery.clinic_id)
            catch_up(scope, delivery.enrollment_id, now)
            cut_off(scope, delivery.enrollment_id, delivery.channel, now)
        except StoreError:
            raise
        except UNREADABLE as error:
            log.error("enrollment.broken", delivery=delivery.id, error=type(error).__name__)

    def close(self) -> None:
        """End the threads of this process."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def _land(self, prepared: Prepared, answered: "Future[list[Answered]]", clock: Clock) -> None:
        self.answers += answered.result()
        self._finish(prepared, clock())

    def _finish(self, prepared: Prepared, now: datetime) -> None:
        self.record_answers(now)
        for delivery, end in prepared.astray:
            self.set_right(delivery, now)
            with writing(self.engine) as session:
                _end(session, delivery, end, prepared.token, now)

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.lanes, "hand-over")
        return self._threads

    def _room(self, session: Session, now: datetime) -> Room:
        def room(lines: Collection[Line], claimed: Mapping[Line, int]) -> dict[Line, int]:
            texts = [line for line in lines if line.channel is Channel.SMS]
            clinics = readable_clinics(session, {line.clinic_id for line in texts})
            found = {}
            for line in texts:
                if (clinic := clinics.get(line.clinic_id)) is not None:
                    left = self.pace.left(bucket_of(clinic), clinic.texts.rate, now)
                    # What is claimed has not taken its tokens yet.
                    found[line] = max(left - claimed.get(line, 0), 0)
            return found

        return room

    def _commit(
        self, session: Session, judged: Sequence[Judged], token: str, now: datetime
    ) -> Prepared:
        ready: list[Ready] = []
        astray: list[tuple[Claimed, End]] = []
        for delivery, verdict in judged:
            match verdict:
                case Ready():
                    ready.append(verdict)
                case Postpone(due_at):
                    deliveries.postpone(session, delivery.id, token, due_at, None, now)
                case End(reason=reason) if reason in _PLAN_NO_LONGER_HOLDS:
                    astray.append((delivery, verdict))
                case End():
                    _end(session, delivery, verdict, token, now)
        ready = self._in_pace(session, self._unbroken(session, ready, token, now), token, now)
        ids = deliveries.mark_sending(session, [r.delivery.id for r in ready], token, now, LEASE)
        sending = [each for each in ready if each.delivery.id in ids]
        opened = attempts.open(session, [_attempt(each, self.providers, now) for each in sending])
        for each in sending:
            metrics.late(each.delivery.channel, (now - each.delivery.due_at).total_seconds())
        going = [(each.delivery, _outgoing(each, opened[each.delivery.id])) for each in sending]
        return Prepared(token, going, astray)

    def _unbroken(
        self, session: Session, ready: Sequence[Ready], token: str, now: datetime
    ) -> list[Ready]:
        """Those whose provider is not away; the others are put off without an attempt."""
        going = []
        for channel in self.providers:
            group = [each for each in ready if each.delivery.channel is channel]
            breaker = self.breakers[channel]
            allowed = breaker.allows(now) if group else None
            going += group[:allowed]
            if allowed is not None:
                waiting = [each.delivery.id for each in group[allowed:]]
                again, why = breaker.opens_again(now), Reason.PROVIDER_DOWN
                deliveries.postpone_all(session, waiting, token, again, why, now)
        return going

    def _in_pace(
        self, session: Session, ready: Sequence[Ready], token: str, now: datetime
    ) -> list[Ready]:
        """Those for which their sender has a token; the others are given back and wait."""
        going = [each for each in ready if each.delivery.channel is not Channel.SMS]
        by_sender: defaultdict[str, list[Ready]] = defaultdict(list)
        for each in ready:
            if each.delivery.channel is Channel.SMS:
                by_sender[bucket_of(each.clinic)].append(each)
        for sender, group in by_sender.items():
            granted = self.pace.take(sender, group[0].clinic.texts.rate, len(group), now)
            going += group[:granted]
            if waiting := [each.delivery.id for each in group[granted:]]:
                deliveries.give_back(session, waiting, token, now)
        return going


def bucket_of(clinic: Clinic) -> str:
    """Whose pace a clinic's texts keep to: that of its own number, or of the installation's."""
    return clinic.texts.sender or "installation"


def _end(session: Session, delivery: Claimed, end: End, token: str, now: datetime) -> None:
    if deliveries.end_claimed(session, delivery.id, token, end.status, end.reason, now):
        tell_staff(session, delivery, end.reason, now)


def _attempt(ready: Ready, providers: Providers, now: datetime) -> dict[str, object]:
    delivery, content = ready.delivery, ready.content
    return {
        "clinic_id": delivery.clinic_id,
        "delivery_id": delivery.id,
        "number": delivery.attempts + 1,
        "provider": providers[delivery.channel].name,
        "sender": ready.clinic.texts.sender if delivery.channel is Channel.SMS else None,
        "address": ready.address,
        "subject": content.subject if isinstance(content, EmailContent) else None,
        "body": content.body if isinstance(content, SmsContent) else content.text,
        "started_at": now,
    }


def _outgoing(ready: Ready, attempt_id: int) -> Outgoing:
    return Outgoing(
        delivery_id=ready.delivery.id,
        attempt_id=attempt_id,
        channel=ready.delivery.channel,
        to=ready.address,
        content=ready.content,
        give_up_at=ready.give_up_at,
        sender=ready.clinic.texts.sender,
    )


def _portions(ids: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(ids), size):
        yield tuple(ids[start : start + size])
