"""When a step is due, as schedules say it: "3 days before session at 10:00".

when    = "at" anchor
        | offset ("before" | "after") anchor [ "at" HH:MM ]
        | "on the day of" anchor "at" HH:MM
offset  = number unit { "and" number unit }
unit    = minute | minutes | hour | hours | day | days | week | weeks
anchor  = "booking" | "session"
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import NoReturn
from zoneinfo import ZoneInfo


class Anchor(StrEnum):
    """A moment that steps are relative to."""

    BOOKING = "booking"
    SESSION = "session"


class WhenError(ValueError):
    """A `when` that does not follow the grammar. `column` counts from 1 inside its text."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class When:
    """An offset from an anchor.

    `days` are stepped on the wall clock and `minutes` elapse after that; both carry the sign
    of the offset (before is negative). `at` replaces the time of day reached by the days.
    """

    anchor: Anchor
    days: int = 0
    minutes: int = 0
    at: time | None = None

    @property
    def is_booking_itself(self) -> bool:
        """Whether this is "at booking"."""
        is_anchor = self.at is None and not self.days and not self.minutes
        return is_anchor and self.anchor is Anchor.BOOKING

    def resolve(self, anchor: datetime, zone: ZoneInfo) -> datetime:
        """The instant, in UTC, for an anchor (any aware datetime) on a wall clock in `zone`.

        A local time that a clock change skips moves forward by the gap; one that comes twice
        is the first (rules T1 and T3).
        """
        if self.days or self.at is not None:
            # The sum is the first of two equal times, whichever the anchor was.
            anchor = anchor.astimezone(zone) + timedelta(days=self.days)
            if self.at is not None:
                anchor = datetime.combine(anchor.date(), self.at, zone)
        moment = anchor.astimezone(UTC)
        return moment + timedelta(minutes=self.minutes) if self.minutes else moment

    def __str__(self) -> str:
        if self.at is not None and not self.days and not self.minutes:
            return f"on the day of {self.anchor} at {self.at:%H:%M}"
        if not self.days and not self.minutes:
            return f"at {self.anchor}"
        side = "before" if self.days < 0 or self.minutes < 0 else "after"
        words = [*_count(abs(self.days), "week", 7, "day")]
        words += _count(abs(self.minutes), "hour", 60, "minute")
        at = "" if self.at is None else f" at {self.at:%H:%M}"
        return f"{' and '.join(words)} {side} {self.anchor}{at}"


_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_MINUTES = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60}
_TOKEN = re.compile(r"\S+")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_LONGEST = 366
"""Days: an offset longer than a year is taken for a slip."""
_DIGITS = len(str(_LONGEST * 1440))
_A_SLIP = "this is more than a year away; is it a slip?"


def parse_when(text: str) -> When:
    """Read a `when`. Raises WhenError with what was expected, the nearest word and the column."""
    return _Reader(text).when()


def _count(amount: int, large: str, size: int, small: str) -> list[str]:
    many, unit = (amount // size, large) if amount % size == 0 else (amount, small)
    return [f"{many} {unit}{'' if many == 1 else 's'}"] if many else []


class _Reader:
    """Reads one `when`, a word at a time."""

    def __init__(self, text: str) -> None:
        self.words = [(m.group(), m.start() + 1) for m in _TOKEN.finditer(text)]
        self.end = len(text) + 1
        self.place = 0

    def when(self) -> When:
        match self.peek():
            case "at":
                self.place += 1
                found = When(self.anchor())
            case "on":
                found = self.on_the_day()
            case _:
                found = self.offset()
        if self.place < len(self.words):
            self.fail(f"nothing is expected after this, found {self.found()}")
        return found

    def on_the_day(self) -> When:
        for word in ("on", "the", "day", "of"):
            self.one_of(word)
        anchor = self.anchor()
        self.one_of("at")
        return When(anchor, at=self.clock())

    def offset(self) -> When:
        days = minutes = 0
        while True:
            number, unit = self.number(), self.one_of(*_DAYS, *_MINUTES)
            days += number * _DAYS.get(unit, 0)
            minutes += number * _MINUTES.get(unit, 0)
            if self.peek() != "and":
                break
            self.place += 1
        if days + minutes / 1440 > _LONGEST:
            self.place = 0
            self.fail(_A_SLIP)
        sign = -1 if self.one_of("before", "after") == "before" else 1
        return When(self.anchor(), sign * days, sign * minutes, self.at(minutes))

    def at(self, minutes: int) -> time | None:
        if self.peek() != "at":
            return None
        if minutes:
            self.fail('"at HH:MM" goes with days and weeks only, not with hours or minutes')
        self.place += 1
        return self.clock()

    def anchor(self) -> Anchor:
        return Anchor(self.one_of(*Anchor))

    def number(self) -> int:
        word = self.peek()
        if not (word.isascii() and word.isdigit()):
            others = ', "at" or "on the day of"' if self.place == 0 else ""
            self.fail(f"expected a number{others}, found {self.found()}")
        if len(word) > _DIGITS:
            self.fail(_A_SLIP)
        if int(word) == 0:
            self.fail('an offset cannot be 0; write "at booking" or "at session"')
        self.place += 1
        return int(word)

    def clock(self) -> time:
        found = _CLOCK.fullmatch(self.peek())
        if found is None:
            self.fail(f"expected a time as HH:MM (00:00 to 23:59), found {self.found()}")
        self.place += 1
        return time(int(found[1]), int(found[2]))

    def one_of(self, *allowed: str) -> str:
        word = self.peek()
        if word not in allowed:
            near = get_close_matches(word, allowed, 1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            self.fail(f"expected {', '.join(allowed)}, found {self.found()}{hint}")
        self.place += 1
        return word

    def peek(self) -> str:
        return self.words[self.place][0] if self.place < len(self.words) else ""

    def found(self) -> str:
        return f'"{self.peek()}"' if self.peek() else "the end"

    def fail(self, message: str) -> NoReturn:
        column = self.words[self.place][1] if self.place < len(self.words) else self.end
        raise WhenError(message, column)
