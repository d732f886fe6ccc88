"""What all faults happen to."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.station import Station
from tests.servers.postgres import new_database
from tests.servers.redis import OwnRedis
from tests.servers.twilio_process import TwilioProcess

SOAK = os.environ.get("DRIP_TEST_SOAK")
"""A number, where there is time for thousands of sends: other moments with each number."""


@pytest.fixture
def database_url(postgresql: str, postgresql_template: str) -> Iterator[str]:
    """A database with all tables and no rows."""
    with new_database(postgresql, postgresql_template) as url:
        yield url


@pytest.fixture
def redis() -> Iterator[OwnRedis]:
    """A Redis of the test's own."""
    with OwnRedis() as redis:
        yield redis


@pytest.fixture
def twilio(tmp_path: Path) -> Iterator[TwilioProcess]:
    """A Twilio-shaped server that outlives everything."""
    with TwilioProcess(tmp_path / "texts.jsonl") as twilio:
        yield twilio


@pytest.fixture
def station(
    tmp_path: Path, database_url: str, redis: OwnRedis, twilio: TwilioProcess
) -> Iterator[Station]:
    """A station with servers, five patients who travel, and no process yet."""
    station = Station(tmp_path / "clinic", database_url, redis.url, twilio)
    try:
        station.enrol_travellers(5)
        yield station
    finally:
        station.close()


@pytest.fixture
def chance() -> random.Random:
    """Random moments, the same in each run."""
    return random.Random(SOAK or "1")
