"""How long ago something was, as people say it."""

from datetime import timedelta

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def age_said(age: timedelta) -> str:
    """An age in its largest whole unit: "now" (under a minute), "12 min", "3 h", "2 days"."""
    if age < _MINUTE:
        return "now"
    if age < _HOUR:
        return f"{age // _MINUTE} min"
    if age < _DAY:
        return f"{age // _HOUR} h"
    days = age // _DAY
    return "1 day" if days == 1 else f"{days} days"
