"""How a benchmark's figure is taken and told: two ways side by side in one run, as a ratio."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

HEADERS = ("what", "ours", "bare", "measured", "bound")


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds (or MiB, or messages a second) of our way and of the bare one, and the bound that
    is set for the ratio.

    Where `bare` is None the figure stands alone and the bound is for it. Without a bound the
    figure is only told.
    """

    name: str
    ours: float
    bare: float | None
    bound: float | None
    unit: str = "s"
    kept_if: Literal["at most", "at least"] = "at most"

    @property
    def measured(self) -> float:
        """What is held against the bound."""
        return self.ours if self.bare is None else self.ours / self.bare

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        if self.bound is None:
            return True
        if self.kept_if == "at most":
            return self.measured <= self.bound
        return self.measured >= self.bound

    def row(self) -> tuple[str, str, str, str, str]:
        """The figure as a row of the table of results."""
        unit = self.unit if self.bare is None else "x"
        bound = "" if self.bound is None else f"{self.kept_if} {self.bound:g} {unit}"
        return (
            self.name,
            f"{_said(self.ours)} {self.unit}",
            "" if self.bare is None else f"{_said(self.bare)} {self.unit}",
            f"{_said(self.measured)} {unit}",
            bound,
        )


def _said(value: float) -> str:
    """With three or four figures that count."""
    decimals = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 1 else 3
    return f"{value:,.{decimals}f}"


def side_by_side(
    ours: Callable[[], float], bare: Callable[[], float], rounds: int
) -> tuple[float, float]:
    """The medians of two ways that take turns; each call gives the seconds that it took."""
    pairs = [(ours(), bare()) for _ in range(rounds)]
    return statistics.median(o for o, _ in pairs), statistics.median(b for _, b in pairs)


def timed(call: Callable[[], object]) -> float:
    """The seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def run_python(args: Sequence[str], cwd: str | None = None) -> str:
    """Run a Python process to its end and give what it printed."""
    done = subprocess.run(
        [sys.executable, *args], cwd=cwd, check=True, capture_output=True, text=True
    )
    return done.stdout
