"""The Redis that batches pass through: how long its queues are, and when the last tick was.

Nothing relies on it: Redis may be away, or empty, at any time.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

_LAST_TICK = "drip:last-tick"
_PATIENCE = 1.0
"""Seconds after which Redis counts as away."""


@dataclass(frozen=True, slots=True)
class Queued:
    """What Redis holds: batches by queue, and when somebody last looked for what is due (UTC)."""

    depths: dict[str, int]
    last_tick: datetime | None


class Broker:
    """A Redis at `url` with these queues. Not shared by processes: make one after a fork."""

    def __init__(self, url: str, queues: Sequence[str]) -> None:
        self._url = url
        self._queues = tuple(queues)

    def look(self) -> Queued | None:
        """What is in the queues; None while Redis is away."""
        from redis.exceptions import RedisError

        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.get(_LAST_TICK)
                for queue in self._queues:
                    pipeline.llen(queue)
                last_tick, *depths = pipeline.execute()
        except (RedisError, OSError):
            return None
        return Queued(dict(zip(self._queues, map(int, depths), strict=True)), _read(last_tick))

    def note_tick(self, now: datetime) -> None:
        """Note that somebody looked for what is due at `now` (UTC)."""
        from redis.exceptions import RedisError

        with suppress(RedisError, OSError):
            self._redis.set(_LAST_TICK, now.isoformat())

    def close(self) -> None:
        """End the connection."""
        self._redis.close()

    @cached_property
    def _redis(self) -> "Redis":
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return Redis.from_url(
            self._url,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
            retry=Retry(NoBackoff(), 1),
        )


def _read(kept: bytes | None) -> datetime | None:
    try:
        return datetime.fromisoformat(kept.decode()) if kept is not None else None
    except ValueError:
        return None
