"""What a claimed batch is about, whether each of it may go out now, and what it then says."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy.orm import Session

from drip.content.render import Renderer
from drip.content.values import Facts
from drip.core.clinic import Clinic
from drip.core.delivery import TOO_SHORT_NOTICE, Reason, Status, held_because
from drip.core.links import Links
from drip.core.outgoing import EmailContent, SmsContent
from drip.core.policy import Decision, End, Go, Situation, decide
from drip.core.schedule import CANCELLED, NOTICES, Channel, Weight
from drip.core.slots import Slots
from drip.errors import StoreError
from drip.services.journeys import addresses_of, blocked, step_times, version_of, zone_of
from drip.services.readable import readable_clinics, readable_schedules
from drip.store import claimed, patients
from drip.store.claimed import Beside, Claimed, Reachable
from drip.store.schema import Delivery

log = structlog.get_logger(__name__)

StepKey = tuple[int, str, int]
"""Enrollment, step and occurrence: what the channels of a step share."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A delivery that may go out: from whom, to which address, saying what, until when (UTC)."""

    delivery: Claimed
    clinic: Clinic
    address: str
    content: SmsContent | EmailContent
    give_up_at: datetime


_NEAR = timedelta(hours=52)
"""How far around now deliveries are looked at: further than two calendar days."""


class Judged(NamedTuple):
    """A claimed delivery with what is to become of it: sent, put off, or ended."""

    delivery: Claimed
    verdict: Ready | Decision


def step_key(row: Claimed | Beside) -> StepKey:
    """What the channels of a step share."""
    return row.enrollment_id, row.step, row.occurrence


class Batch:
    """The rows behind some claimed deliveries, loaded in a few queries and locked.

    Addresses come first and deliveries after them, as for everybody who takes both.
    """

    def __init__(
        self,
        session: Session,
        ids: Sequence[int],
        token: str,
        now: datetime,
    ) -> None:
        self._session = session
        self._all: dict[int, list[Beside]] | None = None
        self._stopped = _lock_addresses(session, claimed.addresses(session, ids, token, now))
        self.rows = claimed.lock(session, ids, token, now)
        self.clinics = readable_clinics(session, {row.clinic_id for row in self.rows})
        self.schedules = readable_schedules(session, self.rows)
        self._patients = {row.patient_id for row in self.rows}
        self._around = claimed.beside(
            session, self._patients, around=(now - _NEAR, now + _NEAR), steps=self._steps()
        )

    def around(self, patient_id: int) -> list[Beside]:
        """What a patient gets around this time, and what else was said of the batch's steps."""
        return self._around.get(patient_id, [])

    def all_of(self, patient_id: int) -> list[Beside]:
        """Everything that a patient gets or got; read for the whole batch when first asked."""
        if self._all is None:
            self._all = claimed.beside(self._session, self._patients)
        return self._all.get(patient_id, [])

    def blocked(self, row: Claimed) -> Reason | None:
        """Why a row's channel cannot be used for its patient now."""
        stopped = self._stopped[row.clinic_id]
        return blocked(row.channel, row.address, stopped, consented=row.consented)

    def _steps(self) -> set[str]:
        """The steps of the batch, and those that say the same again."""
        steps = {row.step for row in self.rows}
        for schedule in self.schedules.values():
            if schedule is not None:
                for name in steps & schedule.coverers.keys():
                    steps |= set(schedule.coverers[name])
        return steps


def _lock_addresses(
    session: Session, people: Iterable[Reachable]
) -> dict[int, dict[tuple[Channel, str], str]]:
    """Lock the addresses of these patients; gives for each clinic those that are suppressed."""
    by_clinic: defaultdict[int, list[Reachable]] = defaultdict(list)
    for patient in people:
        by_clinic[patient.clinic_id].append(patient)
    return {
        clinic_id: patients.lock_addresses(session, clinic_id, addresses_of(theirs))
        for clinic_id, theirs in sorted(by_clinic.items())
    }


def judge(batch: Batch, renderer: Renderer, links: Links | None, now: datetime) -> list[Judged]:
    """Decide for each row of a batch, and make what may go out, with `links` in the emails.

    The steps that matter most come first, so that they get the patient's free slot. A row that
    cannot be understood is ended as broken and does not stop the others.
    """
    going: dict[StepKey, datetime] = {}
    judged = []
    for row in sorted(batch.rows, key=lambda r: (r.priority, r.planned_at, r.id)):
        try:
            verdict = _judge(batch, row, going, renderer, links, now)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a clinic's words may fail in any way
            log.error("delivery.broken", delivery=row.id, error=type(error).__name__)
            verdict = End(Status.SKIPPED, Reason.BROKEN)
        if isinstance(verdict, Ready):
            going.setdefault(step_key(row), now)
        judged.append(Judged(row, verdict))
    return judged


