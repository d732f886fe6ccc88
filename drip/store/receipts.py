"""Receipts: what providers said later of deliveries, each kept once; instants are UTC."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, Table, Text, func, select, text
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

from drip.core.delivery import Reason, Status
from drip.core.schedule import Channel
from drip.store.given import dialect_of, given, listed
from drip.store.moves import DELIVERIES, moving, stands
from drip.store.schema import Attempt, Clinic, Outcome, Receipt
from drip.store.types import SQLITE, UtcDateTime, among, among_those

_RECEIPTS, _ATTEMPTS = (cast(Table, model.__table__) for model in (Receipt, Attempt))
_C = DELIVERIES.c
_A = _ATTEMPTS.c
_R = _RECEIPTS.c


class Standing(NamedTuple):
    """A delivery when a receipt comes; `attempts` is the number of its last attempt."""

    id: int
    clinic_id: int
    status: Status
    reason: Reason | None
    attempts: int


class Try(NamedTuple):
    """An attempt, as a receipt is compared with it."""

    id: int
    delivery_id: int
    number: int
    address: str
    outcome: Outcome | None
    provider_id: str | None


class New(NamedTuple):
    """A receipt to be kept."""

    clinic_id: int
    delivery_id: int
    provider: str
    provider_id: str
    status: str
    code: str | None
    received_at: datetime


class Silent(NamedTuple):
    """A delivery that a provider accepted and has said nothing final of."""

    delivery_id: int
    provider_id: str


def lock(session: Session, delivery_ids: Iterable[int]) -> dict[int, Standing]:
    """Lock these deliveries, in the order of their ids; gives those that there are."""
    rows = session.execute(_LOCK, {"ids": sorted(set(delivery_ids))})
    return {row.id: Standing._make(row) for row in rows}


_LOCK = (
    select(*(getattr(_C, name) for name in Standing._fields))
    .where(among_those(_C.id, "ids"))
    .order_by(_C.id)
    .with_for_update()
)


def lock_with_tries(
    session: Session, delivery_ids: Iterable[int]
) -> tuple[dict[int, Standing], dict[int, list[Try]]]:
    """The same, with the attempts of each, first to last: in one statement for many receipts.

    An attempt whose answer is written down while this waits may look as if it had none yet.
    """
    stood: dict[int, Standing] = {}
    found: dict[int, list[Try]] = {}
    many = len(Standing._fields)
    for row in session.execute(_LOCK_WITH_TRIES, {"ids": sorted(set(delivery_ids))}):
        standing, one = Standing._make(row[:many]), Try._make(row[many:])
        stood[standing.id] = standing
        if row.try_id is not None:
            found.setdefault(standing.id, []).append(one)
    return stood, found


_LOCK_WITH_TRIES = (
    select(
        *(getattr(_C, name) for name in Standing._fields),
        *(getattr(_A, name).label(f"try_{name}") for name in Try._fields),
    )
    .select_from(DELIVERIES.outerjoin(_ATTEMPTS, _A.delivery_id == _C.id))
    .where(among_those(_C.id, "ids"))
    .order_by(_C.id, _A.number)
    .with_for_update(of=DELIVERIES)
)


def tries(session: Session, delivery_ids: Iterable[int]) -> dict[int, list[Try]]:
    """The attempts of each of these deliveries, first to last."""
    found: dict[int, list[Try]] = {}
    for row in session.execute(_TRIES, {"ids": sorted(set(delivery_ids))}):
        found.setdefault(row.delivery_id, []).append(Try._make(row))
    return found


_TRIES = (
    select(*(getattr(_A, name) for name in Try._fields))
    .where(among_those(_A.delivery_id, "ids"))
    .order_by(_A.delivery_id, _A.number)
)

_NEW: dict[str, TypeEngine[Any]] = {
    "clinic_id": BigInteger(),
    "delivery_id": BigInteger(),
    "provider": Text(),
    "provider_id": Text(),
    "status": Text(),
    "code": Text(),
    "received_at": UtcDateTime(),
}


def keep(session: Session, new: Sequence[New]) -> set[tuple[int, str, str]]:
    """Keep receipts; gives delivery, provider's id and word of each that was not there yet.

    The deliveries are locked before: whoever adds a row that names one locks it a little.
    """
    if not new:
        return set()
    rows = session.execute(_keeping(dialect_of(session)), listed(_NEW, new))
    return {(delivery_id, provider_id, status) for delivery_id, provider_id, status in rows}


@cache
def _keeping(dialect: str) -> ReturningInsert[int, str, str]:
    rows = given(dialect, _NEW)
    # The condition tells SQLite that ON CONFLICT is no condition of a join.
    chosen = select(*(rows.c[name] for name in _NEW)).where(text("1 = 1"))
    if dialect == SQLITE:
        from sqlalchemy.dialects import sqlite

        statement: Any = sqlite.insert(_RECEIPTS)
    else:
        from sqlalchemy.dialects import postgresql

        statement = postgresql.insert(_RECEIPTS)
    kept = statement.from_select(list(_NEW), chosen).on_conflict_do_nothing()
    return cast(
        "ReturningInsert[int, str, str]", kept.returning(_R.delivery_id, _R.provider_id, _R.status)
    )


def is_kept(session: Session, delivery_id: int, provider_id: str, status: str) -> bool:
    """Whether this receipt is there."""
    query = select(_R.id).where(
        _R.delivery_id == delivery_id, _R.provider_id == provider_id, _R.status == status
    )
    return session.scalar(query) is not None


def failures(session: Session, delivery_id: int, code: str) -> int:
    """How many messages of a delivery came to nothing with this code."""
    query = select(func.count(_R.provider_id.distinct()))
    return session.scalars(query.where(_R.delivery_id == delivery_id, _R.code == code)).one()


def silent(
    session: Session,
    provider: str,
    *,
    sent: tuple[datetime, datetime],
    asked_before: datetime,
    limit: int,
) -> list[Silent]:
    """Texts of a provider that were accepted in a span of time and came to no end, oldest first.

    Only those that were not touched since `asked_before`. They are found by their attempts,
    which have an index by time: what was accepted stays so for good where nothing is heard.
    """
    query = (
        select(_C.id, _A.provider_id)
        .join_from(_ATTEMPTS, DELIVERIES, _C.id == _A.delivery_id)
        .where(
            _A.clinic_id.in_(select(Clinic.id)),
            _A.started_at >= sent[0],
            _A.started_at < sent[1],
            _A.outcome == "accepted",
            _A.provider == provider,
            _A.provider_id == _C.provider_id,
            stands(Status.ACCEPTED),
            _C.channel == Channel.SMS,
            _C.updated_at <= asked_before,
        )
        .order_by(_C.updated_at, _C.id)
        .limit(limit)
    )
    return [Silent._make(row) for row in session.execute(query)]


def asked(session: Session, delivery_ids: Iterable[int], now: datetime) -> None:
    """Note that a provider was asked for these, so that others come before them."""
    statement = moving(Status.ACCEPTED, now, before={Status.ACCEPTED})
    session.execute(statement.where(among(_C.id, delivery_ids)))
