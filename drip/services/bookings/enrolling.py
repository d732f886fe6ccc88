"""Bookings in: each becomes a patient, an enrollment and a plan, or changes the ones it names."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from sqlalchemy.orm import Session

from drip.core.planner import Plan, plan
from drip.core.schedule import Channel, Schedule
from drip.errors import ContentError, InvalidInput
from drip.intake.booking import Booking
from drip.services import plans
from drip.services.bookings import on_hold
from drip.services.bookings.changing import (
    consent_row,
    differs,
    session_columns,
    update_from,
    wording_row,
)
from drip.services.journeys import (
    addresses_of,
    journey_of,
    reach_of,
    schedule_for_new,
)
from drip.services.scope import Scope
from drip.store import deliveries, enrollments, patients, tasks, wordings
from drip.store.engine import writing
from drip.store.schema import Consent, Enrollment, Patient, Row, Wording

What = Literal["enrolled", "changed", "unchanged"]
Identity = tuple[str, ...]
"""What makes two bookings the same: a reference, or a name with an address."""
Match = tuple[Enrollment, Patient]
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a booking did, to which enrollment, and the plan's difference that it made."""

    what: What
    enrollment_id: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class Refused:
    """A booking that could not be taken, and why, in a line."""

    why: str


def enroll(scope: Scope, booking: Booking, now: datetime) -> Enrolled:
    """Take one booking. Raises InvalidInput where it cannot be taken."""
    (outcome,) = enroll_all(scope, [booking], now)
    if isinstance(outcome, Refused):
        raise InvalidInput(outcome.why)
    return outcome


def enroll_all(
    scope: Scope, bookings: Sequence[Booking], now: datetime
) -> list[Enrolled | Refused]:
    """Take many bookings in one transaction; one outcome each, in order.

    Each is taken whole or refused whole. A booking that is known, by its reference or by name,
    address and session, changes what it names, or nothing where nothing differs. `now` is UTC
    and is taken to the second.
    """
    now = now.replace(microsecond=0)
    with writing(scope.engine) as session:
        return _Desk(session, scope, now).take(bookings)


