"""The same sender on Celery and Redis: what is due is claimed once a second and handed to workers.

Redis carries batches of ids for seconds and never the future: the row in `deliveries` is the only
record of what is to be sent. Whatever Redis loses is claimed again when its lease lapses.
"""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from kombu.entity import Queue

from drip.config import Settings, read_settings
from drip.core.schedule import Channel
from drip.errors import SettingsError
from drip.worker.ticking import TICK
from drip.worker.transport import TRANSPORT

RECEIPTS = "receipts"
MAINTENANCE = "maintenance"
QUEUES = (*(channel.value for channel in Channel), RECEIPTS, MAINTENANCE)
"""Every queue: one a channel, so that slow emails do not hold up texts, one for what providers
say later, and one for the rest."""

VISIBILITY = 3600
"""Seconds after which Redis hands an unfinished task to another worker."""


def make_celery(settings: Settings) -> Celery:
    """A Celery application on the Redis of the settings. Raises SettingsError without one."""
    if settings.redis_url is None:
        raise SettingsError("DRIP_REDIS_URL is not set: `drip run` needs none, Celery does.")
    app = Celery("drip", broker=settings.redis_url.reveal(), include=["drip.worker.tasks"])
    app.conf.update(_CONFIG)
    return app


def _every(seconds: float, task: str, expires: float = 5) -> dict[str, Any]:
    # A tick that has waited longer than until the next one is of no use any more.
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, expires)}}


_CONFIG: dict[str, Any] = {
    "task_queues": [Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
    "task_create_missing_queues": False,
    "task_default_queue": MAINTENANCE,
    "task_routes": {
        "drip.tick": {"queue": MAINTENANCE},
        "drip.rescue": {"queue": MAINTENANCE},
        "drip.expire": {"queue": MAINTENANCE},
        "drip.digest": {"queue": MAINTENANCE},
        "drip.settle": {"queue": RECEIPTS},
        "drip.poll": {"queue": RECEIPTS},
        "drip.answer": {"queue": Channel.SMS.value},
        "drip.alarm": {"queue": MAINTENANCE},
    },
    "beat_schedule": {
        "tick": _every(TICK, "drip.tick"),
        "rescue": _every(10, "drip.rescue"),
        "settle": _every(30, "drip.settle"),
        "poll": _every(300, "drip.poll"),
        "expire": _every(30, "drip.expire"),
        "digest": _every(300, "drip.digest"),
        # It may stand behind batches of texts, and must not die there.
        "answer": _every(2, "drip.answer", expires=300),
        "alarm": _every(30, "drip.alarm"),
    },
    # A worker that dies gives its batch to another one, which finds the rows taken or free.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "task_ignore_result": True,
    "task_time_limit": 600,
    "task_serializer": "json",
    "accept_content": ["json"],
    "timezone": "UTC",
    "worker_hijack_root_logger": False,
    "broker_transport": TRANSPORT,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": {
        "visibility_timeout": VISIBILITY,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
    },
}


def from_environment() -> Celery:
    """The application that the environment and the present folder describe."""
    return make_celery(read_settings(os.environ, Path()))
