"""When to try again after a provider did not take a message."""

from datetime import datetime, timedelta

_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(hours=1)
_SPREAD = 0.25
"""The share of a wait that jitter may add, so that a backlog does not come back as one."""


def retry_at(now: datetime, attempts: int, jitter: float, after: float | None = None) -> datetime:
    """The next try after `attempts` (1 or more) that the provider did not take.

    Waits double from one minute to one hour. `after` is the wait in seconds that the provider
    asked for, which is kept to where it is longer. `jitter` is a random number in [0, 1).
    """
    doublings = min(attempts - 1, 10)
    wait = min(_FIRST * 2.0**doublings, _LONGEST)
    if after is not None:
        wait = max(wait, timedelta(seconds=after))
    return now + wait * (1 + _SPREAD * jitter)
