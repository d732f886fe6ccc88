"""The visit as an iCalendar file (RFC 5545)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

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
    from icalendar.parser import Contentline, Parameters
    from icalendar.prop import vText

    clinic, method = visit.clinic, "CANCEL" if visit.cancelled else "PUBLISH"
    start = visit.session_at.astimezone(clinic.zone)
    form = _form(
        _Clinic(clinic.email, clinic.public_name, clinic.address, clinic.zone),
        _Said(method, visit.title, visit.description, visit.language),
        visit.session_at.date(),
        start.date(),
    )
    uid = vText(f"{visit.enrollment}.{clinic.key}@drip.invalid")
    data = form % {
        b"start": f"{start:%H%M%S}".encode(),
        b"stamp": f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}".encode(),
        b"uid": Contentline.from_parts("UID", Parameters(), uid).to_ical(),
        b"sequence": visit.sequence,
    }
    return CalendarFile(method, data)


class _Clinic(NamedTuple):
    """What the files of a clinic share."""

    email: str
    public_name: str
    address: str
    zone: ZoneInfo


class _Said(NamedTuple):
    """What the files of one kind and language share."""

    method: str
    title: str
    description: str
    language: str


@lru_cache(maxsize=2_000)
def _form(clinic: _Clinic, said: _Said, day: date, clinic_day: date) -> bytes:
    """The file but for four lines, which differ from visit to visit of a day.

    icalendar takes milliseconds over it, most of them over the clock changes round the day.
    """
    from icalendar import Calendar, Event, vCalAddress, vText

    organizer = vCalAddress(f"mailto:{clinic.email}")
    organizer.params["CN"] = vText(clinic.public_name)
    event = Event()
    event.add("uid", "0")
    event.add("sequence", 0)
    event.add("dtstamp", datetime(2000, 1, 1, tzinfo=UTC))
    event.add("dtstart", datetime.combine(clinic_day, time(), clinic.zone))
    event.add("summary", said.title, parameters={"language": said.language})
    event.add("description", said.description)
    event.add("location", clinic.address)
    event.add("status", "CANCELLED" if said.method == "CANCEL" else "CONFIRMED")
    event.add("organizer", organizer)
    event.add("class", "PRIVATE")
    calendar = Calendar()
    calendar.add("prodid", _MAKER)
    calendar.add("version", "2.0")
    calendar.add("method", said.method)
    calendar.add_component(event)
    calendar.add_missing_timezones(first_date=day - _AROUND, last_date=day + _AROUND)
    zones, begin, visit = calendar.to_ical().replace(b"%", b"%%").partition(b"BEGIN:VEVENT")
    for line, blank in _BLANKS:
        visit = line.sub(blank, visit)
    return bytes(zones + begin + visit)


_BLANKS = (
    (re.compile(rb"^(DTSTART.*T)000000", re.MULTILINE), rb"\1%(start)b"),
    (re.compile(rb"^DTSTAMP:.*Z", re.MULTILINE), rb"DTSTAMP:%(stamp)b"),
    (re.compile(rb"^UID:0", re.MULTILINE), rb"%(uid)b"),
    (re.compile(rb"^SEQUENCE:0", re.MULTILINE), rb"SEQUENCE:%(sequence)d"),
)
"""The lines of an event that differ from visit to visit."""
