"""Patients that do not exist, with whom messages are tried out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from drip.content.render import Facts
from drip.core.clinic import Clinic
from drip.core.schedule import Schedule, Step
from drip.core.timing import Anchors

_FIRST, _LAST = ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles")
_NOTICE = timedelta(days=28)


def ordinary(clinic: Clinic, language: str, session_at: datetime | None = None) -> Facts:
    """Ana, who lives near the clinic and comes at `session_at` (UTC), by default on Thursday,
    December 10, 2026 at 9:00.
    """
    if session_at is None:
        session_at = datetime(2026, 12, 10, 9, tzinfo=clinic.zone).astimezone(UTC)
    return Facts(
        first_name="Ana",
        language=language,
        zone=clinic.zone,
        clinic=clinic,
        session_at=session_at,
        now=session_at - timedelta(days=3),
        enrollment="1",
    )


def at_its_time(facts: Facts, step: Step) -> Facts:
    """The same patient at the moment when a step is due, booked four weeks ahead."""
    anchors = Anchors(facts.session_at - _NOTICE, facts.session_at)
    return replace(facts, now=step.when.resolve(anchors.of(step.when.anchor), facts.zone))


def longest(facts: Facts) -> Facts:
    """The same patient with a long date and time, tomorrow, and in another time zone.

    Wednesday, September 23, 2026 at 12:30.
    """
    clinic_zone = facts.clinic.zone
    session_at = datetime(2026, 9, 23, 12, 30, tzinfo=clinic_zone).astimezone(UTC)
    offset = session_at.astimezone(clinic_zone).utcoffset()
    far = _FIRST if session_at.astimezone(_FIRST).utcoffset() != offset else _LAST
    return replace(facts, session_at=session_at, now=session_at - timedelta(days=1), zone=far)


def text_times(schedule: Schedule) -> list[tuple[datetime, Step]]:
    """When a patient booked four weeks ahead gets each text of a schedule, in order, in UTC."""
    zone = ZoneInfo("UTC")
    session_at = datetime(2026, 12, 10, 9, tzinfo=UTC)
    anchors = Anchors(session_at - _NOTICE, session_at)
    times = [
        (step.when.resolve(anchors.of(step.when.anchor), zone), step)
        for step in schedule.steps
        if "sms" in step.channels
    ]
    return sorted(times, key=lambda pair: pair[0])
