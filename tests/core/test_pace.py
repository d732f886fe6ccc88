"""A sender hands over no more than its rate allows, and loses nothing of what it is allowed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.pace import RATES, LocalPace, burst

NOW = datetime(2026, 12, 1, 15, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_the_rates_are_those_of_the_carriers() -> None:
    assert (RATES["long-code"], RATES["toll-free"], RATES["short-code"]) == (1, 3, 100)


def test_a_rested_sender_may_hand_over_a_burst_and_then_keeps_its_rate() -> None:
    pace = LocalPace()
    assert pace.take("a", 3, 10, NOW) == 3
    assert pace.take("a", 3, 10, NOW) == 0
    assert pace.take("a", 3, 10, NOW + SECOND) == 3
    assert pace.take("a", 3, 10, NOW + timedelta(hours=1)) == 3


def test_what_is_left_is_not_taken_by_looking() -> None:
    pace = LocalPace()
    assert [pace.left("a", 1, NOW) for _ in range(3)] == [2, 2, 2]
    assert pace.take("a", 1, 1, NOW) == 1
    assert pace.left("a", 1, NOW) == 1


def test_senders_do_not_slow_down_each_other() -> None:
    pace = LocalPace()
    pace.take("a", 1, 10, NOW)
    assert pace.take("b", 1, 10, NOW) == 2


@pytest.mark.parametrize("wanted", [0, -3])
def test_nothing_is_taken_where_nothing_is_wanted(wanted: int) -> None:
    pace = LocalPace()
    assert pace.take("a", 1, wanted, NOW) == 0
    assert pace.left("a", 1, NOW) == 2


@given(
    rate=st.floats(0.1, 500),
    asked=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 50)), max_size=60),
)
def test_over_any_time_no_more_goes_than_a_burst_and_the_rate(
    rate: float, asked: list[tuple[float, int]]
) -> None:
    pace, now, taken = LocalPace(), NOW, 0
    for wait, wanted in asked:
        now += timedelta(seconds=wait)
        granted = pace.take("a", rate, wanted, now)
        assert 0 <= granted <= wanted
        taken += granted
        assert taken <= burst(rate) + (now - NOW).total_seconds() * rate + 1e-6


def test_a_clock_that_goes_back_grants_nothing_for_it() -> None:
    pace = LocalPace()
    assert pace.take("a", 1, 2, NOW) == 2
    assert pace.take("a", 1, 2, NOW - 60 * SECOND) == 0
    assert pace.take("a", 1, 2, NOW - 59 * SECOND) == 1
