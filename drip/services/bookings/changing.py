"""What happens to an enrollment after booking: moved, cancelled, paused, resumed, not come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from drip.core.changes import plan_cancelled, plan_no_show
from drip.core.delivery import Reason, Status
from drip.core.history import Existing
from drip.core.planner import Journey, Plan, plan
from drip.core.schedule import Channel, Weight
from drip.errors import InvalidInput, NotAllowed, NotFound
from drip.intake.booking import Booking, Given
from drip.services import plans
from drip.services.bookings import on_hold
from drip.services.journeys import (
    addresses_of,
    existing_of,
    journey_of,
    reach_of,
    schedule_of,
    step_times,
)
from drip.services.scope import Scope
from drip.store import deliveries, enrollments, patients, wordings
from drip.store.engine import writing
from drip.store.schema import Consent, Delivery, Enrollment, Patient, Wording

CONSENT_WORDING = "1"
"""The version of the wording that a patient consents to."""


@dataclass(slots=True)
class File:
    """One enrollment, locked, with all that belongs to it."""

    enrollment: Enrollment
    patient: Patient
    rows: list[Delivery]
    journey: Journey

    @property
    def existing(self) -> list[Existing]:
        """The deliveries as the planner sees them."""
        return existing_of(self.rows)


def reschedule(scope: Scope, enrollment_id: int, session_at: datetime, now: datetime) -> Plan:
    """Move the session (aware, on the clinic's clock) and plan anew (T8).

    The visit is to be confirmed, and the ride to be arranged, anew: what the patient said was of
    the old day, so that the steps that it made needless are planned again. What a crisis holds
    stays on hold. Moving to the same time changes nothing. Raises InvalidInput for a session that
    is past, NotAllowed for an enrollment that was cancelled.
    """
    if session_at <= now:
        raise InvalidInput(
            f"The session {session_at:%Y-%m-%d %H:%M} is in the past: give the date to come."
        )
    now = now.replace(microsecond=0)
    with writing(scope.engine) as session:
        file = open_file(session, scope, enrollment_id)
        _refuse(file.enrollment, "cancelled", "it cannot be moved: enroll the patient again")
        if file.enrollment.session_at == session_at.astimezone(UTC):
            return Plan()
        if session_at < file.enrollment.booked_at:
            raise InvalidInput("The session cannot be before the booking.")
        _move(file.enrollment, session_at, scope)
        return plan_anew(session, scope, file, now)


def cancel(scope: Scope, enrollment_id: int, now: datetime) -> Plan:
    """Cancel the session: what waits is cancelled and the patient is told (T9)."""
    now = now.replace(microsecond=0)
    with writing(scope.engine) as session:
        file = open_file(session, scope, enrollment_id)
        _refuse(file.enrollment, "cancelled", "there is nothing left to cancel")
        made = plan_cancelled(file.journey, now, file.existing)
        file.enrollment.status, file.enrollment.cancelled_at = "cancelled", now
        file.enrollment.sequence += 1
        plans.write(session, file.enrollment, made, now)
        return made


def pause(scope: Scope, enrollment_id: int, now: datetime) -> list[Delivery]:
    """Hold what waits until `resume`; gives the essential deliveries that this holds (T9)."""
    with writing(scope.engine) as session:
        file = open_file(session, scope, enrollment_id)
        _refuse(file.enrollment, "cancelled", "there is nothing to pause")
        _refuse(file.enrollment, "paused", "`drip resume` lets it go on")
        file.enrollment.status = "paused"
        waiting = [row.id for row in file.existing if row.waiting]
        held = deliveries.move(session, waiting, Status.HELD, now, Reason.PAUSED)
        return [row for row in file.rows if row.id in held and row.weight is Weight.ESSENTIAL]


def pause_education(session: Session, scope: Scope, enrollment_id: int, now: datetime) -> None:
    """Hold the education steps until `resume`, in the caller's transaction: after a crisis.

    What is essential goes on. A cancelled enrollment is left alone. Raises NotFound.
    """
    file = open_file(session, scope, enrollment_id)
    if file.enrollment.status == "cancelled" or file.enrollment.education_paused_at is not None:
        return
    file.enrollment.education_paused_at = now
    waiting = [r.id for r in file.existing if r.waiting and r.weight is Weight.EDUCATION]
    deliveries.move(session, waiting, Status.HELD, now, Reason.CRISIS)
    session.flush()


def resume(scope: Scope, enrollment_id: int, now: datetime) -> Plan:
    """Plan a paused enrollment, or one whose education is paused, again from now (T9).

    While a crisis of the patient is open, the end of a pause is not that of the education's: it
    stays on hold until it is resumed by itself.
    """
    now = now.replace(microsecond=0)
    with writing(scope.engine) as session:
        file = open_file(session, scope, enrollment_id)
        enrollment = file.enrollment
        _refuse(enrollment, "cancelled", "there is nothing to resume")
        if enrollment.status != "paused" and enrollment.education_paused_at is None:
            raise NotAllowed(f"Enrollment {enrollment_id} is not paused.")
        was_paused, enrollment.status = enrollment.status == "paused", "active"
        if not (was_paused and on_hold.cases_of(session, scope, [file.patient])):
            enrollment.education_paused_at = None
        return plan_anew(session, scope, file, now)


def no_show(scope: Scope, enrollment_id: int, now: datetime) -> Plan:
    """Note that the patient did not come: the steps after the session are cancelled (T9)."""
    with writing(scope.engine) as session:
        file = open_file(session, scope, enrollment_id)
        _refuse(file.enrollment, "cancelled", "nobody was expected")
        if now < file.enrollment.session_at:
            raise NotAllowed(
                f"The session of enrollment {enrollment_id} is still to come "
                f"({file.enrollment.session_local.replace('T', ' ')}): use `drip cancel`."
            )
        made = plan_no_show(file.enrollment.session_at, file.existing)
        file.enrollment.no_show_at = now
        plans.write(session, file.enrollment, made, now)
        return made


def catch_up(scope: Scope, enrollment_id: int, now: datetime) -> Plan:
    """Plan anew what speaks of another session than the enrollment's.

    Such a delivery was being handed over while the session moved, so that it counted as sent,
    and came back: the provider did not take it.
    """
    now = now.replace(microsecond=0)
    with writing(scope.engine) as session:
        file = open_file(session, scope, enrollment_id)
        session_at = file.enrollment.session_at
        if not any(row.waiting and row.session_at != session_at for row in file.existing):
            return Plan()
        return plan_anew(session, scope, file, now)


def update_from(
    session: Session, scope: Scope, enrollment_id: int, booking: Booking, now: datetime
) -> Plan:
    """Bring an enrollment up to a booking that names it again.

    What the booking leaves out stays. A new session, address, zone or consent plans anew. A crisis
    that is open with the new address holds the education.
    """
    file = open_file(session, scope, enrollment_id)
    patient, enrollment = file.patient, file.enrollment
    known = patients.consents_of(session, [patient.id])
    consents = new_consents(patient, booking, known)
    replan = bool(consents) or any(
        getattr(patient, name) != value for name, value in _reaching(patient, booking).items()
    )
    patients.add_consents(session, [consent_row(patient, given, now) for given in consents])
    chosen = new_wording(patient, booking, wordings.last_booked(session, [patient.id]))
    if chosen is not None:
        wordings.add(session, [wording_row(patient, booking, chosen, now)])
        patient.wording = chosen
    addresses = addresses_of([patient])
    _set(patient, {**_saying(booking), **_reaching(patient, booking)})
    if addresses_of([patient]) != addresses:
        _hold_in_crisis(session, scope, file, now)
    enrollment.route = booking.route or enrollment.route
    if enrollment.session_at != booking.session_at.astimezone(UTC):
        _move(enrollment, booking.session_at, scope)
        replan = True
    session.flush()
    if not replan:
        return Plan()
    return plan_anew(session, scope, open_file(session, scope, enrollment_id), now)


def differs(
    enrollment: Enrollment,
    patient: Patient,
    booking: Booking,
    consents: Mapping[tuple[int, Channel], Consent],
    chosen: Mapping[int, Wording],
) -> bool:
    """Whether a booking that names an enrollment again says anything new of it."""
    said = {**_saying(booking), **_reaching(patient, booking)}
    return (
        enrollment.session_at != booking.session_at.astimezone(UTC)
        or enrollment.route != (booking.route or enrollment.route)
        or any(getattr(patient, name) != value for name, value in said.items())
        or bool(new_consents(patient, booking, consents))
        or new_wording(patient, booking, chosen) is not None
    )


def new_consents(
    patient: Patient, booking: Booking, known: Mapping[tuple[int, Channel], Consent]
) -> list[Given]:
    """The consents of a booking on channels of which the ledger says nothing yet.

    One that the patient took back is not given again by a booking that is read once more.
    """
    return [given for given in booking.consents if (patient.id, given.channel) not in known]


def new_wording(
    patient: Patient, booking: Booking, chosen: Mapping[int, Wording]
) -> Wording | None:
    """The wording that a booking chooses, where the last booking `chosen` did not say the same.

    What the patient chose since is not undone by a booking that is read once more.
    """
    return None if chosen.get(patient.id) == booking.wording else booking.wording


def open_file(session: Session, scope: Scope, enrollment_id: int) -> File:
    """Lock an enrollment and its deliveries, and load what belongs to them.

    Raises NotFound.
    """
    enrollment = enrollments.lock(session, enrollment_id)
    if enrollment is None or enrollment.clinic_id != scope.clinic_id:
        raise no_enrollment(enrollment_id)
    patient = patients.get(session, enrollment.patient_id)
    assert patient is not None
    rows = deliveries.of_enrollment(session, enrollment_id, lock=True)
    consents = patients.consents_of(session, [patient.id])
    stopped = patients.suppressed(session, scope.clinic_id, addresses_of([patient]))
    given = {channel: consent.given for (_, channel), consent in consents.items()}
    reach = reach_of(patient, given, stopped)
    schedule = schedule_of(session, enrollment)
    journey = journey_of(enrollment, patient, schedule, scope.clinic, reach)
    return File(enrollment, patient, rows, journey)


def no_enrollment(enrollment_id: int) -> NotFound:
    """The error for an enrollment that is not there."""
    return NotFound(f"There is no enrollment {enrollment_id}: `drip list` shows them.")


def consent_row(patient: Patient, given: Given, now: datetime) -> dict[str, Any]:
    """A consent as an entry of the ledger."""
    return {
        "clinic_id": patient.clinic_id,
        "patient_id": patient.id,
        "channel": given.channel,
        "given": True,
        "at": now,
        "how": given.how,
        "wording_version": CONSENT_WORDING,
        "by_whom": given.by,
    }


def wording_row(
    patient: Patient, booking: Booking, chosen: Wording, now: datetime
) -> dict[str, Any]:
    """The wording of a booking as an entry of the ledger; by who took the consents, if any."""
    by = next((given.by for given in booking.consents), booking.source)
    return {
        "clinic_id": patient.clinic_id,
        "patient_id": patient.id,
        "wording": chosen,
        "at": now,
        "how": booking.source,
        "by_whom": by,
    }


def session_columns(session_at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """A session as it is stored: the instant, the local time and the zone (T2)."""
    at = session_at.astimezone(UTC)
    local = at.astimezone(zone).replace(tzinfo=None)
    return {
        "session_at": at,
        "session_local": local.isoformat(timespec="minutes"),
        "session_zone": zone.key,
    }


def plan_anew(session: Session, scope: Scope, file: File, now: datetime) -> Plan:
    """Plan a locked enrollment from `now` (UTC, whole seconds) on, under a new revision."""
    file.enrollment.revision += 1
    journey = journey_of(
        file.enrollment, file.patient, file.journey.schedule, scope.clinic, file.journey.reach
    )
    others = [r for r in deliveries.of_patient(session, file.patient.id) if r not in file.rows]
    made = plan(journey, now, file.existing, step_times(existing_of(others)))
    plans.write(session, file.enrollment, made, now)
    return made


def _hold_in_crisis(session: Session, scope: Scope, file: File, now: datetime) -> None:
    """Hold the education of who has an open crisis from now on; the caller plans anew."""
    case = on_hold.cases_of(session, scope, [file.patient]).get(file.patient.id)
    if case is not None and file.enrollment.education_paused_at is None:
        file.enrollment.education_paused_at = now
        on_hold.say_so(session, scope, case, file.enrollment.id, now)


def _move(enrollment: Enrollment, session_at: datetime, scope: Scope) -> None:
    """Give the enrollment another session; answers about the old one no longer count (T8)."""
    _set(enrollment, session_columns(session_at, scope.clinic.zone))
    enrollment.sequence += 1
    enrollment.confirmed_at = enrollment.ride_arranged_at = enrollment.no_show_at = None


def _saying(booking: Booking) -> dict[str, str]:
    """What a booking says of how a patient is spoken to."""
    return {"name": booking.name, "language": booking.language}


def _reaching(patient: Patient, booking: Booking) -> dict[str, str | None]:
    """What a booking says of where and when a patient is reached; the rest as it is."""
    return {
        "phone": booking.phone or patient.phone,
        "email": booking.email or patient.email,
        "timezone": booking.timezone or patient.timezone,
    }


def _set(row: Patient | Enrollment, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _refuse(enrollment: Enrollment, status: str, why: str) -> None:
    if enrollment.status == status:
        raise NotAllowed(f"Enrollment {enrollment.id} is {status} already; {why}.")
