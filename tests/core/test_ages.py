"""How long ago something was, as people say it."""

from datetime import timedelta

import pytest

from drip.core.ages import age_said


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=1, hours=23), "1 day"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=40), "40 days"),
    ],
)
def test_an_age_is_said_in_its_largest_whole_unit(age: timedelta, said: str) -> None:
    assert age_said(age) == said