class _Desk:
    """Takes bookings inside one transaction."""

    def __init__(self, session: Session, scope: Scope, now: datetime) -> None:
        self._session = session
        self._scope = scope
        self._now = now
        self._schedules: dict[str, Schedule | Refused] = {}
        self._consents: dict[tuple[int, Channel], Consent] = {}
        self._wordings: dict[int, Wording] = {}

    def take(self, bookings: Sequence[Booking]) -> list[Enrolled | Refused]:
        outcomes: dict[int, Enrolled | Refused] = {}
        first: list[int] = []
        again: list[int] = []
        seen: set[Identity] = set()
        for place, booking in enumerate(bookings):
            why = self._refusal(booking)
            if why is not None:
                outcomes[place] = Refused(why)
            elif seen.isdisjoint(names := _identities(booking)):
                first.append(place)
                seen.update(names)
            else:
                again.append(place)
        known = self._known([bookings[place] for place in first])
        new = []
        for place in first:
            match = self._match(bookings[place], known)
            if match is None:
                new.append(place)
            else:
                outcomes[place] = self._take_again(bookings[place], match)
        outcomes |= zip(new, self._take_new([bookings[place] for place in new]), strict=True)
        if again:
            # The same patient twice in one batch: the later line finds what the former made.
            later = self.take([bookings[place] for place in again])
            outcomes |= zip(again, later, strict=True)
        return [outcomes[place] for place in range(len(bookings))]

    def _refusal(self, booking: Booking) -> str | None:
        session_at, booked_at = booking.session_at, booking.booked_at or self._now
        said = f"{session_at:%Y-%m-%d %H:%M}"
        if session_at <= self._now:
            return f"The session {said} is in the past: give the date of the one to come."
        if booked_at > session_at:
            return f"The booking is dated after the session {said}: one of the two is wrong."
        if booked_at > self._now:
            return f"The booking is dated {booked_at:%Y-%m-%d %H:%M}, which is still to come."
        schedule = self._schedule(booking.schedule)
        return schedule.why if isinstance(schedule, Refused) else None

    def _schedule(self, name: str) -> Schedule | Refused:
        if name not in self._schedules:
            try:
                found: Schedule | Refused = schedule_for_new(
                    self._session, self._scope, name, self._now
                )
            except ContentError as error:
                found = Refused(str(error))
            self._schedules[name] = found
        return self._schedules[name]

    def _known(self, bookings: Sequence[Booking]) -> dict[Identity, Match]:
        clinic_id = self._scope.clinic_id
        known: dict[Identity, Match] = {}
        references = [(b.source, b.reference) for b in bookings if b.reference is not None]
        found = enrollments.by_references(self._session, clinic_id, references)
        for enrollment, patient in found:
            known["reference", enrollment.source, str(enrollment.reference)] = enrollment, patient
        phones = {b.phone for b in bookings if b.phone is not None}
        emails = {b.email for b in bookings if b.email is not None}
        to_come = enrollments.to_come(self._session, clinic_id, phones, emails, self._now)
        for enrollment, patient in to_come:
            names = _person(enrollment.schedule, patient.name, patient.phone, patient.email)
            for identity in names:
                known.setdefault(identity, (enrollment, patient))
        people = {patient.id for _, patient in known.values()}
        self._consents = patients.consents_of(self._session, people)
        self._wordings = wordings.last_booked(self._session, people)
        return known

    def _match(self, booking: Booking, known: Mapping[Identity, Match]) -> Match | None:
        """The enrollment of the same reference, else one of the same person that is to come."""
        for identity in _identities(booking):
            if identity in known:
                return known[identity]
        return None

    def _take_again(self, booking: Booking, match: Match) -> Enrolled | Refused:
        enrollment, patient = match
        local = enrollment.session_local.replace("T", " ")
        same = booking.reference is not None and (
            (booking.source, booking.reference) == (enrollment.source, enrollment.reference)
        )
        if same and enrollment.status == "cancelled":
            return Refused(
                f"The booking {booking.reference!r} was cancelled (enrollment {enrollment.id}): "
                "a new booking needs a new ref."
            )
        if not same and booking.session_at != enrollment.session_at:
            return Refused(
                f"{patient.name} is enrolled already for {local} (enrollment {enrollment.id}): "
                f"`drip reschedule {enrollment.id}` moves that session."
            )
        if not differs(enrollment, patient, booking, self._consents, self._wordings):
            return Enrolled("unchanged", enrollment.id, Plan())
        made = update_from(self._session, self._scope, enrollment.id, booking, self._now)
        return Enrolled("changed", enrollment.id, made)

    def _take_new(self, bookings: Sequence[Booking]) -> list[Enrolled]:
        if not bookings:
            return []
        people = self._insert_patients(bookings)
        cases = on_hold.cases_of(self._session, self._scope, people)
        made = self._insert_enrollments(bookings, people, cases)
        stopped = patients.suppressed(self._session, self._scope.clinic_id, addresses_of(people))
        rows: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        outcomes = []
        for booking, patient, enrollment in zip(bookings, people, made, strict=True):
            reach = reach_of(patient, {given.channel: True for given in booking.consents}, stopped)
            schedule = self._checked_schedule(booking.schedule)
            planned = plan(
                journey_of(enrollment, patient, schedule, self._scope.clinic, reach), self._now
            )
            rows += [plans.new_row(enrollment, row, self._now) for row in planned.add]
            if planned.unsendable:
                calls.append(plans.call_row(enrollment, planned.unsendable, self._now))
            outcomes.append(Enrolled("enrolled", enrollment.id, planned))
        deliveries.insert(self._session, rows)
        tasks.open_many(self._session, calls)
        for enrollment in made:
            if enrollment.patient_id in cases:
                case = cases[enrollment.patient_id]
                on_hold.say_so(self._session, self._scope, case, enrollment.id, self._now)
        return outcomes

    def _insert_patients(self, bookings: Sequence[Booking]) -> list[Patient]:
        clinic_id = self._scope.clinic_id
        rows: list[dict[str, Any]] = [
            {
                "clinic_id": clinic_id,
                "name": booking.name,
                "phone": booking.phone,
                "email": booking.email,
                "language": booking.language,
                "timezone": booking.timezone,
                "wording": booking.wording or "discreet",
                "created_at": self._now,
            }
            for booking in bookings
        ]
        ids = patients.insert_many(self._session, rows)
        people = [_with_id(Patient(**row), id_) for row, id_ in zip(rows, ids, strict=True)]
        patients.ensure_addresses(self._session, clinic_id, addresses_of(people))
        consents = [
            consent_row(patient, given, self._now)
            for patient, booking in zip(people, bookings, strict=True)
            for given in booking.consents
        ]
        patients.add_consents(self._session, consents)
        choices = [
            wording_row(patient, booking, booking.wording, self._now)
            for patient, booking in zip(people, bookings, strict=True)
            if booking.wording is not None
        ]
        wordings.add(self._session, choices)
        return people

    def _insert_enrollments(
        self, bookings: Sequence[Booking], people: Sequence[Patient], cases: Collection[int]
    ) -> list[Enrollment]:
        """Add the enrollments; those of the patients in `cases` with their education on hold."""
        rows = [
            {
                "clinic_id": patient.clinic_id,
                "patient_id": patient.id,
                "source": booking.source,
                "reference": booking.reference,
                "schedule": booking.schedule,
                "schedule_version": self._checked_schedule(booking.schedule).version,
                "booked_at": (booking.booked_at or self._now).astimezone(UTC),
                **session_columns(booking.session_at, booking.session_zone),
                "route": booking.route,
                "status": "active",
                "revision": 1,
                "sequence": 0,
                "education_paused_at": self._now if patient.id in cases else None,
                "created_at": self._now,
            }
            for booking, patient in zip(bookings, people, strict=True)
        ]
        ids = enrollments.insert_many(self._session, rows)
        return [_with_id(Enrollment(**row), id_) for row, id_ in zip(rows, ids, strict=True)]

    def _checked_schedule(self, name: str) -> Schedule:
        schedule = self._schedule(name)
        assert isinstance(schedule, Schedule), "a booking on a broken schedule is refused before"
        return schedule


def _identities(booking: Booking) -> list[Identity]:
    """What a booking may be known by, the clinic's own reference first."""
    names = _person(booking.schedule, booking.name, booking.phone, booking.email)
    if booking.reference is not None:
        names.insert(0, ("reference", booking.source, booking.reference))
    return names


def _person(schedule: str, name: str, phone: str | None, email: str | None) -> list[Identity]:
    return [
        ("person", schedule, name.casefold(), address.casefold())
        for address in (phone, email)
        if address is not None
    ]


def _with_id(row: R, id_: int) -> R:
    row.id = id_
    return row
