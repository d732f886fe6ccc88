"""The fields of a booking that need no library: moments, zones, words from a list."""

import re
import unicodedata
from collections.abc import Collection
from datetime import datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from drip.errors import InvalidInput

ROUTES = ("iv", "im", "nasal", "oral")
"""How a patient is treated: the routes that the article names."""

_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{1,2}:\d{2})(?::[0-5]\d)?(Z|[+-]\d{2}:?\d{2})?")

_YEARS = range(2000, 2200)
"""Years that a booking may be of; others are slips of the hand."""

_LONGEST_QUOTE = 60

_SHORT_ZONES = {
    "e": "America/New_York",
    "c": "America/Chicago",
    "m": "America/Denver",
    "p": "America/Los_Angeles",
    "ak": "America/Anchorage",
    "h": "Pacific/Honolulu",
}
"""What Americans write short, as in EST, CDT or PT. EST itself would know no summer time."""


def read_zone(text: str) -> ZoneInfo:
    """An IANA time zone, written as Area/City, or UTC. Raises InvalidInput with the nearest."""
    try:
        if "/" in text or text == "UTC":
            return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    near = _near_zone(text)
    hint = f" Did you mean {near}?" if near else ""
    raise InvalidInput(
        f"There is no time zone {quoted(text)}.{hint} Use an IANA name such as America/New_York."
    )


def _near_zone(text: str) -> str | None:
    """The zone that is meant: by its short name, by its city, then by all of its name."""
    word = text.lower().strip().replace(" ", "_")
    short = re.fullmatch(r"(e|c|m|p|ak|h)[sd]?t", word)
    if short is not None:
        return _SHORT_ZONES[short[1]]
    zones = {name.lower(): name for name in sorted(available_timezones()) if "/" in name}
    cities = {name.rpartition("/")[2]: whole for name, whole in zones.items()}
    for known, asked in ((cities, word.rpartition("/")[2]), (zones, word)):
        if near := get_close_matches(asked, known, 1, 0.75):
            return known[near[0]]
    return None


def read_moment(text: str, zone: ZoneInfo, field: str) -> datetime:
    """A moment as 2026-12-10T09:00, on the clock of `zone` unless it carries an offset."""
    if not text:
        raise InvalidInput(f"The {field} is missing: give it as 2026-12-10T09:00.")
    found = _MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        day, clock, offset = found.groups()
        moment = datetime.fromisoformat(f"{day}T{clock.zfill(5)}{offset or ''}")
        if moment.year not in _YEARS:
            raise ValueError
    except ValueError:
        raise InvalidInput(
            f"The {field} {quoted(text)} is not a date and time: write it as 2026-12-10T09:00."
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def one_of(field: str, text: str, allowed: Collection[str]) -> str:
    """The text, if it is one of these. Raises InvalidInput with the nearest."""
    if text in allowed:
        return text
    near = get_close_matches(text, allowed, 1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    raise InvalidInput(f"The {field} {quoted(text)} is not one of {', '.join(allowed)}.{hint}")


def one_line(field: str, text: str) -> str:
    """The text, if it is one line of a decent length. Raises InvalidInput."""
    if len(text) > 200 or breaks_line(text):
        raise InvalidInput(f"The {field} must be one line of at most 200 characters.")
    return text


def breaks_line(text: str) -> bool:
    """Whether it has a line break, another control character or half a character in it."""
    return any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text)


def quoted(text: str) -> str:
    """A value as a complaint repeats it: in quotes, on one line, shortened if it is long."""
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}...")
