"""What a patient says of the visit: that they come, and whether somebody takes them home."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import structlog
from sqlalchemy.orm import Session

from drip.core.delivery import WAITING, Reason, Status
from drip.core.schedule import RIDE, Schedule
from drip.services.bookings.changing import File, open_file, plan_anew
from drip.services.scope import Scope
from drip.store import deliveries
from drip.store.schema import Enrollment

log = structlog.get_logger(__name__)

Answered = Literal["noted", "already", "past", "cancelled", "moved"]
"""What became of an answer: `already` was said before, and the last three change nothing."""


def confirm_visit(
    session: Session,
    scope: Scope,
    enrollment_id: int,
    how: str,
    by: str,
    now: datetime,
    *,
    session_at: datetime | None = None,
) -> Answered:
    """Note that the patient comes; twice is fine.

    `how` is "text" or "page". With `session_at` (aware) the answer is about that session and
    does not count for another (`moved`). Locks the enrollment. Raises NotFound.
    """
    file = open_file(session, scope, enrollment_id)

    def note(enrollment: Enrollment) -> None:
        enrollment.confirmed_at = now

    said = file.enrollment.confirmed_at is not None
    return _answer(file, note, said, now, session_at, ("visit.confirmed", how, by))


def ride_arranged(
    session: Session,
    scope: Scope,
    enrollment_id: int,
    how: str,
    by: str,
    now: datetime,
    *,
    session_at: datetime | None = None,
) -> Answered:
    """Note that somebody takes the patient home, and cancel what would only ask about it again.

    Nothing plans that again for this visit, unless the ride is lost. A visit that moves needs its
    ride anew: then the answer is cleared, and all of the ride's steps are planned (T8).
    The arguments and the answer are those of `confirm_visit`.
    """
    file = open_file(session, scope, enrollment_id)

    def note(enrollment: Enrollment) -> None:
        enrollment.ride_arranged_at = now
        needless = file.journey.schedule.needless_after(RIDE)
        waiting = [row.id for row in file.rows if row.step in needless and row.status in WAITING]
        deliveries.move(session, waiting, Status.CANCELLED, now, Reason.ANSWERED)

    said = file.enrollment.ride_arranged_at is not None
    return _answer(file, note, said, now, session_at, ("visit.ride_arranged", how, by))


def ride_lost(
    session: Session,
    scope: Scope,
    enrollment_id: int,
    how: str,
    by: str,
    now: datetime,
    *,
    session_at: datetime | None = None,
) -> Answered:
    """Note that nobody takes the patient home after all; what asks for the ride is planned again.

    `already` where no ride was noted: then nothing changes. The arguments and the answer are
    those of `confirm_visit`.
    """
    file = open_file(session, scope, enrollment_id)

    def note(enrollment: Enrollment) -> None:
        enrollment.ride_arranged_at = None
        plan_anew(session, scope, file, now.replace(microsecond=0))

    said = file.enrollment.ride_arranged_at is None
    return _answer(file, note, said, now, session_at, ("visit.ride_lost", how, by))


def asks_for_ride(schedule: Schedule) -> bool:
    """Whether a schedule asks its patients for a ride home."""
    return any(step.answered_by == RIDE for step in schedule.steps)


def _answer(
    file: File,
    note: Callable[[Enrollment], None],
    said: bool,  # noqa: FBT001 - of this module alone
    now: datetime,
    session_at: datetime | None,
    logged: tuple[str, str, str],
) -> Answered:
    enrollment = file.enrollment
    if enrollment.status == "cancelled":
        return "cancelled"
    if session_at is not None and session_at.astimezone(UTC) != enrollment.session_at:
        return "moved"
    if said:
        return "already"
    if now >= enrollment.session_at:
        return "past"
    note(enrollment)
    event, how, by = logged
    log.info(event, enrollment=enrollment.id, how=how, by=by)
    return "noted"
