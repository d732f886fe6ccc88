"""All workers share one pace a sender, and one turn each; Redis may be away at any time."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from redis import Redis

from drip.providers.redis_pace import RedisPace
from drip.providers.redis_turns import RedisTurns
from tests.servers.redis import redis_server

NEVER_READ = datetime(1970, 1, 1, tzinfo=UTC)
AWAY = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with redis_server() as found:
        yield found


@pytest.fixture(autouse=True)
def _empty(url: str) -> None:
    with Redis.from_url(url) as redis:
        redis.flushall()


def test_a_sender_has_a_burst_and_then_its_rate(url: str) -> None:
    pace = RedisPace.at(url)
    assert pace.left("a", 1, NEVER_READ) == 2
    assert pace.take("a", 1, 5, NEVER_READ) == 2
    assert pace.take("a", 1, 5, NEVER_READ) == 0
    assert pace.take("b", 1, 5, NEVER_READ) == 2


def test_tokens_come_back_by_the_clock_of_the_server(url: str) -> None:
    pace = RedisPace.at(url)
    assert pace.take("a", 50, 50, NEVER_READ) == 50
    with Redis.from_url(url) as redis:
        start = redis.time()
        granted = 0
        while granted < 20:
            granted += pace.take("a", 50, 20 - granted, NEVER_READ)
        end = redis.time()
    seconds = (end[0] - start[0]) + (end[1] - start[1]) / 1e6
    assert seconds >= 19 / 50, "twenty at fifty a second take four tenths of one"


def test_many_who_ask_at_once_get_no_more_than_there_is(url: str) -> None:
    granted: list[int] = []

    def ask() -> None:
        pace = RedisPace.at(url)
        granted.extend(pace.take("a", 0.001, 1, NEVER_READ) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 2


def test_a_full_bucket_is_forgotten(url: str) -> None:
    RedisPace.at(url).take("a", 10, 10, NEVER_READ)
    with Redis.from_url(url) as redis:
        (key,) = redis.keys("drip:pace:*")
        assert 1 <= redis.ttl(key) <= 2


def test_while_redis_is_away_nothing_is_granted() -> None:
    pace = RedisPace.at(AWAY)
    assert pace.take("a", 100, 5, NEVER_READ) == 0
    assert pace.left("a", 100, NEVER_READ) == 0


def test_a_turn_is_of_one_until_it_is_left_or_over(url: str) -> None:
    mine, theirs = RedisTurns.at(url), RedisTurns.at(url)
    assert mine.take("tick", 60)
    assert not theirs.take("tick", 60)
    assert theirs.take("another", 60)
    mine.leave("tick")
    assert theirs.take("tick", 0.001)
    with Redis.from_url(url) as redis:
        while redis.exists("drip:turn:tick"):
            pass
    assert mine.take("tick", 60)


def test_while_redis_is_away_it_is_everybodys_turn() -> None:
    turns = RedisTurns.at(AWAY)
    assert turns.take("tick", 60)
    assert turns.take("tick", 60)
    turns.leave("tick")
