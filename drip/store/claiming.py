"""Claims: who may send what is due, a fair share of it for every clinic.

A line is what one clinic has waiting on one channel. A claim looks at the heads of the lines
only, by the index `deliveries_due`, and so costs the same however much waits for next year.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session

from drip.core.delivery import Priority, Status
from drip.core.schedule import Channel
from drip.store.moves import DELIVERIES, moving, stands
from drip.store.schema import Clinic
from drip.store.types import chosen

_C = DELIVERIES.c


class Line(NamedTuple):
    """What one clinic has waiting on one channel."""

    clinic_id: int
    channel: Channel


Heads = Mapping[Line, Mapping[Priority, datetime]]
"""For every line that is not empty, the time (UTC) at which the first of each priority is due."""


class Look(NamedTuple):
    """What there is to claim: the heads of the lines, and how many of each are claimed already.

    `later_at` is when the first that is not due yet will be (UTC).
    """

    heads: Heads
    claimed: Mapping[Line, int]
    later_at: datetime | None

    def due(self, now: datetime) -> dict[Line, list[Priority]]:
        """The lines with something due, and at which priorities."""
        due = {
            line: [p for p, at in head.items() if at <= now] for line, head in self.heads.items()
        }
        return {line: priorities for line, priorities in due.items() if priorities}


Room = Callable[[Collection[Line], Mapping[Line, int]], Mapping[Line, int]]
"""How many may be claimed of these lines, when so many of each are claimed already; one that is
not named has no limit."""


def _no_limit(_lines: Collection[Line], _claimed: Mapping[Line, int]) -> Mapping[Line, int]:
    return {}


def look(session: Session, now: datetime, channel: Channel | None = None) -> Look:
    """Look at all lines, or those of one channel."""
    channels = [*Channel] if channel is None else [channel]
    later = session.execute(_later(*_places(channels)), {"now": now})
    return Look(
        heads_of_lines(session, channels),
        claimed_now(session, now),
        min((at for _, *times in later for at in times if at is not None), default=None),
    )


def claim(
    session: Session,
    now: datetime,
    *,
    limit: int,
    lease: timedelta,
    token: str,
    channel: Channel | None = None,
    room: Room = _no_limit,
    seen: Look | None = None,
) -> list[int]:
    """Take up to `limit` due deliveries until `now + lease`, and give their ids.

    The more important priority goes first, whosesoever it is. Within one, the lines share what
    there is room for: what a short line leaves goes to the longer ones, and each second
    another line begins. No two claims get the same row. `seen` is a look of just before.
    """
    seen = look(session, now, channel) if seen is None else seen
    due = {line: p for line, p in seen.due(now).items() if channel in (None, line.channel)}
    left = dict(room(due, seen.claimed))
    claimed: list[int] = []
    for priority in Priority:
        lines = _in_turn([line for line, priorities in due.items() if priority in priorities], now)
        while lines and len(claimed) < limit:
            share = max(1, (limit - len(claimed)) // len(lines))
            longer = []
            for line in lines:
                most = min(share, limit - len(claimed), left.get(line, limit))
                ids = _take(session, line, priority, most, now, lease, token) if most > 0 else []
                claimed += ids
                left[line] = left.get(line, limit) - len(ids)
                if ids and len(ids) == most:
                    longer.append(line)
            lines = longer
    return claimed


def heads_of_lines(session: Session, channels: Sequence[Channel] = tuple(Channel)) -> Heads:
    """When the first of each line is due, by priority, also if that is past."""
    places = _places(channels)
    found: dict[Line, dict[Priority, datetime]] = {}
    for clinic_id, *times in session.execute(_heads(*places)):
        for (channel, priority), due_at in zip(places, times, strict=True):
            if due_at is not None:
                found.setdefault(Line(clinic_id, channel), {})[priority] = due_at
    return found


def next_due_at(session: Session) -> datetime | None:
    """When the next delivery is due, also if that is past; None if none is scheduled."""
    heads = heads_of_lines(session).values()
    return min((due_at for head in heads for due_at in head.values()), default=None)


def claimed_now(session: Session, now: datetime) -> dict[Line, int]:
    """How many of each line are claimed, and not yet being handed over."""
    found = session.execute(_CLAIMED_NOW, {"now": now})
    return {Line(clinic_id, channel): n for clinic_id, channel, n in found}


# Made once: to make them takes longer than to run them, and every tick does both.

_CLAIMED_NOW = (
    select(_C.clinic_id, _C.channel, func.count())
    .where(stands(Status.CLAIMED, Status.SENDING), stands(Status.CLAIMED))
    .where(_C.lease_until > bindparam("now"))
    .group_by(_C.clinic_id, _C.channel)
)


Place = tuple[Channel, Priority]


def _places(channels: Iterable[Channel]) -> list[Place]:
    return [(channel, priority) for channel in channels for priority in Priority]


@cache
def _heads(*places: Place) -> Select[Any]:
    return select(Clinic.id, *(_head(*place).scalar_subquery() for place in places))


@cache
def _later(*places: Place) -> Select[Any]:
    not_due = _C.due_at > bindparam("now")
    return select(Clinic.id, *(_head(*place).where(not_due).scalar_subquery() for place in places))


def _head(channel: Channel, priority: Priority) -> Select[tuple[datetime]]:
    return (
        select(_C.due_at)
        .where(
            _C.clinic_id == Clinic.id,
            _C.channel == channel,
            _C.priority == priority,
            stands(Status.SCHEDULED),
        )
        .order_by(_C.due_at)
        .limit(1)
        .correlate(Clinic)
    )


def _in_turn(lines: list[Line], now: datetime) -> list[Line]:
    """The lines, each second beginning with another."""
    first = int(now.timestamp()) % len(lines) if lines else 0
    return lines[first:] + lines[:first]


def _take(
    session: Session,
    line: Line,
    priority: Priority,
    most: int,
    now: datetime,
    lease: timedelta,
    token: str,
) -> list[int]:
    """Claim the first `most` that are due of a line and priority."""
    due = (
        select(_C.id)
        .where(
            _C.clinic_id == line.clinic_id,
            _C.channel == line.channel,
            _C.priority == priority,
            stands(Status.SCHEDULED),
            _C.due_at <= now,
        )
        .order_by(_C.due_at, _C.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    # As a CTE: PostgreSQL may run a bare subquery twice and claim more than the limit.
    statement = (
        moving(Status.CLAIMED, now, lease_token=token, lease_until=now + lease)
        .where(chosen(_C.id, select(due.cte("due").c.id)))
        .returning(_C.due_at, _C.id)
    )
    return [row.id for row in sorted(session.execute(statement))]
