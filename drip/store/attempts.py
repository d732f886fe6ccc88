"""Attempts: each try to hand a delivery to a provider, with what was said and answered."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import BigInteger, Table, Text, func, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate
from sqlalchemy.types import TypeEngine

from drip.store.given import by_id, dialect_of, given, listed
from drip.store.schema import Attempt, Outcome
from drip.store.types import UtcDateTime, among

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


_BEGINNING: dict[str, TypeEngine[Any]] = {
    "clinic_id": BigInteger(),
    "delivery_id": BigInteger(),
    "number": BigInteger(),
    "provider": Text(),
    "sender": Text(),
    "address": Text(),
    "subject": Text(),
    "body": Text(),
    "started_at": UtcDateTime(),
}

_ENDING: dict[str, TypeEngine[Any]] = {
    "attempt_id": BigInteger(),
    "finished_at": UtcDateTime(),
    "outcome": Text(),
    "code": Text(),
    "provider_id": Text(),
}


@dataclass(frozen=True, slots=True)
class Failures:
    """How many attempts a provider did not accept for the same reason; `code` is its own."""

    provider: str
    outcome: Outcome
    code: str
    count: int


def open(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[int, int]:  # noqa: A001
    """Note attempts that begin now; gives each delivery's id with its attempt's.

    Each row has `clinic_id`, `delivery_id`, `number`, `provider`, `sender`, `address`, `subject`,
    `body` and `started_at`; one attempt a delivery.
    """
    if not rows:
        return {}
    statement = _opening(dialect_of(session))
    found = session.execute(statement, listed(_BEGINNING, rows))
    return dict(found.all())


@cache
def _opening(dialect: str) -> ReturningInsert[int, int]:
    begun = given(dialect, _BEGINNING)
    statement = _ATTEMPTS.insert().from_select(list(_BEGINNING), select(*begun.c))
    return statement.returning(_C.delivery_id, _C.id)


def finish(session: Session, endings: Sequence[Finished]) -> dict[int, int]:
    """Write down how attempts ended. A known outcome is never replaced, `unknown` may be.

    Gives the number of each attempt, by its id, of which this was news.
    """
    if not endings:
        return {}
    those = {"ids": [ending.attempt_id for ending in endings], **listed(_ENDING, endings)}
    found = session.execute(_finishing(dialect_of(session)), those)
    return dict(found.all())


@cache
def _finishing(dialect: str) -> ReturningUpdate[int, int]:
    rows = given(dialect, _ENDING)
    return (
        update(_ATTEMPTS)
        .where(by_id(dialect, _C.id, rows.c.attempt_id))
        .where(or_(_C.outcome.is_(None), _C.outcome == "unknown"))
        .values(
            finished_at=rows.c.finished_at,
            outcome=rows.c.outcome,
            code=rows.c.code,
            provider_id=func.coalesce(rows.c.provider_id, _C.provider_id),
        )
        .returning(_C.id, _C.number)
    )


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
    """The attempts made since then (UTC) that ended without acceptance, by code, most first."""
    count = func.count().label("count")
    query = (
        select(Attempt.provider, Attempt.outcome, func.coalesce(Attempt.code, ""), count)
        .where(
            Attempt.clinic_id == clinic_id,
            Attempt.started_at >= since,
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


def refusals(session: Session, delivery_ids: Iterable[int]) -> Counter[tuple[int, str]]:
    """How often each of these deliveries was refused with each code so far."""
    query = select(Attempt.delivery_id, Attempt.code).where(
        among(Attempt.delivery_id, delivery_ids), Attempt.outcome == "retry"
    )
    return Counter((delivery_id, code or "") for delivery_id, code in session.execute(query))


def last_open(session: Session, delivery_ids: Iterable[int]) -> dict[int, Attempt]:
    """The last attempt of each delivery, where its outcome is not known."""
    every = of_deliveries(session, delivery_ids)
    return {
        delivery_id: attempts[-1]
        for delivery_id, attempts in every.items()
        if attempts[-1].outcome in (None, "unknown")
    }
