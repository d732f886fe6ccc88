"""Where the bars and lines of a simulation's charts stand.

Across, everything is in per cent of the chart's width, so that a chart fits a phone and its words
keep their size; downwards, in pixels.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from drip.cli.simulation_words import hour_said, number
from drip.services.trials.simulation_report import Queue, Report

HEIGHT = 200
"""Of the plot, in pixels."""
TOP = 10
"""Room above it, for half of the highest number."""
_PACE_SHOWN = 4
"""The pace has a line of its own where it is not more than so many times the highest bar."""
_MOST_LABELS = 5
_ROUND_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
_LAST_LABEL = 90
"""In per cent of the width: a label that begins further to the right finds no room."""


class Bar(NamedTuple):
    """A bar: where it begins and how wide it is across, its top and height, and what it says."""

    x: float
    width: float
    y: float
    height: float
    says: str = ""


class Mark(NamedTuple):
    """A place on an axis and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars before one another, or a line as the points of an SVG polygon; and the axes."""

    back: tuple[Bar, ...]
    front: tuple[Bar, ...]
    grid: tuple[Mark, ...]
    ticks: tuple[Mark, ...]
    area: str = ""
    line: str = ""
    pace_y: float | None = None

    @property
    def bottom(self) -> int:
        """Where the bars stand."""
        return TOP + HEIGHT

    @property
    def margin(self) -> int:
        """How many digits the numbers beside the chart need room for."""
        return max((len(mark.label) for mark in self.grid), default=0) + 1


def by_hour(made: Report) -> Chart:
    """Texts by the hour of the day: the busiest day behind, an ordinary one before it."""
    days = sum(day.texts > 0 for day in made.by_day) or 1
    most = max((hour.most for hour in made.hours), default=0)
    with_pace = made.allowed <= _PACE_SHOWN * most
    top = max(most, made.allowed) if with_pace else most
    pace_y = _y(made.allowed, top) if with_pace else None
    says = [f"{hour_said(h.hour)}: up to {number(h.most)} texts" for h in made.hours]
    slots = _slots(len(made.hours))
    return Chart(
        back=_bars(slots, [hour.most for hour in made.hours], top, 0.12, says),
        front=_bars(slots, [hour.texts / days for hour in made.hours], top, 0.12, says),
        grid=_grid(top),
        ticks=tuple(
            Mark((left + right) / 2, f"{hour.hour}")
            for (left, right), hour in zip(slots, made.hours, strict=True)
        ),
        pace_y=pace_y,
    )


def by_day(made: Report) -> Chart:
    """What went out each day: emails on top of texts."""
    days = made.by_day
    top = max((day.texts + day.emails for day in days), default=0)
    says = [
        f"{day.day:%a %b %-d}: {number(day.texts)} texts, {number(day.emails)} emails"
        for day in days
    ]
    slots = _slots(len(days))
    monday = [n for n, day in enumerate(days) if day.day.weekday() == 0]
    return Chart(
        back=_bars(slots, [day.texts + day.emails for day in days], top, 0.1, says),
        front=_bars(slots, [day.texts for day in days], top, 0.1, says),
        grid=_grid(top),
        ticks=tuple(
            Mark(slots[n][0], f"{days[n].day:%b %-d}")
            for n in _some(monday)
            if slots[n][0] <= _LAST_LABEL
        ),
    )


def queue(found: Queue) -> Chart:
    """How the longest queue grew and drained."""
    last = len(found.curve) - 1
    points = [
        (100 * n / last, 100 - 100 * waiting / found.longest)
        for n, (_, waiting) in enumerate(found.curve)
    ]
    line = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return Chart(
        back=(),
        front=(),
        grid=_grid(found.longest),
        ticks=tuple(_clock_marks([at for at, _ in found.curve])),
        area=f"0,100 {line} 100,100",
        line=line,
    )


def shares(counts: Sequence[int]) -> list[float]:
    """How long the bars of some counts are, in per cent of the longest."""
    most = max(counts, default=0) or 1
    return [100 * count / most for count in counts]


def _clock_marks(times: Sequence[datetime]) -> Iterator[Mark]:
    """A few round moments among these, in order; days where it takes days."""
    took = (times[-1] - times[0]) / timedelta(minutes=1)
    every = next((n for n in _ROUND_MINUTES if took / n <= _MOST_LABELS), _ROUND_MINUTES[-1])
    for place, at in enumerate(times):
        if at.second == 0 and (at.hour * 60 + at.minute) % every == 0:
            label = f"{at:%b %-d}" if every == _ROUND_MINUTES[-1] else f"{at:%H:%M}"
            yield Mark(100 * place / (len(times) - 1), label)


def _slots(count: int) -> list[tuple[float, float]]:
    """The width in equal pieces: where each begins and ends."""
    return list(pairwise(100 * n / count for n in range(count + 1))) if count else []


def _bars(
    slots: Sequence[tuple[float, float]],
    values: Iterable[float],
    top: float,
    gap: float,
    says: Sequence[str],
) -> tuple[Bar, ...]:
    bars = []
    for (left, right), value, said in zip(slots, values, says, strict=True):
        space = (right - left) * gap
        y = _y(value, top)
        bars.append(Bar(left + space, right - left - 2 * space, y, TOP + HEIGHT - y, said))
    return tuple(bars)


def _y(value: float, top: float) -> float:
    return TOP + HEIGHT * (1 - value / top) if top else TOP + HEIGHT


def _grid(top: float) -> tuple[Mark, ...]:
    """Round numbers, three or four of them, up to the top."""
    if top <= 0:
        return ()
    size: float = 10.0 ** math.floor(math.log10(top))
    steps = (part * size for part in (0.25, 0.5, 1, 2, 2.5, 5))
    step = next(step for step in steps if step == int(step) and top / step <= 4.5)
    return tuple(Mark(_y(n * step, top), number(n * step)) for n in range(1, int(top / step) + 1))


def _some(places: Sequence[int]) -> Sequence[int]:
    """At most a few of these, evenly spread."""
    return places[:: max(1, math.ceil(len(places) / _MOST_LABELS))]
