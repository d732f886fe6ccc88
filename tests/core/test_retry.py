"""When to try again after a provider did not take a message."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.retry import retry_at

NOW = datetime(2026, 12, 10, 14, tzinfo=UTC)

WAITS = [
    # what, attempts, jitter, asked for (seconds), wait (minutes)
    ("after the first try", 1, 0.0, None, 1),
    ("after the second", 2, 0.0, None, 2),
    ("after the third", 3, 0.0, None, 4),
    ("after the sixth", 6, 0.0, None, 32),
    ("an hour at the most", 7, 0.0, None, 60),
    ("however many tries", 10_000, 0.0, None, 60),
    ("with jitter up to a quarter more", 1, 0.5, None, 1.125),
    ("longer where the provider asks for it", 1, 0.0, 600, 10),
    ("no shorter where the provider would allow it", 3, 0.0, 1, 4),
    ("longer than an hour where the provider asks for it", 1, 0.0, 7200, 120),
    ("jitter on what the provider asks for", 1, 0.4, 600, 11),
]


@pytest.mark.parametrize(
    ("attempts", "jitter", "after", "minutes"), [r[1:] for r in WAITS], ids=[r[0] for r in WAITS]
)
def test_waits_double(attempts: int, jitter: float, after: float | None, minutes: float) -> None:
    assert retry_at(NOW, attempts, jitter, after) - NOW == timedelta(minutes=minutes)


jitters = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10**6), jitters, st.none() | st.floats(0, 86_400))
def test_a_wait_is_bounded(attempts: int, jitter: float, after: float | None) -> None:
    wait = retry_at(NOW, attempts, jitter, after) - NOW
    asked = timedelta(seconds=after or 0)
    assert max(timedelta(minutes=1), asked) <= wait
    assert wait < max(timedelta(hours=1), asked) * 1.25 + timedelta(microseconds=1)


@given(st.integers(1, 50), jitters)
def test_a_wait_does_not_become_shorter(attempts: int, jitter: float) -> None:
    assert retry_at(NOW, attempts, jitter) <= retry_at(NOW, attempts + 1, jitter)
