"""What a claimed batch is about, whether each of it may go out now, and what it then says."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy.orm import Session

from drip.content.clinic_file import clinic_from_profile
from drip.content.render import Facts, Renderer
from drip.core.clinic import Clinic
from drip.core.delivery import TOO_SHORT_NOTICE, Reason, Status
from drip.core.outgoing import EmailContent, SmsContent
from drip.core.policy import Decision, End, Go, Situation, decide
from drip.core.schedule import CANCELLED, NOTICES, Channel, Schedule, Weight
from drip.core.slots import Slots
from drip.errors import DripError
from drip.services.journeys import (
    address_of,
    addresses_of,
    existing_of,
    reach_of,
    schedule_of,
    step_times,
    zone_of,
)
from drip.store import clinics, deliveries, enrollments, patients
from drip.store.schema import Delivery, Enrollment, Patient

log = structlog.get_logger(__name__)

UNREADABLE = (DripError, LookupError, TypeError, ValueError, AttributeError)
"""What reading a profile or a schedule that somebody broke in the database may raise."""

StepKey = tuple[int, str, int]
"""Enrollment, step and occurrence: what the channels of a step share."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A delivery that may go out: to which address, saying what, until when (UTC)."""

    delivery: Delivery
    clinic_id: int
    address: str
    content: SmsContent | EmailContent
    give_up_at: datetime


class Judged(NamedTuple):
    """A claimed delivery with what is to become of it: sent, put off, or ended."""

    delivery: Delivery
    verdict: Ready | Decision


def step_key(row: Delivery) -> StepKey:
    """What the channels of a step share."""
    return row.enrollment_id, row.step, row.occurrence


class Batch:
    """The rows behind some claimed deliveries, loaded in a few queries."""

    def __init__(self, session: Session, rows: Sequence[Delivery]) -> None:
        self.rows = rows
        self.enrollments = enrollments.get_many(session, {r.enrollment_id for r in rows})
        self.patients = patients.get_many(session, {r.patient_id for r in rows})
        self.consents = patients.consents_of(session, self.patients)
        self.stopped = {
            clinic_id: patients.suppressed(session, clinic_id, addresses_of(people))
            for clinic_id, people in self._by_clinic().items()
        }
        self.clinics: dict[int, Clinic | None] = {
            clinic_id: _clinic(session, clinic_id) for clinic_id in self.stopped
        }
        self.schedules: dict[tuple[int, str, int], Schedule | None] = {}
        for enrollment in self.enrollments.values():
            key = _version(enrollment)
            if key not in self.schedules:
                self.schedules[key] = _schedule(session, enrollment)
        self.of_patient: defaultdict[int, list[Delivery]] = defaultdict(list)
        for row in deliveries.of_patients(session, self.patients):
            self.of_patient[row.patient_id].append(row)

    def _by_clinic(self) -> dict[int, list[Patient]]:
        found: defaultdict[int, list[Patient]] = defaultdict(list)
        for patient in self.patients.values():
            found[patient.clinic_id].append(patient)
        return found

    def reach(self, patient: Patient) -> dict[Channel, Reason | None]:
        """For every channel why the patient cannot be reached on it now."""
        given = {
            channel: entry.given
            for channel in Channel
            if (entry := self.consents.get((patient.id, channel))) is not None
        }
        return reach_of(patient, given, self.stopped[patient.clinic_id])


def judge(
    session: Session, rows: Sequence[Delivery], renderer: Renderer, now: datetime
) -> list[Judged]:
    """Decide for each row of a batch, and make what may go out.

    The steps that matter most come first, so that they get the patient's free slot. A row that
    cannot be understood is ended as broken and does not stop the others.
    """
    batch = Batch(session, rows)
    going: dict[StepKey, datetime] = {}
    judged = []
    for row in sorted(rows, key=lambda r: (r.priority, r.planned_at, r.id)):
        try:
            verdict = _judge(batch, row, going, renderer, now)
        except Exception as error:  # noqa: BLE001 - a clinic's words may fail in any way
            log.error("delivery.broken", delivery=row.id, error=type(error).__name__)
            verdict = End(Status.SKIPPED, Reason.BROKEN)
        if isinstance(verdict, Ready):
            going.setdefault(step_key(row), now)
        judged.append(Judged(row, verdict))
    return judged


def _judge(
    batch: Batch,
    row: Delivery,
    going: dict[StepKey, datetime],
    renderer: Renderer,
    now: datetime,
) -> Ready | Decision:
    enrollment, patient = batch.enrollments[row.enrollment_id], batch.patients[row.patient_id]
    clinic = batch.clinics[row.clinic_id]
    if clinic is None:
        raise LookupError(row.clinic_id)
    decision = decide(_situation(batch, row, enrollment, patient, clinic, going, now), now)
    if not isinstance(decision, Go):
        return decision
    address = address_of(patient, row.channel)
    assert address is not None, "a patient without the address is not reachable"
    facts = facts_of(row, enrollment, patient, clinic, batch.of_patient[patient.id], now)
    make = renderer.sms if row.channel is Channel.SMS else renderer.email
    return Ready(row, row.clinic_id, address, make(row.message, facts), decision.give_up_at)


