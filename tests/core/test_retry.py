"""When to try again after a provider did not take a message."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.retry import RetryKind, RetryRule, next_try

NOW = datetime(2026, 12, 10, 14, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BACK_OFF = RetryRule(MINUTE, 2, HOUR)
ONCE = RetryRule(HOUR, tries=1)
NEXT_DAY = RetryRule(15 * MINUTE, next_day=True)

WAITS = [
    # what, rule, failed, jitter, asked for (seconds), wait (minutes)
    ("after the first try", BACK_OFF, 1, 0.0, None, 1),
    ("after the second", BACK_OFF, 2, 0.0, None, 2),
    ("after the third", BACK_OFF, 3, 0.0, None, 4),
    ("after the sixth", BACK_OFF, 6, 0.0, None, 32),
    ("an hour at the most", BACK_OFF, 7, 0.0, None, 60),
    ("however many tries", BACK_OFF, 10_000, 0.0, None, 60),
    ("with jitter up to a quarter more", BACK_OFF, 1, 0.5, None, 1.125),
    ("longer where the provider asks for it", BACK_OFF, 1, 0.0, 600, 10),
    ("no shorter where the provider would allow it", BACK_OFF, 3, 0.0, 1, 4),
    ("longer than an hour where the provider asks for it", BACK_OFF, 1, 0.0, 7200, 120),
    ("jitter on what the provider asks for", BACK_OFF, 1, 0.4, 600, 11),
    ("never longer than a day, whatever is asked for", BACK_OFF, 1, 0.0, 1e9, 1440),
    ("a delayed retry", ONCE, 1, 0.0, None, 60),
    ("until the provider's day ends", NEXT_DAY, 1, 0.0, None, 600),
    ("spread over the first minutes of the next day", NEXT_DAY, 1, 0.4, None, 606),
    ("past the day's end where the provider asks for it", NEXT_DAY, 1, 0.0, 39_600, 660),
]


@pytest.mark.parametrize(
    ("rule", "failed", "jitter", "after", "minutes"),
    [row[1:] for row in WAITS],
    ids=[row[0] for row in WAITS],
)
def test_how_long_is_waited(
    rule: RetryRule, failed: int, jitter: float, after: float | None, minutes: float
) -> None:
    again = next_try(rule, NOW, failed, jitter, after)
    assert again == NOW + timedelta(minutes=minutes)


def test_after_its_tries_it_is_given_up() -> None:
    assert next_try(ONCE, NOW, 2, 0.0) is None
    assert next_try(RetryRule(MINUTE, tries=0), NOW, 1, 0.0) is None


@pytest.mark.parametrize(
    ("first", "factor", "longest", "tries"),
    [(0, 2, 60, None), (120, 2, 60, None), (60, 0.5, 60, None), (60, 2, 60, -1)],
)
def test_a_rule_that_cannot_be_kept_is_refused(
    first: int, factor: float, longest: int, tries: int | None
) -> None:
    with pytest.raises(ValueError, match="a retry"):
        RetryRule(timedelta(seconds=first), factor, timedelta(seconds=longest), tries)


def test_only_what_concerns_everybody_counts_against_the_provider() -> None:
    assert {kind for kind in RetryKind if kind.concerns_all} == {RetryKind.AWAY, RetryKind.BUSY}


jitters = st.floats(0, 1, exclude_max=True)
seconds = st.integers(1, 86_400).map(lambda s: timedelta(seconds=s))
rules = st.builds(
    lambda a, b, factor: RetryRule(min(a, b), factor, max(a, b)),
    seconds,
    seconds,
    st.floats(1, 10),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(rules, st.integers(1, 10**6), jitters, st.none() | st.floats(0, 86_400))
def test_a_wait_is_bounded(
    rule: RetryRule, failed: int, jitter: float, after: float | None
) -> None:
    again = next_try(rule, NOW, failed, jitter, after)
    assert again is not None
    asked = timedelta(seconds=after or 0)
    assert max(rule.first, asked) <= again - NOW
    assert again - NOW <= max(rule.longest, asked) * 1.25 + timedelta(microseconds=1)


@given(rules, st.integers(1, 50), jitters)
def test_a_wait_does_not_become_shorter(rule: RetryRule, failed: int, jitter: float) -> None:
    sooner, later = (next_try(rule, NOW, failed + more, jitter) for more in (0, 1))
    assert sooner is not None
    assert later is not None
    assert sooner <= later


@given(moments, jitters)
def test_the_next_day_begins_within_a_day_and_never_today(now: datetime, jitter: float) -> None:
    again = next_try(NEXT_DAY, now, 1, jitter)
    assert again is not None
    assert again.date() == (now + timedelta(days=1)).date()
    assert again - again.replace(hour=0, minute=0, second=0, microsecond=0) <= 15 * MINUTE


@given(rules, st.integers(0, 20), st.integers(1, 40))
def test_a_rule_with_tries_gives_up_after_them_and_not_before(
    rule: RetryRule, tries: int, failed: int
) -> None:
    limited = RetryRule(rule.first, rule.factor, rule.longest, tries)
    assert (next_try(limited, NOW, failed, 0.0) is None) == (failed > tries)
