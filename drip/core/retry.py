"""When to try again after a provider did not take a message."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

_SPREAD = 0.25
"""The share of a wait that jitter may add, so that a backlog does not come back as one."""

_DAY = timedelta(days=1)


class RetryKind(StrEnum):
    """Why a provider did not take a message that it may take later."""

    AWAY = "away"
    """Nobody answers: no connection, or silence before anything was sent."""
    BUSY = "busy"
    """The provider has too much to do, whoever asks."""
    BACK_OFF = "back_off"
    """Too fast, or too full, for this sender."""
    RETRY_ONCE = "retry_once"
    """The phone or its carrier was out of reach."""
    NEXT_DAY = "next_day"
    """What may be sent in a day is used up."""
    CONFIGURATION = "configuration"
    """A setting is wrong, until staff mend it."""

    @property
    def concerns_all(self) -> bool:
        """Whether the provider as a whole is out of reach, and not one sender or number."""
        return self in (RetryKind.AWAY, RetryKind.BUSY)


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How one kind of refusal is retried.

    Waits begin with `first` and grow by `factor` up to `longest`. After `tries` more tries it
    is given up (None: only `until` ends it). With `next_day` the wait is until the provider's
    day, which is UTC's, has ended.
    """

    first: timedelta
    factor: float = 1.0
    longest: timedelta = _DAY
    tries: int | None = None
    next_day: bool = False

    def __post_init__(self) -> None:
        """Refuse with ValueError what could never be waited for, or without end at once."""
        if not timedelta(0) < self.first <= self.longest or self.factor < 1:
            raise ValueError("a retry needs 0 < first <= longest and a factor of 1 or more")
        if self.tries is not None and self.tries < 0:
            raise ValueError("a retry cannot have fewer than no tries")


def next_try(
    rule: RetryRule, now: datetime, failed: int, jitter: float, after: float | None = None
) -> datetime | None:
    """When to try again after `failed` tries (1 or more) in vain; None where it is given up.

    `now` and the answer are UTC. `after` is the wait in seconds that the provider asked for,
    which is kept to where it is longer. `jitter` is a random number in [0, 1).
    """
    if rule.tries is not None and failed > rule.tries:
        return None
    asked = timedelta(seconds=min(after or 0.0, _DAY.total_seconds()))
    if rule.next_day:
        return max(_next_midnight(now), now + asked) + rule.first * jitter
    return now + max(_wait(rule, failed), asked) * (1 + _SPREAD * jitter)


def _wait(rule: RetryRule, failed: int) -> timedelta:
    wait = rule.first
    for _ in range(failed - 1):
        wait *= rule.factor
        if rule.factor == 1 or wait >= rule.longest:
            break
    return min(wait, rule.longest)


def _next_midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date() + _DAY, time(), UTC)
