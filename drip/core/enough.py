"""How fast a sender must be: the least pace at which no text waits longer than it may."""

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from drip.core.pace import burst

LEAST = 0.01
"""The least pace that is looked at, in texts a second."""

_ROUNDING = 1e-6
"""Seconds that are lost where floating-point numbers are added."""


class Due(NamedTuple):
    """A text that waits for its sender: due at so many seconds, the lower priority first."""

    at: float
    priority: int


def enough_pace(texts: Sequence[Due], longest: float) -> float:
    """The least pace, in texts a second, at which none of these texts waits over `longest` seconds.

    Given to two significant digits, rounded up; 0 where there are no texts.
    """
    if not texts:
        return 0.0
    texts = sorted(texts)
    low = high = LEAST
    while not _is_enough(texts, high, longest):
        low, high = high, high * 2
    while high - low > high / 100:
        middle = (low + high) / 2
        if _is_enough(texts, middle, longest):
            high = middle
        else:
            low = middle
    return _rounded_up(high)


def waits(texts: Sequence[Due], rate: float) -> Iterator[float]:
    """How many seconds each of these texts, sorted, waits for a token at `rate` a second.

    The sender has rested before the first; the waits come in the order in which the texts go.
    """
    ahead = (burst(rate) - 1) / rate
    # When the bucket would be full again: a text may go as long as that is not too far ahead.
    full_at = now = texts[0].at if texts else 0.0
    waiting: list[tuple[int, float]] = []
    place = 0
    while waiting or place < len(texts):
        now = max(now if waiting else texts[place].at, now, full_at - ahead)
        while place < len(texts) and texts[place].at <= now:
            heapq.heappush(waiting, (texts[place].priority, texts[place].at))
            place += 1
        _, due_at = heapq.heappop(waiting)
        yield now - due_at
        full_at = max(now, full_at) + 1 / rate


def _is_enough(texts: Sequence[Due], rate: float, longest: float) -> bool:
    return all(wait <= longest + _ROUNDING for wait in waits(texts, rate))


def _rounded_up(pace: float) -> float:
    step: float = 10.0 ** (math.floor(math.log10(pace)) - 1)
    return round(math.ceil(pace / step - 1e-9) * step, 6)
