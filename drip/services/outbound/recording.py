"""The last stage of sending: what providers answered is written down, and what follows from it."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.core.delivery import Reason, Status
from drip.core.outgoing import Accepted, Answer, NotSent, Outgoing, Rejected, Retry, Settlement
from drip.core.retry import RetryKind, next_try
from drip.core.schedule import Channel
from drip.providers.retries import rule_of
from drip.services import metrics
from drip.services.outbound.afterwards import after_failure, alert_staff, suppress_refused
from drip.services.outbound.fallback import go_by_email
from drip.store import attempts, enrollments, outcomes
from drip.store.attempts import Finished
from drip.store.claimed import Known
from drip.store.engine import writing
from drip.store.outcomes import Result

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a provider said of one attempt."""

    outgoing: Outgoing
    delivery: Known
    provider: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of one attempt by now, from an answer or from asking later."""

    delivery: Known
    attempt_id: int
    address: str
    provider: str
    said: Settlement


def record(
    engine: Engine, answered: Sequence[Answered], now: datetime, jitter: random.Random
) -> None:
    """Write down all answers in one transaction, by attempt; kept even if the lease lapsed.

    With them goes all that follows: addresses are suppressed, a text that failed for good goes
    by email, and staff hear of what nobody carries. `now` is UTC.
    """
    if not answered:
        return
    heard = [
        Heard(each.delivery, each.outgoing.attempt_id, each.outgoing.to, each.provider, each.answer)
        for each in answered
    ]
    with writing(engine) as session:
        results = write(session, heard, now, jitter)
    for (channel, provider, outcome), count in Counter(map(_counted, heard)).items():
        metrics.answered(channel, provider, outcome, count)
    by_status: defaultdict[str, list[int]] = defaultdict(list)
    for result in results:
        by_status[result.status.value].append(result.delivery_id)
    log.info("answers.recorded", **by_status)


def write(
    session: Session, heard: Sequence[Heard], now: datetime, jitter: random.Random
) -> list[Result]:
    """The same in the caller's transaction; gives what became of each attempt that was news.

    The locks are taken in the order in which everybody takes them: addresses, enrollments,
    deliveries.
    """
    suppress_refused(session, [(each.delivery, each.address, each.said) for each in heard], now)
    numbers = attempts.finish(session, [_ending(each, now) for each in heard])
    news = [each for each in heard if each.attempt_id in numbers]
    refused = _refusals(session, news)
    results = [_result(each, numbers[each.attempt_id], refused, now, jitter) for each in news]
    failed = {result.delivery_id for result in results if result.status is Status.FAILED}
    if failed:
        enrollments.lock_many(
            session, {each.delivery.enrollment_id for each in news if each.delivery.id in failed}
        )
    moved = outcomes.record(session, results, now)
    _tell(session, news, {r.delivery_id: r for r in results if r.delivery_id in moved}, now)
    return results


def _refusals(session: Session, news: Iterable[Heard]) -> Counter[tuple[int, str]]:
    """How often each was refused with each code, for what may be tried so many times only."""
    limited = [
        each.delivery.id
        for each in news
        if isinstance(each.said, Retry) and rule_of(each.said.kind).tries is not None
    ]
    return attempts.refusals(session, limited) if limited else Counter()


def _result(
    each: Heard,
    number: int,
    refused: Counter[tuple[int, str]],
    now: datetime,
    jitter: random.Random,
) -> Result:
    id_, provider = each.delivery.id, each.provider
    match each.said:
        case Accepted(provider_id):
            return Result(id_, number, Status.ACCEPTED, provider, provider_id)
        case Retry(code, after, _, kind):
            failed = refused.get((id_, code), number)
            due_at = next_try(rule_of(kind), now, failed, jitter.random(), after)
        case NotSent():
            # At once the first time: nothing says that the provider is in trouble.
            back_off = rule_of(RetryKind.BACK_OFF)
            due_at = next_try(back_off, now, number - 1, jitter.random()) if number > 1 else now
        case Rejected():
            return Result(id_, number, Status.FAILED, provider, reason=Reason.REFUSED)
        case _:
            return Result(id_, number, Status.UNKNOWN, provider, reason=Reason.NO_ANSWER)
    if due_at is None:
        return Result(id_, number, Status.FAILED, provider, reason=Reason.REFUSED)
    if due_at >= each.delivery.until:
        return Result(id_, number, Status.FAILED, provider, reason=Reason.GAVE_UP)
    return Result(id_, number, Status.SCHEDULED, provider, due_at=due_at, reason=Reason.RETRYING)


def _tell(session: Session, news: Sequence[Heard], moved: dict[int, Result], now: datetime) -> None:
    """Let follow what follows, of what moved: emails first, so that a call is the last resort."""
    alerts = {
        (each.delivery.clinic_id, each.provider, each.said.code): each.said.alert
        for each in news
        if isinstance(each.said, Retry | Rejected) and each.said.alert is not None
    }
    for (clinic_id, provider, code), alert in sorted(alerts.items()):
        alert_staff(session, clinic_id, provider, code, alert, now)
    failed = [
        (each, reason)
        for each in news
        if (result := moved.get(each.delivery.id)) is not None
        and result.status is Status.FAILED
        and (reason := result.reason) is not None
    ]
    go_by_email(session, [each.delivery for each, _ in failed], now)
    for each, reason in failed:
        after_failure(session, each.delivery, each.address, each.said, reason, now)


def _ending(each: Heard, now: datetime) -> Finished:
    match each.said:
        case Accepted(provider_id):
            return Finished(each.attempt_id, now, "accepted", provider_id=provider_id)
        case Retry(code):
            return Finished(each.attempt_id, now, "retry", code)
        case Rejected(code):
            return Finished(each.attempt_id, now, "rejected", code)
        case NotSent():
            return Finished(each.attempt_id, now, "not_sent")
        case unknown:
            return Finished(each.attempt_id, now, "unknown", unknown.why)


def _counted(each: Heard) -> tuple[Channel, str, str]:
    return each.delivery.channel, each.provider, type(each.said).__name__.lower()
