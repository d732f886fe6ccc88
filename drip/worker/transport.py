"""Kombu's way to Redis, mended: a worker outlives the loss of Redis with a batch in hand.

As it comes, the transport ends the worker with an AttributeError when it gives back or
acknowledges a task over a connection that was just given up. Here that is what it is: a
connection that was lost, which the worker waits for.
"""

from typing import Any

from kombu.transport import redis as kombu_redis
from redis import ConnectionError as RedisConnectionError

TRANSPORT = f"{__name__}:Transport"
"""The name of the transport, for Celery's setting `broker_transport`."""


class Channel(kombu_redis.Channel):
    """A channel that knows when its connection was given up."""

    def _connparams(self, asynchronous: bool = False) -> Any:  # noqa: FBT001 - Kombu's
        if self.connection.client is None:
            raise RedisConnectionError("The connection to Redis was lost.")
        return super()._connparams(asynchronous)  # type: ignore[no-untyped-call]


class Transport(kombu_redis.Transport):
    """Kombu's transport with that channel."""

    Channel = Channel