def _judge(
    batch: Batch,
    row: Claimed,
    going: dict[StepKey, datetime],
    renderer: Renderer,
    links: Links | None,
    now: datetime,
) -> Ready | Decision:
    clinic = batch.clinics[row.clinic_id]
    if clinic is None:
        raise LookupError(row.clinic_id)
    decision = decide(_situation(batch, row, clinic, going), now)
    if not isinstance(decision, Go):
        return decision
    assert row.address is not None, "a patient without the address is not reachable"
    sms = row.channel is Channel.SMS
    # Only an email has room for what was left out.
    facts = _facts(row, clinic, () if sms else batch.all_of(row.patient_id), links, now)
    make = renderer.sms if sms else renderer.email
    return Ready(row, clinic, row.address, make(row.message, facts), decision.give_up_at)


def _situation(
    batch: Batch, row: Claimed, clinic: Clinic, going: dict[StepKey, datetime]
) -> Situation:
    zone, key = zone_of(row, clinic), step_key(row)
    same: list[Beside] = []
    others: list[Beside] = []
    for each in batch.around(row.patient_id):
        (same if step_key(each) == key else others).append(each)

    def slots(rows: Iterable[Beside]) -> Slots:
        return Slots(clinic.crowding, clinic.window, zone, _taken(row, rows, going))

    def all_slots() -> Slots:
        return slots(each for each in batch.all_of(row.patient_id) if step_key(each) != key)

    notice = row.step in NOTICES
    begun = key in going or any(each.reached_patient for each in same)
    spaced = not notice and not begun
    before_session = row.planned_at < row.session_at and not notice
    return Situation(
        ended=_ended(row),
        blocked=batch.blocked(row),
        essential=row.weight is Weight.ESSENTIAL,
        until=row.until,
        last=min(row.until, row.session_at) if before_session else row.until,
        told_at=_told_at(batch, row, others),
        zone=zone,
        window=clinic.window,
        slots=slots(others) if spaced else None,
        all_slots=all_slots if spaced else None,
    )


def _ended(row: Claimed) -> tuple[Status, Reason] | None:
    """The end that the enrollment's own state gives a delivery."""
    if row.step == CANCELLED:
        return None
    if row.enrollment_status == "cancelled":
        return Status.CANCELLED, Reason.SESSION_CANCELLED
    if row.enrollment_status == "paused":
        return Status.HELD, Reason.PAUSED
    if row.session_at != row.booked_for:
        return Status.CANCELLED, Reason.SESSION_MOVED
    if row.no_show_at is not None and row.planned_at >= row.session_at:
        return Status.CANCELLED, Reason.NO_SHOW
    education_paused = row.education_paused_at is not None
    held = held_because(row.weight, paused=False, education_paused=education_paused)
    return None if held is None else (Status.HELD, held)


def _taken(
    row: Claimed, others: Iterable[Beside], going: dict[StepKey, datetime]
) -> list[datetime]:
    """The times that crowd a delivery now: what went out, what goes out beside it in this
    batch and, for education, the essential steps that are still to come.
    """
    education = row.weight is Weight.EDUCATION
    rows = list(others)
    counted = [
        each
        for each in rows
        if each.reached_patient or (education and each.waiting and each.weight is Weight.ESSENTIAL)
    ]
    beside = {step_key(r) for r in rows} & going.keys()
    return step_times(counted) + [going[key] for key in beside]


def _told_at(batch: Batch, row: Claimed, others: Iterable[Beside]) -> datetime | None:
    """When a step that says this one again went, or goes, out for the same session."""
    schedule = batch.schedules[version_of(row)]
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
    counted = [each for each in same if each.waiting or each.reached_patient]
    return min((each.went_at for each in counted), default=None)


def _facts(
    row: Claimed, clinic: Clinic, rows: Iterable[Beside], links: Links | None, now: datetime
) -> Facts:
    """What a message may say of this patient and visit, at the moment of sending."""
    theirs = page = None
    if links is not None:
        page = links.page(row.clinic_id, row.id, row.session_at, now)
        if row.channel is Channel.EMAIL:
            theirs = links.in_email(row.clinic_id, row.patient_id, now)
    return Facts(
        first_name=first_name(row.name),
        language=row.language,
        zone=zone_of(row, clinic),
        clinic=clinic,
        session_at=row.session_at,
        now=now,
        plain_wording=row.wording == "plain",
        route=row.route or "",
        skipped=left_out(row.enrollment_id, rows),
        enrollment=str(row.enrollment_id),
        sequence=row.sequence,
        page_url=page,
        unsubscribe_url=theirs.unsubscribe if theirs else None,
        preferences_url=theirs.preferences if theirs else None,
    )


def first_name(name: str) -> str:
    """How a message addresses a patient: the first word, or what stands after a comma."""
    given = name.partition(",")[2].strip() or name
    return given.split()[0]


def left_out(enrollment_id: int, rows: Iterable[Delivery | Beside]) -> tuple[str, ...]:
    """The education before the session that a short-notice plan skipped on every channel."""
    fates: dict[str, bool] = {}
    for other in rows:
        if other.enrollment_id != enrollment_id or other.weight is not Weight.EDUCATION:
            continue
        skipped = other.status is Status.SKIPPED and other.reason in TOO_SHORT_NOTICE
        fates[other.message] = fates.get(other.message, True) and skipped
    return tuple(message for message, skipped in fates.items() if skipped)
