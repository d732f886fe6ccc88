"""Replies: kept once each; whose they are; and the open task that collects an address's replies."""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from drip.store.given import dialect_of
from drip.store.inserting import insert_for
from drip.store.schema import (
    Answer,
    AnswerStatus,
    Attempt,
    Clinic,
    Delivery,
    Enrollment,
    Patient,
    Reply,
    Task,
)
from drip.store.types import among, among_those

_REPLIES = cast(Table, Reply.__table__)

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
    return session.scalar(_keeping(dialect_of(session)), columns)


@cache
def _keeping(dialect: str) -> ReturningInsert[int]:
    """Made once: to make it takes longer than to run it."""
    statement = insert_for(dialect, Reply)
    same = statement.on_conflict_do_nothing(index_elements=["provider", "provider_id"])
    return same.returning(_REPLIES.c.id)


def join_task(session: Session, reply_id: int, task_id: int) -> None:
    """Have a task bring a reply to a person."""
    session.execute(_JOIN, {"reply": reply_id, "task": task_id})


_JOIN = (
    update(_REPLIES).where(_REPLIES.c.id == bindparam("reply")).values(task_id=bindparam("task"))
)


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
    return [Numbered._make(row) for row in session.execute(_NUMBERED)]


_CLINICS = cast(Table, Clinic.__table__)
_NUMBER = _CLINICS.c.profile[("texts", "number")].as_string()
_NUMBERED = select(_CLINICS.c.id, _NUMBER).order_by(_CLINICS.c.id)


def people_of(
    session: Session, clinic_ids: Iterable[int], phone: str
) -> tuple[list[Patient], list[Enrollment]]:
    """Who has this number (E.164) in one of these clinics, oldest first; and all enrollments of
    theirs, by session.
    """
    those = {"clinics": list(clinic_ids), "phone": phone}
    rows = session.execute(_THEIRS, those, execution_options={"populate_existing": True}).all()
    people = {patient.id: patient for patient, _ in rows}
    enrolled: list[Enrollment | None] = [enrollment for _, enrollment in rows]
    booked = sorted(filter(None, enrolled), key=attrgetter("session_at", "id"))
    return list(people.values()), booked


_THEIRS = (
    select(Patient, Enrollment)
    .outerjoin(Enrollment, Enrollment.patient_id == Patient.id)
    .where(among_those(Patient.clinic_id, "clinics"), Patient.phone == bindparam("phone"))
    .order_by(Patient.id)
)


def once_theirs(
    session: Session, clinic_ids: Iterable[int], phone: str, since: datetime
) -> list[Patient]:
    """Who was texted at this number (E.164) since a moment (UTC) and has another or none now,
    oldest first. It looks at all that these clinics sent since then: for rare questions.
    """
    texted = (
        select(Delivery.patient_id)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(
            among(Attempt.clinic_id, clinic_ids),
            Attempt.started_at >= since,
            Attempt.address == phone,
        )
    )
    query = select(Patient).where(Patient.id.in_(texted), Patient.phone.is_distinct_from(phone))
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
