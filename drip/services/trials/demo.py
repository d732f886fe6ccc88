"""Sample patients' whole journeys on a fast clock, through the real planner and sender."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from drip.core.schedule import DEFAULT_SCHEDULE, Channel
from drip.errors import DripError
from drip.intake.booking import Booking, Defaults, read_booking
from drip.services.bookings import changing
from drip.services.bookings.enrolling import enroll
from drip.services.consent import stopping
from drip.services.outbound.sending import Sender
from drip.services.scope import Scope
from drip.services.upkeep.housekeeping import keep_house
from drip.store import attempts, claiming, deliveries, enrollments
from drip.store.engine import reading

_ONE_TEXT = timedelta(seconds=1)
_LONGEST = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the timeline: at a moment (UTC), something was sent or somebody did something.

    `channels` are those that a message went out on, none for what somebody did.
    """

    at: datetime
    what: str
    channels: tuple[Channel, ...] = ()


@dataclass(slots=True)
class Sample:
    """A patient of the demo, and what is done to the enrollment later."""

    story: str
    fields: Mapping[str, str]
    session_after: timedelta
    session_clock: tuple[int, int]
    later: Sequence[tuple[timedelta, str, Callable[[Scope, int, datetime], object]]] = ()
    enrollment_id: int = 0
    name: str = ""
    timeline: list[Happening] = field(default_factory=list)


def samples() -> list[Sample]:
    """Four patients: on time, at short notice, moved, and one who stops the texts."""

    def move(scope: Scope, id_: int, now: datetime) -> None:
        local = now.astimezone(scope.clinic.zone) + timedelta(days=10)
        changing.reschedule(scope, id_, local.replace(hour=13, minute=30), now)

    def stop(scope: Scope, id_: int, now: datetime) -> None:
        stopping.stop_enrollment(scope, id_, [Channel.SMS], "verbal", "demo", now)

    both = {"consent": "sms,email", "consent_how": "verbal"}
    return [
        Sample(
            "booked three weeks ahead",
            {"name": "Maya Chen", "phone": "+12125550101", "email": "maya@example.com", **both},
            timedelta(days=21),
            (9, 0),
        ),
        Sample(
            "booked for tomorrow, in Spanish",
            {
                "name": "José Ramírez",
                "phone": "+12125550102",
                "email": "jose@example.com",
                "language": "es",
                **both,
            },
            timedelta(days=1),
            (15, 0),
        ),
        Sample(
            "session moved after four days",
            {
                "name": "Amina Diallo",
                "phone": "+13125550103",
                "email": "amina@example.com",
                "timezone": "America/Chicago",
                **both,
            },
            timedelta(days=8),
            (7, 0),
            [(timedelta(days=4), "the clinic moves the session", move)],
        ),
        Sample(
            "stops the texts after two days",
            {"name": "Sam Lee", "phone": "+12125550104", "email": "sam@example.com", **both},
            timedelta(days=10),
            (11, 0),
            [(timedelta(days=2), "tells the clinic to stop the texts", stop)],
        ),
    ]


def play(scope: Scope, sender: Sender, start: datetime) -> list[Sample]:
    """Enrol the samples at `start` (aware UTC) and let time run until nothing is left to send."""
    people = samples()
    for sample in people:
        booking = _booking(scope, sample, start)
        sample.name = booking.name
        sample.enrollment_id = enroll(scope, booking, start).enrollment_id
        sample.timeline.append(Happening(start, "books the first session"))
    events = sorted(
        (
            (start + after, sample, what, act)
            for sample in people
            for after, what, act in sample.later
        ),
        key=lambda event: event[0],
    )
    for at, sample, what, act in events:
        _run_until(scope, sender, at)
        act(scope, sample.enrollment_id, at)
        sample.timeline.append(Happening(at, what))
    _run_until(scope, sender, start + _LONGEST)
    for sample in people:
        sample.timeline += _sent(scope, sample.enrollment_id)
        sample.timeline.sort(key=lambda happening: happening.at)
    return people


def _booking(scope: Scope, sample: Sample, start: datetime) -> Booking:
    clinic = scope.clinic
    hour, minute = sample.session_clock
    session = (start + sample.session_after).astimezone(clinic.zone)
    session = session.replace(hour=hour, minute=minute, tzinfo=None)
    defaults = Defaults(
        country=clinic.country,
        zone=clinic.zone,
        language=clinic.language,
        languages=scope.content.languages(),
        schedule=DEFAULT_SCHEDULE,
        source="demo",
        consent_by="demo",
    )
    fields = {**sample.fields, "session": session.isoformat(timespec="minutes")}
    return read_booking(fields, defaults)


def _run_until(scope: Scope, sender: Sender, end: datetime) -> None:
    """Jump from one due time to the next, as the loop of `drip run` sleeps from one to the next."""
    now: datetime | None = None
    while True:
        with reading(scope.engine) as session:
            due_at = claiming.next_due_at(session)
        if due_at is None or due_at >= end:
            break
        # What is due and was not sent waits for its sender's pace.
        now = due_at if now is None or due_at > now else now + _ONE_TEXT
        while sender.tick(now):
            _refuse_failures(scope, now)
        keep_house(scope.engine, sender.providers, now)


def _refuse_failures(scope: Scope, now: datetime) -> None:
    """Stop where a message could not be written: trying again for weeks would show nothing."""
    with reading(scope.engine) as session:
        failed = attempts.failures(session, scope.clinic_id, now)
    if failed:
        raise DripError("The messages cannot be written: free some disk space, or use --out.")


def _sent(scope: Scope, enrollment_id: int) -> Iterator[Happening]:
    """What went out, and the session itself, as it was in the end."""
    with reading(scope.engine) as session:
        rows = deliveries.of_enrollment(session, enrollment_id)
        enrollment = enrollments.get(session, enrollment_id)
    assert enrollment is not None, "the demo enrolled it"
    yield Happening(enrollment.session_at, "the session")
    # By the minute: a text that waited a second for its pace came with its email.
    went = sorted(
        (row.sent_at.replace(second=0, microsecond=0), row.step, row.channel)
        for row in rows
        if row.sent_at
    )
    for (at, step), group in groupby(went, key=lambda one: one[:2]):
        yield Happening(at, step, tuple(channel for _, _, channel in group))
