"""The pace of all senders in Redis, for as many processes as there are."""

import time
from datetime import datetime
from typing import cast

import structlog
from redis import Redis, RedisError

from drip.core.pace import burst

log = structlog.get_logger(__name__)

_PREFIX = "drip:pace:"
_SECONDS_TO_ANSWER = 1

# The server's clock counts: those of the workers may differ.
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local rate, most, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]) or most, tonumber(kept[2]) or now
tokens = math.min(tokens + math.max(now - at, 0) * rate, most)
local granted = math.max(math.min(wanted, math.floor(tokens)), 0)
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens - granted),
    'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(most / rate) + 1)
return {granted, math.floor(tokens)}
"""


class RedisPace:
    """Token buckets that all workers share; a bucket that nobody asks for is forgotten when full.

    While Redis is away nothing is granted: what was claimed is given back and waits. A Redis
    that starts empty has full buckets, which is one burst a sender.
    """

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(_TAKE)
        self._away_until = 0.0

    @classmethod
    def at(cls, url: str) -> "RedisPace":
        """The pace in the Redis of this address; connects when it is first asked."""
        return cls(
            Redis.from_url(
                url,
                socket_timeout=_SECONDS_TO_ANSWER,
                socket_connect_timeout=_SECONDS_TO_ANSWER,
            )
        )

    def take(self, sender: str, rate: float, wanted: int, now: datetime) -> int:
        """Take up to `wanted` tokens of a sender, by the server's clock; `now` is not used."""
        return self._ask(sender, rate, wanted)[0]

    def left(self, sender: str, rate: float, now: datetime) -> int:
        """How many tokens a sender has, by the server's clock; `now` is not used."""
        return self._ask(sender, rate, 0)[1]

    def _ask(self, sender: str, rate: float, wanted: int) -> tuple[int, int]:
        """How many of the wanted tokens were granted, and how many there were before."""
        if time.monotonic() < self._away_until:
            return 0, 0
        try:
            answer = self._take(keys=[_PREFIX + sender], args=[rate, burst(rate), wanted])
        except RedisError as error:
            # Not asked again for each sender of a batch: addresses are locked meanwhile.
            self._away_until = time.monotonic() + _SECONDS_TO_ANSWER
            log.warning("pace.away", error=type(error).__name__)
            return 0, 0
        granted, left = cast("tuple[int, int]", answer)
        return granted, left
