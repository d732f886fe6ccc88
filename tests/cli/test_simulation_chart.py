"""Charts of any size have a few round lines, inside the plot."""

import pytest

from drip.cli.simulation_chart import HEIGHT, TOP, _grid


@pytest.mark.parametrize("top", [1, 2, 3, 7, 9, 10, 22, 95, 99, 100, 190, 249, 951, 3600, 48_000])
def test_a_grid_has_a_few_round_lines_below_the_top(top: float) -> None:
    marks = _grid(top)
    assert 1 <= len(marks) <= 4
    assert all(TOP - 0.01 <= mark.at < TOP + HEIGHT for mark in marks)
    assert len({mark.label for mark in marks}) == len(marks)


def test_an_empty_chart_has_no_lines() -> None:
    assert _grid(0) == ()
