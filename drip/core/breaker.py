"""A circuit breaker: a provider that is away is left alone for a while, and then asked gently.

closed ----- five answers in a row say that it is away -----> open
open ------- its time is over ------------------------------> half open
half open -- the one delivery that is let through fails ----> open, for twice as long
any -------- the provider answers --------------------------> closed
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from drip.core.outgoing import Answer, Retry, Unknown

FAILURES = 5
"""Answers in a row that open it."""

SHORTEST, LONGEST = timedelta(seconds=30), timedelta(minutes=10)
"""How long it stays open, the first time and at the most."""

PATIENCE = timedelta(minutes=1)
"""How long a probe may take; after it another one is let through."""

PROBE_SOON = timedelta(seconds=15)
"""When to look again while a probe is under way."""


class BreakerState(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class Breaker:
    """One provider's breaker in one process. Times are UTC and never read from a clock.

    After a clock was set back it waits no longer than it would have from there.
    """

    _failures: int = 0
    _wait: timedelta = SHORTEST
    _open_until: datetime | None = None
    _probe_until: datetime | None = None

    def state(self, now: datetime) -> BreakerState:
        """How it stands at `now`: while open nothing may go, while half open a probe."""
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._until(now) else BreakerState.HALF_OPEN

    def allows(self, now: datetime) -> int | None:
        """How many deliveries may go now: None for all, 1 as a probe, 0 for none.

        Who is given the probe has it: the next one to ask gets 0 until the probe has answered
        (`heard`) or has taken too long.
        """
        match self.state(now):
            case BreakerState.CLOSED:
                return None
            case BreakerState.OPEN:
                return 0
        if self._probe_until is not None and now < self._probe_until:
            return 0
        self._probe_until = now + PATIENCE
        return 1

    def opens_again(self, now: datetime) -> datetime:
        """When it is worth asking again for what may not go now; `now` itself while closed."""
        match self.state(now):
            case BreakerState.CLOSED:
                return now
            case BreakerState.OPEN:
                return self._until(now)
        return now + PROBE_SOON

    def heard(self, answers: Iterable[Answer], now: datetime) -> None:
        """Take note of answers, in the order in which they came."""
        for answer in answers:
            if says_away(answer):
                self._failed(now)
            else:
                self._close()

    def _failed(self, now: datetime) -> None:
        self._failures += 1
        match self.state(now):
            case BreakerState.CLOSED if self._failures >= FAILURES:
                self._open(now, SHORTEST)
            case BreakerState.HALF_OPEN:
                self._open(now, min(self._wait * 2, LONGEST))

    def _open(self, now: datetime, wait: timedelta) -> None:
        self._wait, self._open_until, self._probe_until = wait, now + wait, None

    def _close(self) -> None:
        self._failures, self._wait = 0, SHORTEST
        self._open_until = self._probe_until = None

    def _until(self, now: datetime) -> datetime:
        """The end of its time; also after the clock was set back it is not further away."""
        assert self._open_until is not None
        self._open_until = min(self._open_until, now + self._wait)
        if self._probe_until is not None:
            self._probe_until = min(self._probe_until, now + PATIENCE)
        return self._open_until


def says_away(answer: Answer) -> bool:
    """Whether an answer says that the provider is out of reach, rather than one number.

    Silence after the request went out, or a 5xx, is Unknown: nobody could say anything.
    """
    return isinstance(answer, Unknown) or (isinstance(answer, Retry) and answer.kind.concerns_all)
