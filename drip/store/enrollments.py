"""Enrollments: found, locked, listed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, Text, and_, bindparam, case, func, or_, select, union
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from drip.core.delivery import Status
from drip.store.given import dialect_of, given, listed
from drip.store.inserting import insert_with_ids
from drip.store.schema import Delivery, Enrollment, EnrollmentStatus, Patient
from drip.store.types import among, among_those

_C = Enrollment.__table__.c
_FRESH = {"populate_existing": True}
_WITH_PATIENT = select(Enrollment, Patient).join(Patient, Patient.id == Enrollment.patient_id)


@dataclass(frozen=True, slots=True)
class Listed:
    """An enrollment in a list: whose it is, how its deliveries stand, when the next is due."""

    enrollment: Enrollment
    patient: Patient
    counts: dict[Status, int]
    next_due_at: datetime | None


def insert(session: Session, enrollment: Enrollment) -> int:
    """Add an enrollment; gives the id."""
    session.add(enrollment)
    session.flush()
    return enrollment.id


def insert_many(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Add many; gives their ids in the order of the rows, which all have the same keys."""
    return insert_with_ids(session, Enrollment, rows)


def get(session: Session, enrollment_id: int) -> Enrollment | None:
    """One enrollment, to read. To change one, `lock` it and set its attributes."""
    return session.get(Enrollment, enrollment_id)


def get_many(session: Session, enrollment_ids: Iterable[int]) -> dict[int, Enrollment]:
    """These enrollments by their ids, as they stand."""
    those = {"ids": list(enrollment_ids)}
    rows = session.scalars(_MANY, those, execution_options=_FRESH)
    return {found.id: found for found in rows}


_MANY = select(Enrollment).where(among_those(Enrollment.id, "ids"))


def by_reference(
    session: Session, clinic_id: int, source: str, reference: str
) -> Enrollment | None:
    """The enrollment that a source knows under its own reference."""
    return session.scalar(
        select(Enrollment).where(
            Enrollment.clinic_id == clinic_id,
            Enrollment.source == source,
            Enrollment.reference == reference,
        )
    )


def of_reference(session: Session, clinic_id: int, reference: str) -> list[Enrollment]:
    """The enrollments that any source knows under this reference, oldest first."""
    query = select(Enrollment).where(
        Enrollment.clinic_id == clinic_id, Enrollment.reference == reference
    )
    return list(session.scalars(query.order_by(Enrollment.id)))


def by_references(
    session: Session, clinic_id: int, references: Iterable[tuple[str, str]]
) -> list[tuple[Enrollment, Patient]]:
    """The enrollments of these pairs of source and reference, each with its patient."""
    by_source: dict[str, list[str]] = {}
    for source, reference in references:
        by_source.setdefault(source, []).append(reference)
    found: list[tuple[Enrollment, Patient]] = []
    for source, theirs in by_source.items():
        query = _WITH_PATIENT.where(
            Enrollment.clinic_id == clinic_id,
            Enrollment.source == source,
            among(Enrollment.reference, theirs),
        )
        found += session.execute(query.order_by(Enrollment.id))
    return found


def to_come(
    session: Session, clinic_id: int, phones: Iterable[str], emails: Iterable[str], now: datetime
) -> list[tuple[Enrollment, Patient]]:
    """The enrollments with a session to come of who has one of these addresses, by session.

    Cancelled and finished ones are left out.
    """
    rows = [{"clinic_id": clinic_id, "phone": phone} for phone in phones]
    rows += [{"clinic_id": clinic_id, "email": email} for email in emails]
    # The clinic is joined with as well. Given by itself it looks rare to PostgreSQL, while the
    # table is new: all patients of it would be read and held against every address.
    reached = given(dialect_of(session), _REACHED)
    ours = Patient.clinic_id == reached.c.clinic_id
    known = union(
        select(Patient.id).join(reached, and_(ours, Patient.phone == reached.c.phone)),
        select(Patient.id).join(reached, and_(ours, Patient.email == reached.c.email)),
    )
    query = _WITH_PATIENT.where(
        Enrollment.patient_id.in_(known),
        Enrollment.session_at > now,
        Enrollment.status.in_(("active", "paused")),
    )
    ordered = query.order_by(Enrollment.session_at, Enrollment.id)
    return list(session.execute(ordered, listed(_REACHED, rows)))


_REACHED: dict[str, TypeEngine[Any]] = {
    "clinic_id": BigInteger(),
    "phone": Text(),
    "email": Text(),
}


