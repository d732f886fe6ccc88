"""Turns: of many processes that would do the same now, one does it.

It only saves work. Whatever takes a turn is safe to be done twice at once, and where Redis
cannot say whose turn it is, everybody goes.
"""

import structlog
from redis import Redis, RedisError

log = structlog.get_logger(__name__)

_PREFIX = "drip:turn:"
_SECONDS_TO_ANSWER = 1


class RedisTurns:
    """Turns that all workers share; each is held for a time that is given with it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @classmethod
    def at(cls, url: str) -> "RedisTurns":
        """The turns in the Redis of this address; connects when it is first asked."""
        wait = _SECONDS_TO_ANSWER
        return cls(Redis.from_url(url, socket_timeout=wait, socket_connect_timeout=wait))

    def take(self, name: str, seconds: float) -> bool:
        """Whether this is ours for so long, unless we `leave` it: nobody else has it."""
        try:
            taken = self._redis.set(_PREFIX + name, 1, nx=True, px=max(int(seconds * 1000), 1))
        except RedisError as error:
            log.warning("turns.away", error=type(error).__name__)
            return True
        return bool(taken)

    def leave(self, name: str) -> None:
        """Let the next one have it."""
        try:
            self._redis.delete(_PREFIX + name)
        except RedisError as error:
            log.warning("turns.away", error=type(error).__name__)
