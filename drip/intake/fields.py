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

_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{1,2}:\d{2})(?::\d{2})?(Z|[+-]\d{2}:?\d{2})?")

_YEARS = range(2000, 2200)
"""Years that a booking may be of; others are slips of the hand."""


def read_zone(text: str) -> ZoneInfo:
    """An IANA time zone. Raises InvalidInput with the nearest name."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        by_lower = {name.lower(): name for name in available_timezones()}
    near = get_close_matches(text.lower().replace(" ", "_"), by_lower, 1, 0.5)
    hint = f" Did you mean {by_lower[near[0]]}?" if near else ""
    raise InvalidInput(
        f"There is no time zone {text!r}.{hint} Use an IANA name such as America/New_York."
    )


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
            f"The {field} {text!r} is not a date and time: write it as 2026-12-10T09:00."
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def one_of(field: str, text: str, allowed: Collection[str]) -> str:
    """The text, if it is one of these. Raises InvalidInput with the nearest."""
    if text in allowed:
        return text
    near = get_close_matches(text, allowed, 1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    raise InvalidInput(f"The {field} {text!r} is not one of {', '.join(allowed)}.{hint}")


def one_line(field: str, text: str) -> str:
    """The text, if it is one line of a decent length. Raises InvalidInput."""
    if len(text) > 200 or any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in text):
        raise InvalidInput(f"The {field} must be one line of at most 200 characters.")
    return text
