"""Pace: how many texts a sender may hand over a second.

A carrier takes one text a second from a long code, three from a toll-free number, a hundred from
a short code. A token bucket holds that: it fills at the sender's rate, and each text takes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

RATES: Mapping[str, float] = MappingProxyType(
    {"long-code": 1, "toll-free": 3, "short-code": 100, "messaging-service": 10}
)
"""Texts a second by the kind of sender. A Messaging Service has what its numbers add up to, so
that its rate here is only what counts until the clinic's profile says better."""


def burst(rate: float) -> float:
    """How many texts a rested sender may hand over at once: a second's, and at least two."""
    return max(2.0, rate)


class Pace(Protocol):
    """The token buckets of all senders."""

    def take(self, sender: str, rate: float, wanted: int, now: datetime) -> int:
        """Take up to `wanted` tokens of a sender, at `rate` a second; gives how many there were."""
        ...

    def left(self, sender: str, rate: float, now: datetime) -> int:
        """How many tokens a sender has now, without taking any."""
        ...


@dataclass(slots=True)
class Bucket:
    """What one sender may hand over: `tokens` at the moment `at` (UTC)."""

    tokens: float
    at: datetime

    def fill(self, rate: float, now: datetime) -> None:
        """Fill up until `now`. A clock that goes back fills nothing and takes nothing away."""
        passed = (now - self.at).total_seconds()
        self.tokens = min(self.tokens + max(passed, 0.0) * rate, burst(rate))
        self.at = now


@dataclass(slots=True)
class LocalPace:
    """The buckets of one process, for where no other process sends."""

    buckets: dict[str, Bucket] = field(default_factory=dict)

    def take(self, sender: str, rate: float, wanted: int, now: datetime) -> int:
        """Take up to `wanted` tokens of a sender."""
        granted = max(min(wanted, self.left(sender, rate, now)), 0)
        self.buckets[sender].tokens -= granted
        return granted

    def left(self, sender: str, rate: float, now: datetime) -> int:
        """How many tokens a sender has now."""
        bucket = self.buckets.setdefault(sender, Bucket(burst(rate), now))
        bucket.fill(rate, now)
        return int(bucket.tokens)
