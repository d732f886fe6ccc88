"""Versions of schedules, kept as enrollments started with them (rule T10)."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from drip.errors import NotFound
from drip.store.inserting import insert_or
from drip.store.schema import ScheduleVersion


def get(session: Session, clinic_id: int, name: str, version: int) -> ScheduleVersion | None:
    """A version of the schedule, if any enrollment started with it."""
    return session.scalar(_ONE, {"clinic": clinic_id, "name": name, "version": version})


_ONE = select(ScheduleVersion).where(
    ScheduleVersion.clinic_id == bindparam("clinic"),
    ScheduleVersion.name == bindparam("name"),
    ScheduleVersion.version == bindparam("version"),
)


def versions(session: Session, clinic_id: int, name: str) -> list[ScheduleVersion]:
    """All versions of the schedule that are kept, oldest first."""
    query = select(ScheduleVersion).where(
        ScheduleVersion.clinic_id == clinic_id, ScheduleVersion.name == name
    )
    return list(session.scalars(query.order_by(ScheduleVersion.version)))


def definition(session: Session, clinic_id: int, name: str, version: int) -> dict[str, Any]:
    """What a version of the schedule says. Raises NotFound."""
    kept = get(session, clinic_id, name, version)
    if kept is None:
        raise NotFound(f"Version {version} of the schedule {name} is not in the database.")
    return kept.definition


def keep(
    session: Session,
    clinic_id: int,
    name: str,
    version: int,
    definition: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """Keep this version unless it is kept already; gives the definition that is kept.

    What is kept never changes, since enrollments stand on it: where the definition given is
    another, the one kept comes back, and the caller can tell.
    """
    values = {
        "clinic_id": clinic_id,
        "name": name,
        "version": version,
        "definition": definition,
        "created_at": now,
    }
    session.execute(insert_or(session, ScheduleVersion).values(values).on_conflict_do_nothing())
    kept = get(session, clinic_id, name, version)
    assert kept is not None, "it was there, or was inserted"
    return kept.definition
