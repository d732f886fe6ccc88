"""Replies: kept once each; whose they are; and the open task that collects an address's replies."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from drip.store.inserting import insert_or
from drip.store.schema import (
    Answer,
    AnswerStatus,
    Clinic,
    Delivery,
    Enrollment,
    Patient,
    Reply,
    Task,
)
from drip.store.types import among

_NOT_SAID: tuple[AnswerStatus, ...] = ("failed", "withheld")
"""How an answer stands that the person does not have and will not get."""


class Numbered(NamedTuple):
    """A clinic by its id, with the number of its own that its texts come from, if it has one."""

    clinic_id: int
    number: str | None


def keep(session: Session, **columns: Any) -> int | None:
    """Add a reply, given by its columns; gives the id, or None where it is kept already.

    The same text may come twice, and at once: who comes second waits for who came first.
    """
    statement = insert_or(session, Reply).values(columns)
    statement = statement.on_conflict_do_nothing(index_elements=["provider", "provider_id"])
    return session.scalar(statement.returning(Reply.id))


def join_task(session: Session, reply_id: int, task_id: int) -> None:
    """Have a task bring a reply to a person."""
    session.execute(update(Reply).where(Reply.id == reply_id).values(task_id=task_id))


def open_task_of(session: Session, clinic_id: int, address: str, kind: str) -> Task | None:
    """The open task of a kind that brings replies of this address to a person, the newest."""
    query = (
        select(Task)
        .join(Reply, Reply.task_id == Task.id)
        .where(
            Reply.clinic_id == clinic_id,
            Reply.address == address,
            Task.kind == kind,
            Task.status == "open",
        )
        .order_by(Task.id.desc())
        .limit(1)
        .with_for_update(of=Task)
    )
    return session.scalar(query, execution_options={"populate_existing": True})


def pictures_of(session: Session, task_id: int) -> int:
    """How many pictures came with the replies of a task."""
    total = select(func.coalesce(func.sum(Reply.media), 0)).where(Reply.task_id == task_id)
    return session.scalar(total) or 0


def answered_since(
    session: Session, clinic_id: int, address: str, kinds: Collection[str], since: datetime
) -> bool:
    """Whether an address was answered in one of these kinds since a moment (UTC), or will be."""
    query = select(Answer.id).where(
        Answer.clinic_id == clinic_id,
        Answer.address == address,
        Answer.created_at > since,
        Answer.kind.in_(list(kinds)),
        Answer.status.not_in(_NOT_SAID),
    )
    return session.scalar(query.limit(1)) is not None


# --- Whose it is --------------------------------------------------------------------------------


def numbered(session: Session) -> list[Numbered]:
    """All clinics with their own numbers, oldest first."""
    number = Clinic.profile[("texts", "number")].as_string()
    query = select(Clinic.id, number).order_by(Clinic.id)
    return [Numbered(*row) for row in session.execute(query)]


def patients_of(session: Session, clinic_ids: Iterable[int], phone: str) -> list[Patient]:
    """Who has this number (E.164) in one of these clinics, oldest first."""
    query = select(Patient).where(among(Patient.clinic_id, clinic_ids), Patient.phone == phone)
    return list(session.scalars(query.order_by(Patient.id)))


def last_messaged(session: Session, patient_ids: Iterable[int]) -> int | None:
    """The clinic that messaged one of these patients last; None where none ever did."""
    query = (
        select(Delivery.clinic_id)
        .join(Enrollment, Enrollment.id == Delivery.enrollment_id)
        .where(among(Enrollment.patient_id, patient_ids), Delivery.sent_at.is_not(None))
        .order_by(Delivery.sent_at.desc(), Delivery.id.desc())
    )
    return session.scalar(query.limit(1))


def enrollments_of(session: Session, patient_ids: Iterable[int]) -> list[Enrollment]:
    """The enrollments of these patients, by session."""
    query = select(Enrollment).where(among(Enrollment.patient_id, patient_ids))
    ordered = query.order_by(Enrollment.session_at, Enrollment.id)
    return list(session.scalars(ordered, execution_options={"populate_existing": True}))
