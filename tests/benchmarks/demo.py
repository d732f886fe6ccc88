"""`drip demo` as a process: enrols, plans, renders and sends whole journeys."""

import tempfile

from tests.benchmarks.figures import Figure, run_python, timed

ROUNDS = 3


def measure() -> list[Figure]:
    """The best of a few runs, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        best = min(timed(lambda: run_python(["-m", "drip", "demo"], folder)) for _ in range(ROUNDS))
    return [Figure("drip demo, whole process", best, None, 5)]
