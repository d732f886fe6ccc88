"""What became of all deliveries of a clinic, row by row, for reports that look at every one."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from drip.core.delivery import Priority, Reason, Status
from drip.core.schedule import Channel
from drip.store.moves import DELIVERIES, stands
from drip.store.schema import Attempt, Task

_C = DELIVERIES.c


class Fate(NamedTuple):
    """One delivery: when it was due (UTC) and what became of it when."""

    id: int
    enrollment_id: int
    channel: Channel
    priority: int
    status: Status
    reason: Reason | None
    due_at: datetime
    until: datetime
    sent_at: datetime | None


def fates(session: Session, clinic_id: int) -> list[Fate]:
    """Every delivery of a clinic."""
    query = select(*(getattr(_C, name) for name in Fate._fields)).where(_C.clinic_id == clinic_id)
    return [Fate._make(row) for row in session.execute(query.order_by(_C.id))]


def texts_handed_over(session: Session, clinic_id: int) -> dict[str, int]:
    """Every wording of a text that a provider took, with how often."""
    query = (
        select(Attempt.body, func.count())
        .join(DELIVERIES, _C.id == Attempt.delivery_id)
        .where(Attempt.clinic_id == clinic_id, Attempt.outcome == "accepted")
        .where(_C.channel == Channel.SMS)
        .group_by(Attempt.body)
    )
    return dict(session.execute(query).all())


def texts_due(session: Session, clinic_id: int, now: datetime) -> int:
    """How many texts of a clinic wait and are due by now (UTC)."""
    # With the priorities named, the index of what is due leads to these rows alone.
    query = select(func.count()).where(
        _C.clinic_id == clinic_id,
        _C.channel == Channel.SMS,
        _C.priority.in_(Priority),
        stands(Status.SCHEDULED),
        _C.due_at <= now,
    )
    return session.scalars(query).one()


def patients_with_task(session: Session, clinic_id: int, kinds: Iterable[str]) -> int:
    """For how many patients staff had a task of one of these kinds, open or done."""
    query = select(func.count(Task.patient_id.distinct()))
    return session.scalars(query.where(Task.clinic_id == clinic_id, Task.kind.in_(kinds))).one()
