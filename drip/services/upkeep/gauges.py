"""What is looked up whenever Prometheus asks: the backlog in the database, the queues in Redis."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Engine

from drip.clock import Clock
from drip.errors import StoreError
from drip.providers.redis_queues import Broker
from drip.services import metrics
from drip.services.answers.crisis import KIND
from drip.store import figures, tasks
from drip.store.engine import reading

if TYPE_CHECKING:
    from prometheus_client import Metric

log = structlog.get_logger(__name__)


class Gauges:
    """A collector for a registry of prometheus_client, of all clinics together.

    What cannot be reached is left out and said by `drip_database_up` and `drip_redis_up`. No
    connection to the database is kept: the process may fork.
    """

    def __init__(self, engine: Engine, clock: Clock, broker: Broker | None) -> None:
        self._engine, self._clock, self._broker = engine, clock, broker

    def collect(self) -> Iterator["Metric"]:
        """Every gauge, as it is now."""
        now = self._clock()
        yield from self._of_database(now)
        yield from self._of_redis(now)

    def _of_database(self, now: datetime) -> Iterator["Metric"]:
        try:
            with reading(self._engine) as session:
                found = figures.backlog(session, now)
                open_tasks, _ = figures.open_tasks(session)
                crises = tasks.count_open(session, KIND)
        except StoreError as error:
            log.warning("metrics.without_database", what=str(error))
            found = None
        finally:
            self._engine.dispose()
        yield _one("drip_database_up", "Whether the database can be read.", found is not None)
        if found is None:
            return
        yield _one(
            "drip_due_lag_seconds",
            "How long the oldest due delivery has waited to be claimed.",
            found.lag(now).total_seconds(),
        )
        yield _each(
            "drip_deliveries",
            "Deliveries that are not done with, by where they stand; due ones are scheduled.",
            "status",
            {
                "due": found.due,
                "claimed": found.claimed,
                "sending": found.sending,
                "held": found.held,
                "unknown": found.unknown,
            },
        )
        yield _one(
            "drip_unknown_oldest_seconds",
            "How long ago the oldest delivery with an unknown outcome was handed over.",
            _age(found.oldest_unknown, now),
        )
        yield _one("drip_tasks_open", "Tasks that wait for staff.", open_tasks)
        yield _one("drip_crisis_cases_open", "Cases of crisis that are open.", crises)

    def _of_redis(self, now: datetime) -> Iterator["Metric"]:
        last_tick = metrics.last_tick()
        if self._broker is not None:
            queued = self._broker.look()
            yield _one("drip_redis_up", "Whether Redis can be read.", queued is not None)
            if queued is not None:
                help_text = "Batches that wait in Redis, by queue."
                yield _each("drip_queue_depth", help_text, "queue", queued.depths)
                last_tick = queued.last_tick or last_tick
        if last_tick is not None:
            help_text = "How long ago somebody last looked for what is due."
            yield _one("drip_tick_age_seconds", help_text, _age(last_tick, now))


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max((now - moment).total_seconds(), 0.0)


def _one(name: str, help_text: str, value: float) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, help_text, value)


def _each(name: str, help_text: str, label: str, values: dict[str, int]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
