"""Clinics and schedules as the rules see them, parsed once for as long as they stay the same."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.orm import Session

from drip.content.clinic_file import clinic_from_profile
from drip.core.clinic import Clinic
from drip.core.schedule import Schedule
from drip.errors import DripError
from drip.services.journeys import schedule_of
from drip.store import clinics
from drip.store.claimed import Claimed
from drip.store.schema import Enrollment

log = structlog.get_logger(__name__)

UNREADABLE = (DripError, LookupError, TypeError, ValueError, AttributeError)
"""What reading a profile or a schedule that somebody broke in the database may raise."""

Version = tuple[int, str, int]
"""A clinic's id, the name of its schedule, and its version."""


def version_of(enrollment: Enrollment | Claimed) -> Version:
    """Which version of a schedule an enrollment is on."""
    return enrollment.clinic_id, enrollment.schedule, enrollment.schedule_version


@dataclass(slots=True)
class Remembered:
    """What one process has parsed already. What cannot be understood is None, and is logged."""

    _clinics: dict[int, tuple[dict[str, Any], Clinic | None]] = field(default_factory=dict)
    _schedules: dict[Version, Schedule] = field(default_factory=dict)

    def clinics(self, session: Session, ids: Iterable[int]) -> dict[int, Clinic | None]:
        """These clinics, with the profiles that they have now."""
        found: dict[int, Clinic | None] = {}
        for id_, profile in clinics.profiles(session, ids).items():
            known = self._clinics.get(id_)
            if known is None or known[0] != profile:
                known = self._clinics[id_] = profile, _clinic(id_, profile)
            found[id_] = known[1]
        return found

    def schedules(
        self, session: Session, enrollments: Iterable[Enrollment | Claimed]
    ) -> dict[Version, Schedule | None]:
        """The versions that these enrollments are on; a version never changes."""
        found: dict[Version, Schedule | None] = {}
        for enrollment in enrollments:
            version = version_of(enrollment)
            if version in found:
                continue
            schedule = self._schedules.get(version) or _schedule(session, enrollment)
            if schedule is not None:
                self._schedules[version] = schedule
            found[version] = schedule
        return found


def _clinic(clinic_id: int, profile: dict[str, Any]) -> Clinic | None:
    try:
        return clinic_from_profile(profile)
    except UNREADABLE:
        log.error("clinic.broken", clinic=clinic_id)
        return None


def _schedule(session: Session, enrollment: Enrollment | Claimed) -> Schedule | None:
    try:
        return schedule_of(session, enrollment)
    except UNREADABLE:
        log.error("schedule.broken", schedule=enrollment.schedule, clinic=enrollment.clinic_id)
        return None
