"""How each kind of refusal is retried, against the rules that the table was written from."""

from datetime import UTC, datetime, timedelta

import pytest

from drip.core.retry import RetryKind, next_try
from drip.providers.retries import rule_of

NOW = datetime(2026, 12, 10, 14, tzinfo=UTC)


@pytest.mark.parametrize("kind", RetryKind)
def test_every_kind_has_a_rule(kind: RetryKind) -> None:
    again = next_try(rule_of(kind), NOW, 1, 0.0)
    assert again is not None
    assert again > NOW


@pytest.mark.parametrize(
    ("kind", "minutes"),
    [
        (RetryKind.AWAY, [0.5, 1, 2, 4, 8, 10, 10]),
        (RetryKind.BUSY, [1, 2, 4, 8, 16, 32, 60, 60]),
        (RetryKind.BACK_OFF, [1, 2, 4, 8, 16, 32, 60, 60]),
        (RetryKind.CONFIGURATION, [1, 2, 4, 8, 16, 32, 60, 60]),
        (RetryKind.RETRY_ONCE, [60]),
    ],
)
def test_how_long_each_kind_waits(kind: RetryKind, minutes: list[float]) -> None:
    waits = [next_try(rule_of(kind), NOW, failed, 0.0) for failed in range(1, len(minutes) + 1)]
    assert waits == [NOW + timedelta(minutes=each) for each in minutes]


def test_one_delayed_retry_and_no_more() -> None:
    assert next_try(rule_of(RetryKind.RETRY_ONCE), NOW, 2, 0.0) is None


def test_a_daily_limit_waits_for_the_providers_next_day() -> None:
    assert next_try(rule_of(RetryKind.NEXT_DAY), NOW, 1, 0.0) == datetime(2026, 12, 11, tzinfo=UTC)
