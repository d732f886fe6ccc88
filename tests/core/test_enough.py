"""What pace is enough, and how long texts wait at one."""

import pytest

from drip.core.enough import Due, enough_pace, waits


def at_once(count: int, priority: int = 1) -> list[Due]:
    return [Due(0, priority)] * count


def test_no_texts_need_no_pace() -> None:
    assert enough_pace([], 300) == 0


def test_a_rested_sender_sends_two_at_once_and_then_one_a_second() -> None:
    assert list(waits(at_once(5), 1)) == pytest.approx([0, 0, 1, 2, 3])


def test_a_short_code_sends_its_first_second_at_once() -> None:
    assert max(waits(at_once(100), 100)) == pytest.approx(0)


def test_what_is_more_important_goes_first_and_the_rest_waits_longer() -> None:
    texts = [Due(0, 2), Due(0, 2), Due(0, 2), Due(0.5, 0)]
    assert list(waits(texts, 1)) == pytest.approx([0, 0, 0.5, 2])


def test_a_pause_lets_the_sender_rest() -> None:
    texts = [*at_once(3), Due(100, 1), Due(100, 1)]
    assert list(waits(texts, 1)) == pytest.approx([0, 0, 1, 0, 0])


@pytest.mark.parametrize(("count", "pace"), [(302, 1.0), (602, 2.0), (1100, 3.7), (2, 0.01)])
def test_the_pace_is_the_least_that_is_enough_in_two_digits(count: int, pace: float) -> None:
    found = enough_pace(at_once(count), 300)
    assert found <= pace
    assert max(waits(at_once(count), found)) <= 300.001
    if count > 2:
        assert found == pace
        assert max(waits(at_once(count), pace * 0.95)) > 300
