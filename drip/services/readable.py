"""Clinics and schedules as the rules see them; what somebody broke in the database is None."""

from collections.abc import Iterable
from typing import Any

import structlog
from sqlalchemy.orm import Session

from drip.core.clinic import Clinic
from drip.core.schedule import Schedule
from drip.errors import DripError
from drip.services.journeys import Version, schedule_of, version_of
from drip.services.scope import clinic_of
from drip.store import clinics
from drip.store.claimed import Claimed
from drip.store.schema import Enrollment

log = structlog.get_logger(__name__)

UNREADABLE = (DripError, LookupError, TypeError, ValueError, AttributeError)
"""What reading a profile or a schedule that somebody broke in the database may raise."""


def readable_clinics(session: Session, ids: Iterable[int]) -> dict[int, Clinic | None]:
    """These clinics, with the profiles that they have now; None, and logged, for a broken one."""
    return {id_: _clinic(id_, kept) for id_, kept in clinics.profiles(session, ids).items()}


def readable_schedules(
    session: Session, enrollments: Iterable[Enrollment | Claimed]
) -> dict[Version, Schedule | None]:
    """The versions that these enrollments are on; None, and logged, for a broken one."""
    found: dict[Version, Schedule | None] = {}
    for enrollment in enrollments:
        if (version := version_of(enrollment)) not in found:
            found[version] = _schedule(session, enrollment)
    return found


def _clinic(clinic_id: int, profile: dict[str, Any]) -> Clinic | None:
    try:
        return clinic_of(clinic_id, profile)
    except UNREADABLE:
        log.error("clinic.broken", clinic=clinic_id)
        return None


def _schedule(session: Session, enrollment: Enrollment | Claimed) -> Schedule | None:
    try:
        return schedule_of(session, enrollment)
    except UNREADABLE:
        log.error("schedule.broken", schedule=enrollment.schedule, clinic=enrollment.clinic_id)
        return None
