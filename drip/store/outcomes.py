"""What providers say of deliveries that were handed over, written down a batch at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Text, Update, bindparam, func, select
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from drip.core.delivery import HANDED_OVER, Reason, Status, sources_of
from drip.store.given import by_id, dialect_of, given, listed
from drip.store.moves import DELIVERIES, moving
from drip.store.types import UtcDateTime, among_those

_C = DELIVERIES.c


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an attempt: where its delivery goes, and what is known of it.

    `number` is the attempt's. `due_at` (UTC) is needed with `scheduled`: when to try again.
    """

    delivery_id: int
    number: int
    status: Status
    provider: str | None = None
    provider_id: str | None = None
    due_at: datetime | None = None
    reason: Reason | None = None

    def __post_init__(self) -> None:
        """Refuse with ValueError a retry without a time."""
        if self.status is Status.SCHEDULED and self.due_at is None:
            raise ValueError("a delivery that is tried again needs a due_at")


_ROW: dict[str, TypeEngine[Any]] = {
    "delivery_id": BigInteger(),
    "provider": Text(),
    "provider_id": Text(),
    "due_at": UtcDateTime(),
    "reason": Text(),
}


class _Standing(NamedTuple):
    status: Status
    attempts: int


def record(
    session: Session, results: Sequence[Result], now: datetime, *, by_receipt: bool = False
) -> set[int]:
    """Write down what became of attempts; gives the ids of the deliveries that moved.

    No lease is asked for: an answer is kept even if it comes late. The others had gone further
    already. What an earlier attempt than the last comes to changes nothing, unless it was
    taken: the last one may be on its way. What was accepted is tried again only where a receipt
    says that it came to nothing (`by_receipt`): an answer that comes late is about less.
    """
    stood = _lock(session, [result.delivery_id for result in results])
    moved = set()
    status = attrgetter("status")
    for after, some in groupby(sorted(results, key=status), key=status):
        before = sources_of(after) & HANDED_OVER
        if after is Status.SCHEDULED and not by_receipt:
            before -= {Status.ACCEPTED}
        batch = [each for each in some if _counts(each, stood.get(each.delivery_id), before)]
        if batch:
            _move(session, after, before, batch, now)
            moved |= {result.delivery_id for result in batch}
    return moved


def move(session: Session, results: Sequence[Result], now: datetime) -> None:
    """Write down where deliveries go that the caller has locked, and knows that they may go there.

    One result for each. This takes a statement less than `record`.
    """
    status = attrgetter("status")
    for after, some in groupby(sorted(results, key=status), key=status):
        _move(session, after, sources_of(after) & HANDED_OVER, list(some), now)


def _counts(result: Result, stood: _Standing | None, before: frozenset[Status]) -> bool:
    if stood is None or stood.status not in before:
        return False
    return result.status is Status.ACCEPTED or result.number == stood.attempts


def _move(
    session: Session,
    after: Status,
    before: frozenset[Status],
    batch: Sequence[Result],
    now: datetime,
) -> None:
    those = {"now": now, "ids": [result.delivery_id for result in batch], **listed(_ROW, batch)}
    session.execute(_moving(dialect_of(session), after, before), those)


@cache
def _moving(dialect: str, after: Status, before: frozenset[Status]) -> Update:
    rows = given(dialect, _ROW)
    also = {"due_at": rows.c.due_at} if after is Status.SCHEDULED else {}
    statement = moving(
        after,
        bindparam("now"),
        before=before,
        by_id=True,
        provider=func.coalesce(rows.c.provider, _C.provider),
        provider_id=func.coalesce(rows.c.provider_id, _C.provider_id),
        reason=rows.c.reason,
        **also,
    )
    return statement.where(by_id(dialect, _C.id, rows.c.delivery_id))


def _lock(session: Session, delivery_ids: Iterable[int]) -> dict[int, _Standing]:
    found = session.execute(_LOCK, {"ids": list(delivery_ids)})
    return {id_: _Standing(status, attempts) for id_, status, attempts in found}


_LOCK = (
    select(_C.id, _C.status, _C.attempts)
    .where(among_those(_C.id, "ids"))
    .order_by(_C.id)
    .with_for_update()
)
