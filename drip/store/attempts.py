"""Attempts: each try to hand a delivery to a provider, with what was said and answered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from drip.store.schema import Attempt, Outcome
from drip.store.types import among

_ATTEMPTS = cast(Table, Attempt.__table__)
_C = _ATTEMPTS.c
_FRESH = {"populate_existing": True}


@dataclass(frozen=True, slots=True)
class Finished:
    """How an attempt ended. `finished_at` is UTC, `code` the provider's own."""

    attempt_id: int
    finished_at: datetime
    outcome: Outcome
    code: str | None = None
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failures:
    """How many attempts a provider did not accept for the same reason; `code` is its own."""

    provider: str
    outcome: Outcome
    code: str
    count: int


def open(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[int, int]:  # noqa: A001
    """Note attempts that begin now; gives each delivery's id with its attempt's.

    Each row has `clinic_id`, `delivery_id`, `number`, `provider`, `address`, `subject`, `body`
    and `started_at`; one attempt a delivery.
    """
    if not rows:
        return {}
    statement = _ATTEMPTS.insert().returning(_C.delivery_id, _C.id)
    return dict(session.execute(statement, list(rows)).all())


def finish(session: Session, endings: Sequence[Finished]) -> None:
    """Write down how attempts ended. A known outcome is never replaced, `unknown` may be."""
    if not endings:
        return
    statement = (
        update(_ATTEMPTS)
        .where(_C.id == bindparam("attempt"), or_(_C.outcome.is_(None), _C.outcome == "unknown"))
        .values(
            finished_at=bindparam("at"),
            outcome=bindparam("answer"),
            code=bindparam("said"),
            provider_id=func.coalesce(bindparam("known_as"), _C.provider_id),
        )
    )
    rows = [
        {
            "attempt": ending.attempt_id,
            "at": ending.finished_at,
            "answer": ending.outcome,
            "said": ending.code,
            "known_as": ending.provider_id,
        }
        for ending in endings
    ]
    session.execute(statement, rows)


def of_delivery(session: Session, delivery_id: int) -> list[Attempt]:
    """All attempts of a delivery, first to last."""
    return of_deliveries(session, [delivery_id]).get(delivery_id, [])


def of_deliveries(session: Session, delivery_ids: Iterable[int]) -> dict[int, list[Attempt]]:
    """The attempts of each of these deliveries, first to last; one without any is left out."""
    query = select(Attempt).where(among(Attempt.delivery_id, delivery_ids))
    found: dict[int, list[Attempt]] = {}
    for attempt in session.scalars(query.order_by(Attempt.number), execution_options=_FRESH):
        found.setdefault(attempt.delivery_id, []).append(attempt)
    return found


def failures(session: Session, clinic_id: int, since: datetime) -> list[Failures]:
    """The attempts that ended without acceptance since then (UTC), by code, most first."""
    count = func.count().label("count")
    query = (
        select(Attempt.provider, Attempt.outcome, func.coalesce(Attempt.code, ""), count)
        .where(
            Attempt.clinic_id == clinic_id,
            Attempt.finished_at >= since,
            Attempt.outcome.in_(("rejected", "retry", "unknown")),
        )
        .group_by(Attempt.provider, Attempt.outcome, Attempt.code)
        .order_by(count.desc(), Attempt.provider, Attempt.code)
    )
    return [
        Failures(provider, outcome, code, number)
        for provider, outcome, code, number in session.execute(query)
        if outcome is not None
    ]


def known_ids(session: Session, provider_ids: Iterable[str]) -> set[str]:
    """Those of the provider's ids that an attempt has already."""
    query = select(Attempt.provider_id).where(among(Attempt.provider_id, provider_ids))
    return {str(known) for known in session.scalars(query)}


def last_open(session: Session, delivery_ids: Iterable[int]) -> dict[int, Attempt]:
    """The last attempt of each delivery, where its outcome is not known."""
    every = of_deliveries(session, delivery_ids)
    return {
        delivery_id: attempts[-1]
        for delivery_id, attempts in every.items()
        if attempts[-1].outcome in (None, "unknown")
    }
