"""From rows to what the planner sees: an enrollment's journey, and who may be reached how."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.content.schedule_file import definition_of, load_schedule, schedule_from_definition
from drip.core.clinic import Clinic
from drip.core.delivery import Reason
from drip.core.history import Existing
from drip.core.planner import Journey
from drip.core.schedule import RIDE, Channel, Schedule
from drip.core.timing import Anchors
from drip.errors import ContentError
from drip.services.scope import Scope
from drip.store import schedules
from drip.store.claimed import Claimed, Reachable
from drip.store.schema import Delivery, Enrollment, Patient

STOP = "stop"
"""Why an address is suppressed that a patient stopped; anything else is a provider's word."""

UNREACHABLE = frozenset({Reason.NO_ADDRESS, Reason.NO_CONSENT, Reason.STOPPED, Reason.SUPPRESSED})
"""Why a channel may not reach a patient."""

Version = tuple[int, str, int]
"""A clinic's id, the name of its schedule, and its version."""

Consents = Mapping[Channel, bool]
Suppressed = Mapping[tuple[Channel, str], str]
"""Suppressed addresses, each with why."""


def address_of(patient: Patient | Reachable, channel: Channel) -> str | None:
    """Where a channel reaches a patient."""
    return patient.phone if channel is Channel.SMS else patient.email


def addresses_of(patients: Iterable[Patient | Reachable]) -> list[tuple[Channel, str]]:
    """Every address of these patients, each once."""
    found = {
        (channel, address)
        for patient in patients
        for channel in Channel
        if (address := address_of(patient, channel)) is not None
    }
    return sorted(found)


def reach_of(
    patient: Patient, consents: Consents, suppressed: Suppressed
) -> dict[Channel, Reason | None]:
    """For every channel why a patient cannot be reached on it; None where it can be used."""
    return {
        channel: blocked(
            channel, address_of(patient, channel), suppressed, consented=consents.get(channel)
        )
        for channel in Channel
    }


def blocked(
    channel: Channel, address: str | None, suppressed: Suppressed, *, consented: bool | None
) -> Reason | None:
    """Why a channel cannot be used for a patient with this address; None where it can."""
    if address is None:
        return Reason.NO_ADDRESS
    because = suppressed.get((channel, address))
    if because is not None:
        return why_stopped(because)
    return None if consented else Reason.NO_CONSENT


def why_stopped(because: str | None) -> Reason:
    """The reason that a suppressed address gives: the patient's own stop, or a provider's word."""
    return Reason.STOPPED if because == STOP else Reason.SUPPRESSED


def zone_of(patient: Patient | Claimed, clinic: Clinic) -> ZoneInfo:
    """The clock that a patient lives by (T2)."""
    return ZoneInfo(patient.timezone) if patient.timezone else clinic.zone


def journey_of(
    enrollment: Enrollment,
    patient: Patient,
    schedule: Schedule,
    clinic: Clinic,
    reach: Mapping[Channel, Reason | None],
) -> Journey:
    """An enrollment as the planner sees it."""
    return Journey(
        schedule=schedule,
        anchors=Anchors(enrollment.booked_at, enrollment.session_at),
        zone=zone_of(patient, clinic),
        window=clinic.window,
        crowding=clinic.crowding,
        reach=reach,
        revision=enrollment.revision,
        paused=enrollment.status == "paused",
        education_paused=enrollment.education_paused_at is not None,
        no_show=enrollment.no_show_at is not None,
        answered=answered_of(enrollment, schedule),
    )


def answered_of(enrollment: Enrollment, schedule: Schedule) -> frozenset[str]:
    """The steps that what the patient said of this visit has made needless."""
    if enrollment.ride_arranged_at is None:
        return frozenset()
    return schedule.needless_after(RIDE)


def existing_of(rows: Iterable[Delivery]) -> list[Existing]:
    """Deliveries as the planner sees them."""
    return [
        Existing(
            id=row.id,
            step=row.step,
            channel=row.channel,
            occurrence=row.occurrence,
            weight=row.weight,
            status=row.status,
            planned_at=row.planned_at,
            due_at=row.due_at,
            until=row.until,
            session_at=row.session_at,
            revision=row.revision,
            sent_at=row.sent_at,
        )
        for row in rows
    ]


class Timed(Protocol):
    """A delivery of which only its step, its time and its state matter."""

    @property
    def step(self) -> str: ...  # noqa: D102
    @property
    def occurrence(self) -> int: ...  # noqa: D102
    @property
    def waiting(self) -> bool: ...  # noqa: D102
    @property
    def reached_patient(self) -> bool: ...  # noqa: D102
    @property
    def went_at(self) -> datetime: ...  # noqa: D102


def step_times(rows: Iterable[Timed]) -> list[datetime]:
    """The times (UTC) that steps took or will take; the channels of a step count once."""
    times: dict[tuple[str, int], datetime] = {}
    for row in rows:
        if row.waiting or row.reached_patient:
            key = (row.step, row.occurrence)
            times[key] = min(times.get(key, row.went_at), row.went_at)
    return list(times.values())


def schedule_for_new(session: Session, scope: Scope, name: str, now: datetime) -> Schedule:
    """The schedule that new enrollments start on: the file's, kept in the database (T10).

    Raises ContentError where the file was changed and its version was not raised.
    """
    schedule = load_schedule(scope.content, name)
    definition = definition_of(schedule)
    kept = schedules.keep(session, scope.clinic_id, name, schedule.version, definition, now)
    if kept != definition:
        raise ContentError(
            f"schedules/{name}.yaml was changed but is still version {schedule.version}: "
            f"raise `version` to {schedule.version + 1}, so that enrolled patients stay on theirs."
        )
    return schedule


def schedule_of(session: Session, enrollment: Enrollment | Claimed) -> Schedule:
    """The version of a schedule that an enrollment started on (T10); read once, since no version
    ever changes.
    """
    version = version_of(enrollment)
    known = _parsed.setdefault(session.get_bind().engine, {})
    if version not in known:
        known[version] = schedule_from_definition(schedules.definition(session, *version))
    return known[version]


_parsed: WeakKeyDictionary[Engine, dict[Version, Schedule]] = WeakKeyDictionary()


def version_of(enrollment: Enrollment | Claimed) -> Version:
    """Which version of a schedule an enrollment is on."""
    return enrollment.clinic_id, enrollment.schedule, enrollment.schedule_version
