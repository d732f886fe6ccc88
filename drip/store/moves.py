"""The one place that writes a delivery's status: no row goes where the table of moves forbids."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Table,
    Text,
    Update,
    literal_column,
    type_coerce,
    update,
)

from drip.core.delivery import Status, sources_of
from drip.store.schema import Delivery

DELIVERIES = cast(Table, Delivery.__table__)

_LEASED = frozenset({Status.CLAIMED, Status.SENDING})


def stands(*statuses: Status) -> ColumnElement[bool]:
    """That a delivery has one of these statuses, written as the partial indexes have it.

    The values stand in the statement itself: with parameters SQLite, and PostgreSQL's prepared
    plans, could not use those indexes.
    """
    listed: list[ColumnElement[str]] = [literal_column(f"'{status}'") for status in statuses]
    column = DELIVERIES.c.status
    return column == listed[0] if len(listed) == 1 else column.in_(listed)


def moving(
    after: Status,
    now: datetime | BindParameter[Any],
    *,
    before: Iterable[Status] | None = None,
    by_id: bool = False,
    **values: Any,
) -> Update:
    """The UPDATE that takes deliveries to `after`; which ones, the caller adds with `where`.

    It touches only rows that stand where they may come from; `before` narrows that, and may name
    `after` itself for rows that stay. `values` are other columns to set; a lease ends unless
    the delivery is still being worked on. With `by_id` the caller names the rows by their ids,
    and no index on the status is looked at: statistics that are old make one look better.
    `now` may be a parameter, for a statement that is made once.
    Raises ValueError if `before` names an impossible move.
    """
    allowed = sources_of(after)
    sources = allowed if before is None else frozenset(before)
    if impossible := sources - allowed - {after}:
        raise ValueError(f"a delivery cannot go from {', '.join(sorted(impossible))} to {after}")
    if after not in _LEASED:
        values |= {"lease_token": None, "lease_until": None}
    standing = (
        type_coerce(DELIVERIES.c.status, Text()).concat("").in_(sorted(sources)) if by_id else None
    )
    return (
        update(DELIVERIES)
        .where(stands(*sorted(sources)) if standing is None else standing)
        .values(status=after, updated_at=now, **values)
    )
