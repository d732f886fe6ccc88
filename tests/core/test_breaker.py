"""A provider that is away is left alone for a while, and then asked gently."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.breaker import (
    FAILURES,
    LONGEST,
    PATIENCE,
    PROBE_SOON,
    SHORTEST,
    Breaker,
    BreakerState,
)
from drip.core.outgoing import Accepted, Answer, Rejected, Retry, Unknown
from drip.core.retry import RetryKind

NOW = datetime(2026, 12, 10, 14, tzinfo=UTC)
SECOND = timedelta(seconds=1)
AWAY = Retry("connect", kind=RetryKind.AWAY)


def opened(at: datetime = NOW) -> Breaker:
    breaker = Breaker()
    breaker.heard([AWAY] * FAILURES, at)
    return breaker


def test_all_may_go_at_first() -> None:
    breaker = Breaker()
    assert breaker.allows(NOW) is None
    assert breaker.opens_again(NOW) == NOW
    assert breaker.state(NOW) is BreakerState.CLOSED


@pytest.mark.parametrize(
    "answer",
    [AWAY, Retry("20429", kind=RetryKind.BUSY), Unknown("Twilio answered with HTTP 500")],
    ids=["no connection", "too many requests", "no answer"],
)
def test_it_opens_after_enough_answers_in_a_row_that_say_so(answer: Answer) -> None:
    breaker = Breaker()
    breaker.heard([answer] * (FAILURES - 1), NOW)
    assert breaker.allows(NOW) is None
    breaker.heard([answer], NOW)
    assert breaker.allows(NOW) == 0
    assert breaker.opens_again(NOW) == NOW + SHORTEST


@pytest.mark.parametrize(
    "answer",
    [
        Accepted("SM1"),
        Rejected("21211", address_is_bad=True),
        Retry("21611", kind=RetryKind.BACK_OFF),
        Retry("63038", kind=RetryKind.NEXT_DAY),
    ],
    ids=["taken", "refused", "queue full", "daily limit"],
)
def test_an_answer_about_one_number_or_sender_shows_that_it_is_there(answer: Answer) -> None:
    breaker = Breaker()
    breaker.heard([answer] * 100, NOW)
    breaker.heard([AWAY] * (FAILURES - 1), NOW)
    breaker.heard([answer], NOW)
    breaker.heard([AWAY] * (FAILURES - 1), NOW)
    assert breaker.allows(NOW) is None


def test_once_its_time_is_over_one_delivery_goes_as_a_probe() -> None:
    breaker = opened()
    assert breaker.allows(NOW + SHORTEST - SECOND) == 0
    again = NOW + SHORTEST
    assert [breaker.allows(again) for _ in range(3)] == [1, 0, 0]
    assert breaker.state(again) is BreakerState.HALF_OPEN
    assert breaker.opens_again(again) == again + PROBE_SOON


def test_a_probe_that_is_answered_closes_it() -> None:
    breaker = opened()
    again = NOW + SHORTEST
    breaker.allows(again)
    breaker.heard([Accepted("SM1")], again + SECOND)
    assert breaker.allows(again + SECOND) is None
    breaker.heard([AWAY] * FAILURES, again + SECOND)
    assert breaker.opens_again(again + SECOND) == again + SECOND + SHORTEST


def test_each_probe_in_vain_doubles_its_time_up_to_ten_minutes() -> None:
    breaker, now, waits = opened(), NOW, []
    for _ in range(8):
        again = breaker.opens_again(now)
        waits.append((again - now).total_seconds())
        now = again
        assert breaker.allows(now) == 1
        breaker.heard([AWAY], now)
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]


def test_late_failures_of_an_earlier_batch_do_not_keep_it_open_for_longer() -> None:
    breaker = opened()
    breaker.heard([AWAY] * 50, NOW + 10 * SECOND)
    assert breaker.allows(NOW + SHORTEST) == 1


def test_a_probe_that_never_comes_back_is_followed_by_another() -> None:
    breaker = opened()
    again = NOW + SHORTEST
    assert breaker.allows(again) == 1
    assert breaker.allows(again + PATIENCE - SECOND) == 0
    assert breaker.allows(again + PATIENCE) == 1


def test_a_clock_that_is_set_back_does_not_keep_it_open_for_an_hour() -> None:
    breaker = opened()
    back = NOW - timedelta(hours=1)
    assert breaker.opens_again(back) == back + SHORTEST
    assert breaker.allows(back + SHORTEST) == 1
    further = back - timedelta(hours=1)
    assert breaker.allows(further) == 0
    assert breaker.allows(further + SHORTEST + PATIENCE) == 1


answers = st.sampled_from([AWAY, Unknown("?"), Accepted("SM1"), Rejected("21211")])
steps = st.lists(st.tuples(st.integers(-900, 900), st.lists(answers, max_size=8)), max_size=40)


@given(steps)
def test_it_never_stays_shut_for_longer_than_its_longest_time(
    steps: list[tuple[int, list[Answer]]],
) -> None:
    breaker, now = Breaker(), NOW
    for seconds, heard in steps:
        now += timedelta(seconds=seconds)
        assert breaker.allows(now) in (None, 0, 1)
        assert now <= breaker.opens_again(now) <= now + LONGEST
        breaker.heard(heard, now)
    assert breaker.allows(now + LONGEST + PATIENCE) != 0


@given(steps)
def test_it_closes_with_any_word_of_a_provider_that_is_there(
    steps: list[tuple[int, list[Answer]]],
) -> None:
    breaker, now = Breaker(), NOW
    for seconds, heard in steps:
        now += timedelta(seconds=seconds)
        breaker.heard(heard, now)
    breaker.heard([Accepted("SM1")], now)
    assert breaker.allows(now) is None
