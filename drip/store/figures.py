"""Figures for whoever runs Drip: what waits, what is in hand, and what providers answered.

What is read at every look goes by partial indexes: it costs the same however many deliveries lie
in the future or the past.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func, select, text
from sqlalchemy.orm import Session

from drip.core.delivery import Priority, Reason, Status
from drip.core.schedule import Channel
from drip.store.claiming import Line, heads_of_lines
from drip.store.moves import DELIVERIES, stands
from drip.store.schema import Attempt, Clinic, Outcome, Task

_C = DELIVERIES.c
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many deliveries are not done with, by where they stand; moments in UTC.

    `due` are scheduled ones whose time has come; `next_due_at` is when the first one of all is,
    past where it waits. `oldest_unknown` is when the first of those with an unknown outcome was
    handed over.
    """

    due: int
    next_due_at: datetime | None
    claimed: int
    sending: int
    held: int
    unknown: int
    oldest_unknown: datetime | None

    def lag(self, now: datetime) -> timedelta:
        """How long the oldest due delivery has waited; zero where none waits."""
        if self.next_due_at is None:
            return timedelta(0)
        return max(now - self.next_due_at, timedelta(0))


@dataclass(frozen=True, slots=True)
class Sends:
    """How often a channel's provider gave an answer, in the last hour and in the last day."""

    channel: Channel
    outcome: Outcome
    last_hour: int
    last_day: int


def backlog(session: Session, now: datetime, clinic_id: int | None = None) -> Backlog:
    """What is not done with at `now` (UTC), of one clinic or of all."""
    heads = heads_of_lines(session).items()
    waiting = [at for line, head in heads for at in head.values() if _is_of(line, clinic_id)]
    next_due_at = min(waiting, default=None)
    in_hand = _counts(session, stands(Status.CLAIMED, Status.SENDING), clinic_id)
    query = select(func.count(), func.min(_C.sent_at)).where(stands(Status.UNKNOWN))
    unknown, oldest_unknown = session.execute(query.where(*_of(clinic_id))).one()
    return Backlog(
        due=_scheduled(session, now, clinic_id),
        next_due_at=next_due_at,
        claimed=in_hand.get(Status.CLAIMED, 0),
        sending=in_hand.get(Status.SENDING, 0),
        held=_counts(session, stands(Status.HELD), clinic_id).get(Status.HELD, 0),
        unknown=unknown,
        oldest_unknown=oldest_unknown,
    )


def open_tasks(session: Session, clinic_id: int | None = None) -> tuple[int, int]:
    """How many tasks wait for staff, and how many of them are urgent; of one clinic or of all."""
    query = select(func.count(), func.count(case((Task.urgent, 1)))).where(text("status = 'open'"))
    if clinic_id is not None:
        query = query.where(Task.clinic_id == clinic_id)
    every, urgent = session.execute(query).one()
    return every, urgent


def retrying(session: Session, now: datetime, clinic_id: int) -> int:
    """How many of a clinic's deliveries are to be tried again within a day of `now` (UTC)."""
    return _scheduled(session, now + _DAY, clinic_id, _C.reason == Reason.RETRYING)


def sends(session: Session, clinic_id: int, hour: datetime, day: datetime) -> list[Sends]:
    """What providers answered since an hour and since a day ago (both UTC), by channel."""
    this_hour = func.count(case((Attempt.finished_at >= hour, 1)))
    query = (
        select(_C.channel, Attempt.outcome, this_hour, func.count())
        .join(DELIVERIES, _C.id == Attempt.delivery_id)
        .where(Attempt.clinic_id == clinic_id, Attempt.finished_at >= day)
        .group_by(_C.channel, Attempt.outcome)
        .order_by(_C.channel.desc(), Attempt.outcome)
    )
    return [
        Sends(channel, outcome, in_hour, in_day)
        for channel, outcome, in_hour, in_day in session.execute(query)
        if outcome is not None
    ]


def _scheduled(
    session: Session, until: datetime, clinic_id: int | None, *conditions: ColumnElement[bool]
) -> int:
    """How many scheduled deliveries are due by `until`: line by line, by `deliveries_due`."""
    lines = [
        select(func.count())
        .where(
            _C.clinic_id == Clinic.id,
            _C.channel == channel,
            _C.priority == priority,
            stands(Status.SCHEDULED),
            _C.due_at <= until,
            *conditions,
        )
        .correlate(Clinic)
        .scalar_subquery()
        for channel in Channel
        for priority in Priority
    ]
    query = select(func.sum(sum(lines[1:], lines[0])))
    if clinic_id is not None:
        query = query.where(Clinic.id == clinic_id)
    return int(session.scalars(query.select_from(Clinic)).one() or 0)


def _is_of(line: Line, clinic_id: int | None) -> bool:
    return clinic_id in (None, line.clinic_id)


def _counts(
    session: Session, condition: ColumnElement[bool], clinic_id: int | None
) -> dict[Status, int]:
    query = select(_C.status, func.count()).where(condition, *_of(clinic_id))
    return dict(session.execute(query.group_by(_C.status)).all())


def _of(clinic_id: int | None) -> tuple[ColumnElement[bool], ...]:
    return () if clinic_id is None else (_C.clinic_id == clinic_id,)