def of_patient(session: Session, patient_id: int) -> list[Enrollment]:
    """A patient's enrollments, by session."""
    query = select(Enrollment).where(Enrollment.patient_id == patient_id)
    return list(session.scalars(query.order_by(Enrollment.session_at, Enrollment.id)))


def ids_of(session: Session, patient_ids: Iterable[int]) -> list[int]:
    """The enrollments of these patients, in the order in which everybody locks them."""
    return list(session.scalars(_IDS, {"ids": list(patient_ids)}))


_IDS = select(_C.id).where(among_those(_C.patient_id, "ids")).order_by(_C.id)


def lock(session: Session, enrollment_id: int) -> Enrollment | None:
    """One enrollment as it stands, which nobody else may lock until the transaction ends."""
    return session.scalar(_LOCKED, {"id": enrollment_id}, execution_options=_FRESH)


_LOCKED = select(Enrollment).where(Enrollment.id == bindparam("id")).with_for_update()


def with_session_between(
    session: Session, clinic_id: int, start: datetime, end: datetime
) -> list[tuple[Enrollment, Patient]]:
    """The enrollments with a session in [start, end) (UTC), by session; not the cancelled ones."""
    query = _WITH_PATIENT.where(
        Enrollment.clinic_id == clinic_id,
        Enrollment.session_at >= start,
        Enrollment.session_at < end,
        Enrollment.status != "cancelled",
    )
    found = session.execute(query.order_by(Enrollment.session_at, Enrollment.id))
    return [(enrollment, patient) for enrollment, patient in found]


def lock_many(session: Session, enrollment_ids: Iterable[int]) -> None:
    """Let nobody plan these enrollments, or end another of their deliveries, meanwhile.

    Rows that only refer to one may still be written.
    """
    query = select(Enrollment.id).where(among(Enrollment.id, enrollment_ids))
    session.execute(query.order_by(Enrollment.id).with_for_update(key_share=True))


def list_page(
    session: Session,
    clinic_id: int,
    *,
    status: EnrollmentStatus | None = None,
    search: str = "",
    limit: int = 50,
    after_id: int | None = None,
) -> list[Listed]:
    """A page of a clinic's enrollments, newest first, in one query.

    `search` is a part of the patient's name, phone (however it is spaced) or email, or of the
    reference. `after_id` is the last id of the page before.
    """
    page = (
        select(Enrollment.id)
        .join(Patient, Patient.id == Enrollment.patient_id)
        .where(Enrollment.clinic_id == clinic_id)
        .order_by(Enrollment.id.desc())
        .limit(limit)
    )
    if status is not None:
        page = page.where(Enrollment.status == status)
    if after_id is not None:
        page = page.where(Enrollment.id < after_id)
    if search:
        looked_in = (Patient.name, Patient.phone, Patient.email, Enrollment.reference)
        matches = [column.icontains(search, autoescape=True) for column in looked_in]
        if (digits := re.sub(r"[\s().+/-]", "", search)).isdigit():
            matches.append(Patient.phone.contains(digits))
        page = page.where(or_(*matches))
    chosen = page.cte("page")
    due_at = case((Delivery.status == Status.SCHEDULED, Delivery.due_at))
    stand = (
        select(
            Delivery.enrollment_id,
            Delivery.status,
            func.count().label("count_"),
            func.min(due_at).label("next_due_at"),
        )
        .where(Delivery.enrollment_id.in_(select(chosen.c.id)))
        .group_by(Delivery.enrollment_id, Delivery.status)
        .subquery("stand")
    )
    query = (
        select(Enrollment, Patient, stand.c.status, stand.c.count_, stand.c.next_due_at)
        .join(chosen, chosen.c.id == Enrollment.id)
        .join(Patient, Patient.id == Enrollment.patient_id)
        .outerjoin(stand, stand.c.enrollment_id == Enrollment.id)
        .order_by(Enrollment.id.desc())
    )
    return _folded(session.execute(query))


def _folded(rows: Iterable[Any]) -> list[Listed]:
    """One entry an enrollment, of one row for each status that its deliveries have."""
    listed = []
    for _, same in groupby(rows, key=lambda row: row.Enrollment.id):
        group = list(same)
        due = [row.next_due_at for row in group if row.next_due_at is not None]
        listed.append(
            Listed(
                group[0].Enrollment,
                group[0].Patient,
                {row.status: row.count_ for row in group if row.status is not None},
                min(due, default=None),
            )
        )
    return listed
