"""The sender: claim, decide, render, hand over, record.

Each stage is a function of its own with a commit at its end, so that a process may die between
any two of them. Nothing is handed over inside a transaction.
"""

import random
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.content.render import Renderer
from drip.content.sources import ContentDir
from drip.core.delivery import Reason, Status
from drip.core.outgoing import (
    Accepted,
    Answer,
    EmailContent,
    Outgoing,
    Rejected,
    Retry,
    SmsContent,
    Unknown,
)
from drip.core.policy import End, Postpone
from drip.core.retry import retry_at
from drip.core.schedule import Channel
from drip.errors import StoreError
from drip.providers.protocol import Provider
from drip.services.afterwards import after_rejection, alert_staff, suppress_refused, tell_staff
from drip.services.changing import catch_up
from drip.services.deciding import UNREADABLE, Judged, Ready, judge
from drip.services.journeys import UNREACHABLE
from drip.services.scope import scope_of
from drip.services.stopping import cut_off
from drip.store import attempts, deliveries
from drip.store.attempts import Finished
from drip.store.deliveries import Result
from drip.store.engine import writing
from drip.store.schema import Delivery

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=5)
"""How long a worker may take over a batch; longer than all time-outs of a hand-over."""

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

    going: list[tuple[Delivery, Outgoing]]
    astray: list[tuple[Delivery, End]]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a provider said of one attempt."""

    outgoing: Outgoing
    delivery: Delivery
    provider: str
    answer: Answer


@dataclass(slots=True)
class Sender:
    """Sends what is due. Every stage takes `now` (aware UTC)."""

    engine: Engine
    content: ContentDir
    providers: Providers
    batch: int = 50
    jitter: random.Random = field(default_factory=random.Random)
    renderer: Renderer = field(init=False)
    answers: list[Answered] = field(default_factory=list, init=False)
    """What providers said and is not recorded yet."""

    def __post_init__(self) -> None:
        self.renderer = Renderer(self.content)

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
        """Take a claim through all that follows it."""
        prepared = self.prepare(claim, now)
        self.answers += self.hand_over(prepared.going, now)
        self.record_answers(now)
        for delivery, end in prepared.astray:
            self.set_right(delivery, now)
            with writing(self.engine) as session:
                _end(session, delivery, end, claim.token, now)

    def record_answers(self, now: datetime) -> None:
        """Record the answers that are in hand."""
        self.record(self.answers, now)
        recorded, self.answers = self.answers, []
        for each in recorded:
            if isinstance(each.answer, Rejected) and each.answer.suppress:
                self.set_right(each.delivery, now)

    def claim(self, now: datetime, channel: Channel | None = None) -> Claim:
        """Take a lease on a batch of what is due, on one channel or all, the essential first."""
        token = secrets.token_hex(8)
        with writing(self.engine) as session:
            ids = deliveries.claim(
                session, now, limit=self.batch, lease=LEASE, token=token, channel=channel
            )
        return Claim(token, tuple(ids))

    def prepare(self, claim: Claim, now: datetime) -> Prepared:
        """Decide and render, then write `sending` and the attempts, all in one transaction.

        It holds the addresses of its patients: a STOP, or another sender with a step for one
        of them, comes before it or after. What is `going` is committed as being handed over.
        """
        with writing(self.engine) as session:
            rows = deliveries.lock_claimed(session, claim.ids, claim.token, now)
            judged = judge(session, rows, self.renderer, now)
            return _commit(session, judged, claim.token, self.providers, now)

    def hand_over(
        self, prepared: Sequence[tuple[Delivery, Outgoing]], now: datetime
    ) -> list[Answered]:
        """Give each channel's batch to its provider; no database session is open meanwhile."""
        by_channel: defaultdict[Channel, list[tuple[Delivery, Outgoing]]] = defaultdict(list)
        for delivery, outgoing in prepared:
            by_channel[outgoing.channel].append((delivery, outgoing))
        answered = []
        for channel, group in by_channel.items():
            provider = self.providers[channel]
            answers = provider.send([outgoing for _, outgoing in group], now)
            for (delivery, outgoing), answer in zip(group, answers, strict=True):
                answered.append(Answered(outgoing, delivery, provider.name, answer))
        return answered

    def record(self, answered: Sequence[Answered], now: datetime) -> None:
        """Write down all answers in one transaction, by attempt; kept even if the lease lapsed."""
        if not answered:
            return
        results = [self._result(each, now) for each in answered]
        endings = [_ending(each, now) for each in answered]
        with writing(self.engine) as session:
            suppress_refused(
                session, [(each.delivery, each.outgoing.to, each.answer) for each in answered], now
            )
            deliveries.record(session, results, now)
            attempts.finish(session, endings)
            for each, result in zip(answered, results, strict=True):
                match each.answer:
                    case Retry(code=code, alert=str(alert)) | Rejected(code=code, alert=str(alert)):
                        alert_staff(session, each.delivery, each.provider, code, alert, now)
                if isinstance(each.answer, Rejected):
                    after_rejection(session, each.delivery, each.outgoing.to, each.answer, now)
                elif result.reason is Reason.GAVE_UP:
                    tell_staff(session, each.delivery, result.reason, now)
        for result in results:
            log.info("delivery.answered", delivery=result.delivery_id, status=result.status.value)

    def set_right(self, delivery: Delivery, now: datetime) -> None:
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

    def _result(self, each: Answered, now: datetime) -> Result:
        id_ = each.delivery.id
        match each.answer:
            case Accepted(provider_id):
                return Result(id_, Status.ACCEPTED, each.provider, provider_id)
            case Retry(_, after):
                tries = each.delivery.attempts + 1
                due_at = retry_at(now, tries, self.jitter.random(), after)
                if due_at >= each.delivery.until:
                    return Result(id_, Status.FAILED, each.provider, reason=Reason.GAVE_UP)
                return Result(
                    id_, Status.SCHEDULED, each.provider, due_at=due_at, reason=Reason.RETRYING
                )
            case Rejected():
                return Result(id_, Status.FAILED, each.provider, reason=Reason.REFUSED)
            case Unknown():
                return Result(id_, Status.UNKNOWN, each.provider, reason=Reason.NO_ANSWER)


