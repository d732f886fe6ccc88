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
from drip.providers.protocol import Provider
from drip.services.afterwards import after_rejection, alert_staff, tell_staff
from drip.services.deciding import Judged, Ready, judge
from drip.services.journeys import why_stopped
from drip.store import attempts, deliveries, patients
from drip.store.attempts import Finished
from drip.store.deliveries import Result
from drip.store.engine import reading, writing
from drip.store.schema import Delivery

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=5)
"""How long a worker may take over a batch; longer than all time-outs of a hand-over."""

Providers = Mapping[Channel, Provider]


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's time-limited right to send these deliveries."""

    token: str
    ids: tuple[int, ...]


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

    def __post_init__(self) -> None:
        self.renderer = Renderer(self.content)

    def tick(self, now: datetime) -> int:
        """Send one batch of what is due; gives how many deliveries were claimed."""
        claim = self.claim(now)
        if not claim.ids:
            return 0
        answers = self.hand_over(self.prepare(claim, now), now)
        self.record(answers, now)
        return len(claim.ids)

    def claim(self, now: datetime) -> Claim:
        """Take a lease on what is due, the essential first."""
        token = secrets.token_hex(8)
        with writing(self.engine) as session:
            ids = deliveries.claim(session, now, limit=self.batch, lease=LEASE, token=token)
        return Claim(token, tuple(ids))

    def prepare(self, claim: Claim, now: datetime) -> list[tuple[Delivery, Outgoing]]:
        """Decide and render, then write `sending` and the attempts.

        What comes back is committed as being handed over: it must be handed over now.
        """
        with reading(self.engine) as session:
            rows = deliveries.load_claimed(session, claim.ids, claim.token, now)
            judged = judge(session, rows, self.renderer, now)
        with writing(self.engine) as session:
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
) -> list[tuple[Delivery, Outgoing]]:
    ready: list[Ready] = []
    for delivery, verdict in judged:
        match verdict:
            case Ready():
                ready.append(verdict)
            case Postpone(due_at):
                deliveries.postpone(session, delivery.id, token, due_at, None, now)
            case End(status, reason):
                if deliveries.end_claimed(session, delivery.id, token, status, reason, now):
                    tell_staff(session, delivery, reason, now)
    allowed = _still_allowed(session, ready, token, now)
    ids = deliveries.mark_sending(session, [r.delivery.id for r in allowed], token, now, LEASE)
    sending = [each for each in allowed if each.delivery.id in ids]
    opened = attempts.open(session, [_attempt(each, providers, now) for each in sending])
    return [(each.delivery, _outgoing(each, opened[each.delivery.id])) for each in sending]


def _still_allowed(
    session: Session, ready: Sequence[Ready], token: str, now: datetime
) -> list[Ready]:
    """Ask for stops and consents once more, with the addresses locked until the commit."""
    by_clinic: defaultdict[int, list[Ready]] = defaultdict(list)
    for each in ready:
        by_clinic[each.clinic_id].append(each)
    consents = patients.consents_of(session, {each.delivery.patient_id for each in ready})
    allowed = []
    for clinic_id, group in sorted(by_clinic.items()):
        pairs = {(each.delivery.channel, each.address) for each in group}
        locked = patients.lock_addresses(session, clinic_id, pairs)
        stopped = {
            (row.channel, row.address): why_stopped(row.suppressed_because)
            for row in locked
            if row.suppressed_at is not None
        }
        for each in group:
            consent = consents.get((each.delivery.patient_id, each.delivery.channel))
            reason = stopped.get((each.delivery.channel, each.address))
            if reason is None and (consent is None or not consent.given):
                reason = Reason.NO_CONSENT
            if reason is None:
                allowed.append(each)
                continue
            id_ = each.delivery.id
            if deliveries.end_claimed(session, id_, token, Status.SKIPPED, reason, now):
                tell_staff(session, each.delivery, reason, now)
    return allowed


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
