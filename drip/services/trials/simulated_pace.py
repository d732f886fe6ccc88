"""A sender's pace on a clock that jumps over stretches in which texts wait all along."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from drip.core.pace import LocalPace

_MINUTE = timedelta(minutes=1)


def longest_jump(now: datetime) -> timedelta:
    """How far the clock jumps while texts wait: to the last second of a minute.

    With the minute a send window may close. What had its token by then has gone out.
    """
    last_second = now.replace(second=59, microsecond=0)
    return last_second - now if now < last_second else last_second + _MINUTE - now


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which texts waited for the pace all along, from `start` to `end` (UTC).

    `ready` of them had their token at the start; the others got theirs one by one.
    """

    start: datetime
    end: datetime
    ready: int = 0

    def token_at(self, number: int, rate: float) -> datetime:
        """When the text of this number, counted from 1, has its token at `rate` a second."""
        waited = timedelta(seconds=max(number - self.ready, 0) / rate)
        return min(self.start + waited, self.end)


class JumpingPace(LocalPace):
    """The buckets of a LocalPace, which also know what a stretch of waiting let through.

    A full bucket takes no more tokens. While texts wait it never is full: each token is taken as
    it comes. Looked at once at the end of such a stretch, the bucket must have them all.
    """

    def left(self, sender: str, rate: float, now: datetime) -> int:
        """How many tokens a sender has now."""
        bucket = self.buckets.get(sender)
        if bucket is not None and bucket.at == now:
            return int(bucket.tokens)
        return super().left(sender, rate, now)

    def wait(
        self, sender: str, rate: float, waiting: int, now: datetime, most: timedelta
    ) -> Stretch:
        """Let time pass from `now` on until all that wait have a token, or up to `most`.

        There is one token more at least, however long that takes.
        """
        ready = self.left(sender, rate, now)
        tokens = min(waiting - ready, int(rate * most.total_seconds()))
        if waiting <= ready:
            return Stretch(now, now, ready)
        tokens = max(tokens, 1)
        bucket = self.buckets[sender]
        bucket.tokens += tokens
        bucket.at = now + timedelta(seconds=tokens / rate)
        return Stretch(now, bucket.at, ready)