def _situation(
    batch: Batch,
    row: Delivery,
    enrollment: Enrollment,
    patient: Patient,
    clinic: Clinic,
    going: dict[StepKey, datetime],
    now: datetime,
) -> Situation:
    zone = zone_of(patient, clinic)
    others = [r for r in batch.of_patient[patient.id] if step_key(r) != step_key(row)]
    own = [r for r in batch.of_patient[patient.id] if step_key(r) == step_key(row)]
    spaced = row.step not in NOTICES and step_key(row) not in going
    if spaced and not any(r.reached_patient for r in existing_of(own)):
        slots = Slots(clinic.crowding, clinic.window, zone, _taken(row, others, going))
    else:
        slots = None
    before_session = row.planned_at < row.session_at and row.step not in NOTICES
    return Situation(
        ended=_ended(row, enrollment),
        blocked=batch.reach(patient)[row.channel],
        essential=row.weight is Weight.ESSENTIAL,
        until=row.until,
        last=min(row.until, row.session_at) if before_session else row.until,
        told_at=_told_at(batch, row, enrollment, others),
        zone=zone,
        window=clinic.window,
        slots=slots,
    )


def _ended(row: Delivery, enrollment: Enrollment) -> tuple[Status, Reason] | None:
    """The end that the enrollment's own state gives a delivery."""
    if row.step == CANCELLED:
        return None
    if enrollment.status == "cancelled":
        return Status.CANCELLED, Reason.SESSION_CANCELLED
    if enrollment.status == "paused":
        return Status.HELD, Reason.PAUSED
    if row.session_at != enrollment.session_at:
        return Status.CANCELLED, Reason.SESSION_MOVED
    if enrollment.no_show_at is not None and row.planned_at >= row.session_at:
        return Status.CANCELLED, Reason.NO_SHOW
    return None


def _taken(
    row: Delivery, others: Iterable[Delivery], going: dict[StepKey, datetime]
) -> list[datetime]:
    """The times that crowd a delivery now: what went out, what goes out beside it in this
    batch and, for education, the essential steps that are still to come.
    """
    education = row.weight is Weight.EDUCATION
    counted = [
        each
        for each in existing_of(others)
        if each.reached_patient or (education and each.waiting and each.weight is Weight.ESSENTIAL)
    ]
    beside = {step_key(r) for r in others} & going.keys()
    return step_times(counted) + [going[key] for key in beside]


def _told_at(
    batch: Batch, row: Delivery, enrollment: Enrollment, others: Iterable[Delivery]
) -> datetime | None:
    """When a step that says this one again went, or goes, out for the same session."""
    schedule = batch.schedules[_version(enrollment)]
    names = schedule.coverers.get(row.step, ()) if schedule is not None else ()
    if not names:
        return None
    same = [
        r
        for r in others
        if r.step in names
        and r.enrollment_id == row.enrollment_id
        and r.session_at == row.session_at
    ]
    counted = [each for each in existing_of(same) if each.waiting or each.reached_patient]
    return min((each.went_at for each in counted), default=None)


def facts_of(
    row: Delivery,
    enrollment: Enrollment,
    patient: Patient,
    clinic: Clinic,
    rows: Iterable[Delivery],
    now: datetime,
) -> Facts:
    """What a message may say of this patient and visit, at the moment of sending."""
    return Facts(
        first_name=first_name(patient.name),
        language=patient.language,
        zone=zone_of(patient, clinic),
        clinic=clinic,
        session_at=row.session_at,
        now=now,
        plain_wording=patient.wording == "plain",
        route=enrollment.route or "",
        skipped=_left_out(row, rows),
        enrollment=str(enrollment.id),
        sequence=enrollment.sequence,
    )


def first_name(name: str) -> str:
    """How a message addresses a patient: the first word, or what stands after a comma."""
    given = name.partition(",")[2].strip() or name
    return given.split()[0]


def _left_out(row: Delivery, rows: Iterable[Delivery]) -> tuple[str, ...]:
    """The education before the session that a short-notice plan skipped on every channel."""
    fates: dict[str, bool] = {}
    for other in rows:
        if other.enrollment_id != row.enrollment_id or other.weight is not Weight.EDUCATION:
            continue
        skipped = other.status is Status.SKIPPED and other.reason in TOO_SHORT_NOTICE
        fates[other.message] = fates.get(other.message, True) and skipped
    return tuple(message for message, skipped in fates.items() if skipped)


def _version(enrollment: Enrollment) -> tuple[int, str, int]:
    return enrollment.clinic_id, enrollment.schedule, enrollment.schedule_version


def _clinic(session: Session, clinic_id: int) -> Clinic | None:
    """The clinic as the rules see it; None where its profile cannot be understood."""
    row = clinics.by_id(session, clinic_id)
    try:
        return None if row is None else clinic_from_profile(row.profile)
    except UNREADABLE:
        log.error("clinic.broken", clinic=clinic_id)
        return None


def _schedule(session: Session, enrollment: Enrollment) -> Schedule | None:
    try:
        return schedule_of(session, enrollment)
    except UNREADABLE:
        log.error("schedule.broken", enrollment=enrollment.id)
        return None
