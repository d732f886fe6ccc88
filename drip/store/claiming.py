"""Claims: who may send what is due, a fair share of it for every clinic.

A line is what one clinic has waiting on one channel. A claim looks at the heads of the lines
only, by the index `deliveries_due`, and so costs the same however much waits for next year.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import BindParameter, Integer, ScalarSelect, bindparam, func, literal_column, select
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
    """What there is to claim: the heads of the lines, and how many of each are claimed already."""

    heads: Heads
    claimed: Mapping[Line, int]

    def next_at(self, now: datetime) -> datetime | None:
        """When the first of those heads is due that are not yet; None if there is none."""
        return min(
            (at for head in self.heads.values() for at in head.values() if at > now), default=None
        )

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


def look(session: Session, now: datetime) -> Look:
    """Look at all lines."""
    return Look(heads_of_lines(session), claimed_now(session, now))


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
    seen = look(session, now) if seen is None else seen
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


def heads_of_lines(session: Session) -> Heads:
    """When the first of each line is due, by priority, also if that is past."""
    found: dict[Line, dict[Priority, datetime]] = {}
    for clinic_id, *times in session.execute(_HEADS):
        for (channel, priority), due_at in zip(_PLACES, times, strict=True):
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

_CLINICS = Clinic.__table__
_PLACES = [(channel, priority) for channel in Channel for priority in Priority]


def _head(channel: Channel, priority: Priority) -> ScalarSelect[datetime]:
    """When the first of a clinic is due in this place.

    No parameter: PostgreSQL would make a plan at every look, which takes longer than to look.
    """
    return (
        select(_C.due_at)
        .where(
            _C.clinic_id == _CLINICS.c.id,
            _C.channel == literal_column(f"'{channel}'"),
            _C.priority == literal_column(f"{priority:d}"),
            stands(Status.SCHEDULED),
        )
        .order_by(_C.due_at)
        .limit(literal_column("1"))
        .correlate(_CLINICS)
        .scalar_subquery()
    )


_HEADS = select(_CLINICS.c.id, *(_head(*place) for place in _PLACES))

_FIRST_DUE = (
    select(_C.id)
    .where(
        _C.clinic_id == bindparam("clinic"),
        _C.channel == bindparam("via"),
        _C.priority == bindparam("rank"),
        stands(Status.SCHEDULED),
        _C.due_at <= bindparam("now"),
    )
    .order_by(_C.due_at, _C.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_NOW: BindParameter[datetime] = bindparam("now")
# As a CTE: PostgreSQL may run a bare subquery twice and claim more than the limit.
_TAKE = (
    moving(Status.CLAIMED, _NOW, lease_token=bindparam("token"), lease_until=bindparam("lease_end"))
    .where(chosen(_C.id, select(_FIRST_DUE.c.id)))
    .returning(_C.due_at, _C.id)
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
    given = {
        "clinic": line.clinic_id,
        "via": line.channel,
        "rank": priority,
        "most": most,
        "now": now,
        "token": token,
        "lease_end": now + lease,
    }
    return [row.id for row in sorted(session.execute(_TAKE, given))]
