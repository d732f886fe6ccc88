"""Patients that do not exist, with whom messages are tried out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from drip.content.language_file import Language
from drip.content.values import Facts
from drip.content.words import date_said
from drip.core.clinic import Clinic
from drip.core.schedule import Schedule, Step
from drip.core.sms import Encoding, measure
from drip.core.timing import Anchors

_FIRST, _LAST = ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles")
_NOTICE = timedelta(days=28)
_LONG_NAME = "Riverside Family Care Center"
_LATE = time(12, 45)
"""A time with as many figures as there can be, and so has the one a little before it."""


def ordinary(
    clinic: Clinic,
    language: str,
    session_at: datetime | None = None,
    page_url: str | None = None,
) -> Facts:
    """Ana, who lives near the clinic and comes at `session_at` (UTC), by default on Thursday,
    December 10, 2026 at 9:00. What she gets may link to `page_url`.
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
        page_url=page_url,
    )


def at_its_time(facts: Facts, step: Step) -> Facts:
    """The same patient at the moment when a step is due, booked four weeks ahead."""
    anchors = Anchors(facts.session_at - _NOTICE, facts.session_at)
    return replace(facts, now=step.when.resolve(anchors.of(step.when.anchor), facts.zone))


def at_worst(facts: Facts, days: tuple[date, ...]) -> Iterator[Facts]:
    """The same patient with a visit on each of `days`, late, tomorrow, and in another zone."""
    clinic_zone = facts.clinic.zone
    for day in days:
        session_at = datetime.combine(day, _LATE, clinic_zone).astimezone(UTC)
        offset = session_at.astimezone(clinic_zone).utcoffset()
        far = _FIRST if session_at.astimezone(_FIRST).utcoffset() != offset else _LAST
        now = session_at - timedelta(days=1)
        yield replace(facts, session_at=session_at, now=now, zone=far)


def long_days(language: Language) -> tuple[date, ...]:
    """The days of 2026 whose names are longest in a language, one for each SMS encoding.

    Spanish has two: "miércoles 23 de septiembre" is longer, but "sábado" is not in GSM-7.
    """
    found: dict[Encoding, tuple[int, date]] = {}
    for month in range(1, 13):
        for number in range(20, 27):
            day = date(2026, month, number)
            parts = measure(date_said(language, day))
            if parts.units > found.get(parts.encoding, (0, day))[0]:
                found[parts.encoding] = parts.units, day
    return tuple(day for _, day in found.values())


def like(clinic: Clinic) -> tuple[Clinic, ...]:
    """Clinics that the sample clinic stands for: with a long name, hearing replies and not."""
    long = replace(clinic, public_name=_LONG_NAME)
    return tuple(replace(long, hears_replies=hears) for hears in (True, False))


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
