"""The visit as an iCalendar file (RFC 5545)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from drip.core.clinic import Clinic
from drip.core.outgoing import CalendarFile

_MAKER = "-//Drip//Visits//EN"
_AROUND = timedelta(days=400)
"""How far round the visit the file knows the clock changes of its zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a calendar file says of a visit.

    `session_at` is an aware instant. `enrollment` names the visit at its clinic for good, so that
    a later file with a higher `sequence` replaces an earlier one. `title` is discreet.
    """

    clinic: Clinic
    enrollment: str
    sequence: int
    session_at: datetime
    title: str
    description: str
    language: str
    cancelled: bool = False


def visit_file(visit: Visit, now: datetime) -> CalendarFile:
    """Write the file; `now` (aware) is its time stamp. A cancelled visit takes an earlier one back.

    The event has a start and no end: how long a visit takes is for the clinic to say.
    """
    from icalendar import Calendar, Event, vCalAddress, vText

    method = "CANCEL" if visit.cancelled else "PUBLISH"
    organizer = vCalAddress(f"mailto:{visit.clinic.email}")
    organizer.params["CN"] = vText(visit.clinic.public_name)
    event = Event()
    event.add("uid", f"{visit.enrollment}.{visit.clinic.key}@drip.invalid")
    event.add("sequence", visit.sequence)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", visit.session_at.astimezone(visit.clinic.zone))
    event.add("summary", visit.title, parameters={"language": visit.language})
    event.add("description", visit.description)
    event.add("location", visit.clinic.address)
    event.add("status", "CANCELLED" if visit.cancelled else "CONFIRMED")
    event.add("organizer", organizer)
    event.add("class", "PRIVATE")
    calendar = Calendar()
    calendar.add("prodid", _MAKER)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    day = visit.session_at.date()
    calendar.add_missing_timezones(first_date=day - _AROUND, last_date=day + _AROUND)
    return CalendarFile(method, calendar.to_ical())
