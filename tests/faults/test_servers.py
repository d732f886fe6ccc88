"""The servers behind us are killed and come back: PostgreSQL and Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from drip.store.engine import open_engine
from drip.store.migrate import upgrade
from tests.faults.accounts import nothing_was_lost_or_doubled
from tests.faults.station import Station
from tests.servers.postgres import OwnPostgresql
from tests.servers.redis import OwnRedis
from tests.servers.twilio_process import TwilioProcess
from tests.servers.twilio_server import Behaviour

pytestmark = pytest.mark.slow


@pytest.fixture
def own_postgresql() -> Iterator[OwnPostgresql]:
    """A PostgreSQL of the test's own, with all tables."""
    with OwnPostgresql() as server:
        engine = open_engine(server.url)
        upgrade(engine)
        engine.dispose()
        yield server


def test_a_postgresql_that_is_killed_while_sending_loses_nothing_and_doubles_nothing(
    tmp_path: Path, own_postgresql: OwnPostgresql, redis: OwnRedis, twilio: TwilioProcess
) -> None:
    station = Station(tmp_path / "clinic", own_postgresql.url, redis.url, twilio)
    try:
        twilio.behave(Behaviour(delay=0.1))
        station.beat()
        station.worker()
        for _ in range(2):
            before = twilio.count
            station.enrol(200)
            station.wait_for(lambda: twilio.count >= before + 20)  # noqa: B023
            own_postgresql.kill()
            station.engine.dispose()
            said = station.log.stat().st_size
            station.wait_for(lambda: station.log.stat().st_size > said)  # noqa: B023
            own_postgresql.start()
        before = twilio.count
        station.enrol(50)
        station.wait_for(lambda: twilio.count >= before + 50)
        station.end_all()
        station.let_time_pass()
        nothing_was_lost_or_doubled(station)
        assert station.accepted() == 450
    finally:
        station.close()


def test_a_redis_that_is_flushed_or_killed_and_empty_again_loses_nothing(
    station: Station, twilio: TwilioProcess, redis: OwnRedis
) -> None:
    twilio.behave(Behaviour(delay=0.1))
    station.beat()
    station.worker()

    def send_some() -> None:
        before = twilio.count
        station.enrol(150)
        station.wait_for(lambda: twilio.count >= before + 20)

    send_some()
    with Redis.from_url(redis.url) as client:
        client.flushall()
    send_some()
    redis.kill()
    away = station.enrol(50)
    redis.start()
    last = station.enrol(50)

    station.wait_for(lambda: {one.to for one in twilio.texts} >= {*away, *last})
    station.end_all()
    station.let_time_pass()
    nothing_was_lost_or_doubled(station)
    assert station.accepted() == 400
