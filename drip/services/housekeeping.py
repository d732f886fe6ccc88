"""What keeps deliveries from standing still: lapsed leases, unknown outcomes, `until`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.core.delivery import Reason, Status
from drip.core.outgoing import Accepted, NotSent, Rejected, Settlement, Unknown, Unsettled
from drip.core.retry import retry_at
from drip.core.schedule import Channel, Weight
from drip.providers.protocol import Provider
from drip.services.afterwards import after_rejection, suppress_refused, tell_staff
from drip.services.sending import Providers
from drip.store import attempts, deliveries, tasks
from drip.store.attempts import Finished
from drip.store.deliveries import Result
from drip.store.engine import reading, writing
from drip.store.schema import Attempt, Delivery

log = structlog.get_logger(__name__)

SETTLE_AFTER = timedelta(minutes=2)
"""How long a provider is given to know of a message before it is asked."""

_ASKED = (
    (SETTLE_AFTER, timedelta(hours=1)),
    (timedelta(hours=1), timedelta(days=1)),
    (timedelta(days=1), None),
)
"""How often a provider is asked of a delivery, by how long ago that was handed over."""

_UNKNOWN = "unknown_outcome"

_AT_ONCE = 200


def keep_house(engine: Engine, providers: Providers, now: datetime) -> None:
    """Rescue, settle and expire, once; `now` is aware UTC."""
    rescue(engine, now)
    for channel, provider in providers.items():
        settle(engine, channel, provider, now)
    expire(engine, now)


def rescue(engine: Engine, now: datetime) -> None:
    """Give back what a dead worker had claimed; what it was sending is unknown from now on."""
    with writing(engine) as session:
        rescued = deliveries.rescue(session, now)
    if rescued.given_back or rescued.unknown:
        log.warning("lease.lapsed", given_back=rescued.given_back, unknown=rescued.unknown)


def settle(engine: Engine, channel: Channel, provider: Provider, now: datetime) -> None:
    """Ask the provider what became of deliveries with an unknown outcome.

    What it never had goes out again, from the second time on after a wait; what it cannot tell
    stays unknown, and an essential one becomes a staff task. Nothing is sent again on a guess.
    """
    for every, younger_than in _ASKED:
        with reading(engine) as session:
            rows = deliveries.unknown(
                session,
                before=now - every,
                limit=_AT_ONCE,
                channel=channel,
                sent_after=None if younger_than is None else now - younger_than,
            )
            tries = attempts.last_open(session, [row.id for row in rows])
        known = [(row, tries[row.id]) for row in rows if row.id in tries]
        if known:
            _write(engine, known, _ask(provider, known, now), now)


def expire(engine: Engine, now: datetime) -> None:
    """End what waited past its `until`; staff hear of the essential steps among it."""
    while True:
        with writing(engine) as session:
            rows = deliveries.expire(session, now)
            for row in rows:
                tell_staff(session, row, Reason.UNTIL_PASSED, now)
        if not rows:
            return


def _ask(
    provider: Provider, known: Sequence[tuple[Delivery, Attempt]], now: datetime
) -> list[Settlement]:
    """Ask for the attempts that were this provider's; of another's it knows nothing."""
    own = [(row, attempt) for row, attempt in known if attempt.provider == provider.name]
    asked = [_unsettled(row, attempt) for row, attempt in own]
    answers = dict(
        zip((each.attempt_id for each in asked), provider.settle(asked, now), strict=True)
    )
    other = Unknown("another provider had it")
    return [answers.get(attempt.id, other) for _, attempt in known]


def _unsettled(row: Delivery, attempt: Attempt) -> Unsettled:
    body = attempt.body if row.channel is Channel.SMS else None
    return Unsettled(row.id, attempt.id, attempt.address, body, attempt.started_at)


def _write(
    engine: Engine,
    known: Sequence[tuple[Delivery, Attempt]],
    settlements: Sequence[Settlement],
    now: datetime,
) -> None:
    found = [each.provider_id for each in settlements if isinstance(each, Accepted)]
    with writing(engine) as session:
        taken = attempts.known_ids(session, found)
        suppress_refused(
            session,
            [
                (row, attempt.address, answer)
                for (row, attempt), answer in zip(known, settlements, strict=True)
            ],
            now,
        )
        for (row, attempt), answer in zip(known, settlements, strict=True):
            settlement = answer
            if isinstance(answer, Accepted) and answer.provider_id in taken:
                # The same words to the same number, but an earlier message: not this one's.
                settlement = Unknown("another attempt has that id")
            match settlement:
                case Accepted(provider_id):
                    ending = Finished(attempt.id, now, "accepted", provider_id=provider_id)
                    result = Result(row.id, Status.ACCEPTED, attempt.provider, provider_id)
                case Rejected(code):
                    ending = Finished(attempt.id, now, "rejected", code)
                    result = Result(row.id, Status.FAILED, attempt.provider, reason=Reason.REFUSED)
                    after_rejection(session, row, attempt.address, settlement, now)
                case NotSent():
                    ending = Finished(attempt.id, now, "not_sent")
                    result = Result(
                        row.id,
                        Status.SCHEDULED,
                        attempt.provider,
                        due_at=retry_at(now, row.attempts - 1, 0) if row.attempts > 1 else now,
                        reason=Reason.RETRYING,
                    )
                case Unknown():
                    deliveries.ask_later(session, [row.id], now)
                    if row.weight is Weight.ESSENTIAL:
                        _ask_staff(session, row, attempt, now)
                    continue
            tasks.close_of(session, row.id, _UNKNOWN, "The provider knows by now.", now)
            attempts.finish(session, [ending])
            deliveries.record(session, [result], now)


def _ask_staff(session: Session, row: Delivery, attempt: Attempt, now: datetime) -> None:
    tasks.open_task(
        session,
        row.clinic_id,
        key=f"unknown:{attempt.id}",
        kind=_UNKNOWN,
        says=f"Ask the patient whether the {row.channel} {row.step} arrived: "
        "no answer came back, and it is not sent again.",
        urgent=row.session_at > now,
        patient_id=row.patient_id,
        enrollment_id=row.enrollment_id,
        delivery_id=row.id,
        now=now,
    )
