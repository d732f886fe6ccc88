"""What is looked up when Prometheus asks."""

import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine

from drip.core.delivery import Status
from drip.core.outgoing import Unknown
from drip.providers.redis_queues import Broker
from drip.services.upkeep.gauges import Gauges
from drip.store import figures
from drip.store.engine import open_engine, reading
from tests.servers.redis import redis_server
from tests.services.desk import HOUR, MINUTE, NOW, Desk
from tests.services.test_metrics import samples

pytestmark = pytest.mark.both_databases


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


def look(
    engine: Engine, broker: Broker | None = None, after: timedelta = MINUTE
) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(Gauges(engine, lambda: NOW + after, broker))
    return samples(generate_latest(registry).decode())


def test_a_clinic_without_patients_has_zeros(desk: Desk) -> None:
    assert look(desk.engine) == {
        "drip_database_up": 1,
        "drip_due_lag_seconds": 0,
        **{
            f'drip_deliveries{{status="{status}"}}': 0
            for status in ("due", "claimed", "sending", "held", "unknown")
        },
        "drip_unknown_oldest_seconds": 0,
        "drip_tasks_open": 0,
        "drip_crisis_cases_open": 0,
    }


def test_the_backlog_is_counted_by_where_it_stands(desk: Desk) -> None:
    desk.enroll_many(range(1, 4))
    found = look(desk.engine)
    assert found['drip_deliveries{status="due"}'] == 6
    assert found["drip_due_lag_seconds"] == 60
    claim = desk.sender.claim(NOW)
    assert len(claim.ids) == 6
    found = look(desk.engine)
    assert found['drip_deliveries{status="due"}'] == 0
    assert found['drip_deliveries{status="claimed"}'] == 6
    assert found["drip_due_lag_seconds"] == 0
    desk.sender.prepare(claim, NOW)
    assert look(desk.engine)['drip_deliveries{status="sending"}'] == 6


def test_an_unknown_outcome_ages_from_its_hand_over_however_often_it_is_asked_for(
    desk: Desk,
) -> None:
    desk.email.answer = lambda *_: Unknown("silence")
    desk.email.knows = lambda _: Unknown("silence")
    desk.enroll()
    desk.send_all(NOW)
    desk.keep_house(NOW + HOUR)
    found = look(desk.engine, after=2 * HOUR)
    assert found['drip_deliveries{status="unknown"}'] == 1
    assert found["drip_unknown_oldest_seconds"] == 7200
    assert found["drip_tasks_open"] == 1


def test_figures_of_one_clinic_leave_out_those_of_another(desk: Desk) -> None:
    desk.enroll()
    with reading(desk.engine) as session:
        ours = figures.backlog(session, NOW, desk.scope.clinic_id)
        others = figures.backlog(session, NOW, desk.scope.clinic_id + 1)
    assert (ours.due, others.due) == (2, 0)
    assert (ours.next_due_at, others.next_due_at) == (NOW, None)
    assert desk.counts()[Status.SCHEDULED] > 2


def test_the_queues_and_the_last_tick_come_from_redis(desk: Desk, redis_url: str) -> None:
    broker = Broker(redis_url, ("sms", "email"))
    found = look(desk.engine, broker)
    assert found["drip_redis_up"] == 1
    assert found['drip_queue_depth{queue="sms"}'] == 0
    assert "drip_tick_age_seconds" not in found
    broker._redis.rpush("sms", "one", "two")
    broker.note_tick(NOW + MINUTE / 2)
    found = look(desk.engine, broker)
    assert found['drip_queue_depth{queue="sms"}'] == 2
    assert found["drip_tick_age_seconds"] == 30
    broker._redis.flushall()
    broker.close()


def test_what_is_away_is_said_and_the_rest_is_shown(desk: Desk) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
        broker = Broker(f"redis://{nowhere}/0", ("sms",))
        found = look(desk.engine, broker)
        assert found["drip_redis_up"] == 0
        assert found["drip_database_up"] == 1
        broker.note_tick(NOW)  # does no harm
        gone = open_engine(f"postgresql://drip@{nowhere}/drip?connect_timeout=2")
        assert look(gone, broker) == {"drip_database_up": 0, "drip_redis_up": 0}
