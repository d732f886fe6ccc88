"""Patients who do not exist: who they are, when they book, and what they do later.

All of it is drawn from one seed, so that the same seed gives the same patients again. The shares
are a guess at an ordinary clinic's: most book one to three weeks ahead, one in four changes
something or does not come.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from drip.core.clinic import Clinic
from drip.core.schedule import Channel
from drip.intake.booking import Booking, Given

MOST = 80_000
"""How many patients there can be: so many numbers are set aside for people who do not exist."""

Change = Literal["reschedule", "cancel", "no_show", "pause", "resume", "stop"]

_FIRST = (
    "Ana Ben Chloe Dev Elena Femi Grace Hugo Ines Jonah Kei Leila Marco Nora Omar Priya Rosa Sam"
)
_LAST = "Adler Brooks Castillo Dunn Ellis Farah Gomez Haas Ito Jensen Khan Lopez Moreau Novak Ortiz"
_ZONES = ("America/Chicago", "America/Denver", "America/Los_Angeles", "America/New_York")

_OPENS, _CLOSES = 9, 17
"""The hours of the clinic's clock at which the front desk books."""
_DESK = timedelta(minutes=30)
"""The front desk enters what was booked so often."""
_SESSIONS = (time(8), time(16))
"""The first and the last session of a day, on the clinic's clock."""
_NOTICE = timedelta(hours=2)
"""A session is not booked closer than this."""

_LEAD_DAYS = ((0, 0), (1, 2), (3, 7), (8, 21), (22, 42))
_LEAD_SHARES = (3, 9, 23, 45, 20)
"""In per cent, how many patients book how many days ahead."""

_SPANISH = 0.15
_NO_EMAIL = 0.12
_ELSEWHERE = 0.08
_PLAIN = 0.10
_NO_SMS_CONSENT = 0.06
_NO_EMAIL_CONSENT = 0.03

_CHANGES: Sequence[tuple[Change | None, float]] = (
    ("reschedule", 10),
    ("cancel", 6),
    ("no_show", 4),
    ("stop", 2),
    ("pause", 2),
    (None, 76),
)
"""In per cent, how many patients do what."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is done to a patient's enrollment at a moment (UTC).

    `session_at` (aware) is the new session of a reschedule.
    """

    at: datetime
    patient: int
    change: Change
    session_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Simulated:
    """A patient by number, the booking and the moment (UTC) it is entered, and what follows."""

    number: int
    at: datetime
    booking: Booking
    events: tuple[Event, ...] = ()


def patients(
    clinic: Clinic,
    languages: Collection[str],
    schedule: str,
    *,
    count: int,
    days: int,
    first_day: date,
    seed: int,
) -> list[Simulated]:
    """So many patients who book within `days` from `first_day` on, in order of booking."""
    chance = random.Random(seed)  # noqa: S311 - nothing is secret here
    span = [first_day + number * _DAY for number in range(days)]
    clock = _Clock(clinic, [day for day in span if day.weekday() < 5] or span, chance)
    moments = sorted(clock.booking() for _ in range(count))
    return [
        _patient(number, at, clinic, languages, schedule, clock)
        for number, at in enumerate(moments)
    ]


def phone_of(number: int) -> str:
    """The phone of the patient of this number, below MOST: one that is nobody's (555 01xx)."""
    return f"+1{200 + number // 100}55501{number % 100:02}"


@dataclass(frozen=True, slots=True)
class _Clock:
    """Draws moments of a clinic's week; `days` are those on which the front desk books."""

    clinic: Clinic
    days: Sequence[date]
    chance: random.Random

    def booking(self) -> datetime:
        """A moment at which the front desk is there; in UTC."""
        day = self.chance.choice(self.days)
        slots = timedelta(hours=_CLOSES - _OPENS) // _DESK
        return self._at(day, time(_OPENS)) + self.chance.randrange(slots) * _DESK

    def session(self, after: datetime) -> datetime:
        """A session on a working day from hours to weeks after a moment; in UTC."""
        (fewest, most) = self.chance.choices(_LEAD_DAYS, _LEAD_SHARES)[0]
        day = after.astimezone(self.clinic.zone).date()
        day += timedelta(days=self.chance.randint(fewest, most))
        first, last = (self._at(day, clock) for clock in _SESSIONS)
        session = first + self.chance.randrange((last - first) // _HOUR + 1) * _HOUR
        while session < after + _NOTICE or session.astimezone(self.clinic.zone).weekday() > 4:
            session += _HOUR if session < last and session < after + _NOTICE else _DAY
        return session

    def between(self, start: datetime, end: datetime) -> datetime:
        """A moment between two others, when the front desk enters things."""
        return start + self.chance.randrange(max((end - start) // _DESK, 1)) * _DESK

    def _at(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self.clinic.zone).astimezone(UTC)


_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def _patient(
    number: int,
    at: datetime,
    clinic: Clinic,
    languages: Collection[str],
    schedule: str,
    clock: _Clock,
) -> Simulated:
    chance = clock.chance
    session_at = clock.session(at)
    has_email = chance.random() >= _NO_EMAIL
    spanish = chance.random() < _SPANISH and "es" in languages
    zones = [zone for zone in _ZONES if zone != clinic.zone.key]
    booking = Booking(
        name=f"{chance.choice(_FIRST.split())} {chance.choice(_LAST.split())}",
        phone=phone_of(number),
        email=f"patient{number}@example.com" if has_email else None,
        session_at=session_at,
        session_zone=clinic.zone,
        schedule=schedule,
        language="es" if spanish else clinic.language,
        timezone=chance.choice(zones) if chance.random() < _ELSEWHERE else None,
        wording="plain" if chance.random() < _PLAIN else "discreet",
        consents=tuple(_consents(chance)),
        source="simulation",
        reference=str(number),
        booked_at=at,
    )
    return Simulated(number, at, booking, tuple(_events(number, at, session_at, clock)))


def _consents(chance: random.Random) -> list[Given]:
    shares = {Channel.SMS: _NO_SMS_CONSENT, Channel.EMAIL: _NO_EMAIL_CONSENT}
    return [
        Given(channel, "paper", "simulation")
        for channel, without in shares.items()
        if chance.random() >= without
    ]


def _events(number: int, booked: datetime, session_at: datetime, clock: _Clock) -> list[Event]:
    kinds, shares = zip(*_CHANGES, strict=True)
    change: Change | None = clock.chance.choices(kinds, shares)[0]
    if change is None:
        return []
    if change == "no_show":
        return [Event(session_at + timedelta(hours=1), number, change)]
    at = clock.between(booked + _DESK, session_at)
    if change == "reschedule":
        return [Event(at, number, change, clock.session(at))]
    if change == "pause":
        resumed = clock.between(at + _DESK, session_at + _DAY)
        return [Event(at, number, change), Event(resumed, number, "resume")]
    return [Event(at, number, change)]