def _commit(
    session: Session, judged: Sequence[Judged], token: str, providers: Providers, now: datetime
) -> Prepared:
    ready: list[Ready] = []
    astray: list[tuple[Delivery, End]] = []
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
    ids = deliveries.mark_sending(session, [r.delivery.id for r in ready], token, now, LEASE)
    sending = [each for each in ready if each.delivery.id in ids]
    opened = attempts.open(session, [_attempt(each, providers, now) for each in sending])
    going = [(each.delivery, _outgoing(each, opened[each.delivery.id])) for each in sending]
    return Prepared(going, astray)


def _end(session: Session, delivery: Delivery, end: End, token: str, now: datetime) -> None:
    if deliveries.end_claimed(session, delivery.id, token, end.status, end.reason, now):
        tell_staff(session, delivery, end.reason, now)


def _attempt(ready: Ready, providers: Providers, now: datetime) -> dict[str, object]:
    delivery, content = ready.delivery, ready.content
    return {
        "clinic_id": delivery.clinic_id,
        "delivery_id": delivery.id,
        "number": delivery.attempts + 1,
        "provider": providers[delivery.channel].name,
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
    )


def _ending(each: Answered, now: datetime) -> Finished:
    id_ = each.outgoing.attempt_id
    match each.answer:
        case Accepted(provider_id):
            return Finished(id_, now, "accepted", provider_id=provider_id)
        case Retry(code):
            return Finished(id_, now, "retry", code)
        case Rejected(code):
            return Finished(id_, now, "rejected", code)
        case Unknown(why):
            return Finished(id_, now, "unknown", why)
