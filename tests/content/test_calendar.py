"""The visit as a calendar file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar, Event, vCalAddress, vText

from drip.content.calendar import Visit, visit_file
from drip.content.render import Renderer
from drip.content.values import Facts
from drip.core.clinic import Clinic
from drip.core.outgoing import CalendarFile


def opened(file: CalendarFile | None) -> tuple[Calendar, Event]:
    assert file is not None
    calendar = Calendar.from_ical(file.data)
    (event,) = calendar.walk("VEVENT")
    assert isinstance(event, Event)
    return calendar, event


def test_the_file_holds_the_visit_and_nothing_that_gives_it_away(
    renderer: Renderer, facts: Facts
) -> None:
    file = renderer.email("welcome", facts).calendar
    calendar, event = opened(file)
    assert calendar["METHOD"] == "PUBLISH"
    assert event.decoded("dtstart") == facts.session_at
    assert event["dtstart"].params["TZID"] == "America/New_York"
    assert event["summary"] == "Visit: River Clinic"
    assert event["location"] == "1 River Street, New York, NY 10001"
    assert event["organizer"] == "mailto:care@river.example.com"
    assert event["organizer"].params["CN"] == "River Clinic"
    assert event["status"] == "CONFIRMED"
    assert event["sequence"] == 0
    assert file is not None
    assert b"ketamine" not in file.data.lower()
    assert b"Ana" not in file.data


def test_the_file_carries_its_time_zone_and_keeps_to_the_format(
    renderer: Renderer, facts: Facts
) -> None:
    file = renderer.email("welcome", facts).calendar
    calendar, _ = opened(file)
    assert [zone["TZID"] for zone in calendar.walk("VTIMEZONE")] == ["America/New_York"]
    assert file is not None
    lines = file.data.split(b"\r\n")
    assert lines[-1] == b""
    assert all(len(line) <= 75 and b"\n" not in line for line in lines)


def test_a_reschedule_and_a_cancel_name_the_same_visit_with_a_higher_sequence(
    renderer: Renderer, facts: Facts
) -> None:
    moved = replace(facts, sequence=1, session_at=facts.session_at + timedelta(days=1))
    _, first = opened(renderer.email("welcome", facts).calendar)
    _, second = opened(renderer.email("rescheduled", moved).calendar)
    calendar, last = opened(renderer.email("cancelled", replace(moved, sequence=2)).calendar)
    assert first["uid"] == second["uid"] == last["uid"]
    assert [first["sequence"], second["sequence"], last["sequence"]] == [0, 1, 2]
    assert calendar["METHOD"] == "CANCEL"
    assert last["status"] == "CANCELLED"
    assert last["summary"] == "Canceled visit: River Clinic"


def test_two_patients_have_two_visits(renderer: Renderer, facts: Facts) -> None:
    _, mine = opened(renderer.email("welcome", facts).calendar)
    _, yours = opened(renderer.email("welcome", replace(facts, enrollment="8")).calendar)
    assert mine["uid"] != yours["uid"]


def test_the_same_visit_at_the_same_moment_gives_the_same_file(
    renderer: Renderer, facts: Facts
) -> None:
    assert renderer.email("welcome", facts).calendar == renderer.email("welcome", facts).calendar


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("America/New_York", "2026-03-08T09:00"),
        ("America/New_York", "2026-11-01T09:00"),
        ("America/Phoenix", "2026-07-10T09:00"),
        ("Europe/London", "2026-10-25T09:00"),
        ("Asia/Tokyo", "2026-12-10T09:00"),
    ],
)
def test_the_start_is_right_on_both_sides_of_a_clock_change(
    renderer: Renderer, facts: Facts, zone: str, local: str
) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    clinic = replace(facts.clinic, zone=ZoneInfo(zone))
    someone = replace(facts, clinic=clinic, session_at=at.astimezone(UTC))
    _, event = opened(renderer.email("welcome", someone).calendar)
    assert event.decoded("dtstart").astimezone(UTC) == someone.session_at
    assert event["dtstart"].to_ical() == f"{at:%Y%m%dT%H%M%S}".encode()


@pytest.mark.parametrize("zone", ["America/New_York", "America/Phoenix", "UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("enrollment", ["7", "8" * 60])
@pytest.mark.parametrize("hour", [0, 3, 22])
def test_the_file_is_to_the_byte_what_icalendar_writes_for_the_visit(
    clinic: Clinic, zone: str, enrollment: str, hour: int
) -> None:
    clinic = replace(
        clinic, key="lake%d", public_name='A "B"; C, 100% é', zone=ZoneInfo(zone), address="1 %s;\\"
    )
    for day in (1, 29):
        at = datetime(2026, 3, day, hour, 5, 9, tzinfo=UTC)
        visit = Visit(
            clinic=clinic,
            enrollment=enrollment,
            sequence=hour,
            session_at=at,
            title="Visit: 50% " + "long " * 30,
            description="UID:0\nDTSTAMP:0Z, \\%",
            language="en",
            cancelled=hour == 3,
        )
        now = at - timedelta(days=3, seconds=7)
        assert visit_file(visit, now).data == written_by_icalendar(visit, now)


def written_by_icalendar(visit: Visit, now: datetime) -> bytes:
    organizer = vCalAddress(f"mailto:{visit.clinic.email}")
    organizer.params["CN"] = vText(visit.clinic.public_name)
    event = Event()
    event.add("uid", f"{visit.enrollment}.{visit.clinic.key}@drip.invalid")
    event.add("sequence", visit.sequence)
    event.add("dtstamp", now)
    event.add("dtstart", visit.session_at.astimezone(visit.clinic.zone))
    event.add("summary", visit.title, parameters={"language": visit.language})
    event.add("description", visit.description)
    event.add("location", visit.clinic.address)
    event.add("status", "CANCELLED" if visit.cancelled else "CONFIRMED")
    event.add("organizer", organizer)
    event.add("class", "PRIVATE")
    calendar = Calendar()
    calendar.add("prodid", "-//Drip//Visits//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if visit.cancelled else "PUBLISH")
    calendar.add_component(event)
    around, day = timedelta(days=400), visit.session_at.date()
    calendar.add_missing_timezones(first_date=day - around, last_date=day + around)
    return bytes(calendar.to_ical())
