"""Texts that are all due at once: Drip's processes against the usual way and a bare loop.

Both sides have everything in place when the moment comes at which the texts are due: Drip has
them in its table, the usual way has its tasks in Redis. A rate counts from the first claim, or
from that moment, until the last text's final state is in the database. Every text is looked for
at the sink: one that is missing or comes twice ends the run. `DRIP_TEST_TEXTS` makes it shorter.
"""

import os
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from drip.clock import system_clock
from drip.core.schedule import Channel
from tests.benchmarks.figures import Figure, run_python
from tests.benchmarks.memory import Watch
from tests.benchmarks.population import Population, make_due, population, unfinished
from tests.benchmarks.stage import Sink, Stage, connect, expect_each_once, sink, stage, wait_until
from tests.benchmarks.usual import send_usually

TEXTS = int(os.environ.get("DRIP_TEST_TEXTS", "20000"))
WARM_UP = 1000
"""Texts that go out before, so that every process has imported and connected."""
USUAL = 2000
ROUNDS = int(os.environ.get("DRIP_TEST_ROUNDS", "3"))
LATENCY = 0.1
IN_FLIGHT = 2 * 200
"""Connections that two processes may hold open."""

RATE = "texts/s"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of Drip's processes reached."""

    rate: float
    memory: Watch


def measure() -> list[Figure]:
    """At a provider that answers at once."""
    runs, usual, bare = [], [], []
    with (
        stage() as on,
        population(on.server, WARM_UP + TEXTS) as people,
        sink("twilio_sink") as at,
    ):
        for _ in range(ROUNDS):
            runs.append(send_all(on, people, at))
            usual.append(send_usually(on, at, USUAL, ["-c", "2"]))
            bare.append(post_barely(at))
    rate = statistics.median(run.rate for run in runs)
    worst = max((run.memory for run in runs), key=lambda memory: memory.peak)
    flat = statistics.median(last / middle for last, middle in (r.memory.last_thirds for r in runs))
    what = f"{TEXTS:,} texts due at once, two processes"
    usual_rate, bare_rate = statistics.median(usual), statistics.median(bare)
    return [
        Figure(f"{what} / the usual way", rate, usual_rate, 8, RATE, "at least"),
        Figure(f"{what} / only posted, two processes", rate, bare_rate, 0.6, RATE, "at least"),
        Figure("memory of one of its processes, the most", worst.peak, None, 150, "MiB"),
        Figure("its memory in the last third / in the middle", flat, None, 1.1, "x"),
    ]


def measure_slow_provider() -> list[Figure]:
    """At a provider that answers after 100 ms, as real ones do."""
    with (
        stage() as on,
        population(on.server, WARM_UP + TEXTS) as people,
        sink("twilio_sink", "--delay", str(LATENCY)) as at,
    ):
        rate = send_all(on, people, at).rate
        prefork = send_usually(on, at, 200, ["-c", "2"])
        threads = send_usually(on, at, 1000, ["--pool", "threads", "-c", "16"])
    what = f"{TEXTS:,} texts, answers after 100 ms"
    allowed = IN_FLIGHT / LATENCY
    share = f"{what} / what {IN_FLIGHT} connections allow"
    return [
        Figure(f"{what} / the usual way", rate, prefork, 100, RATE, "at least"),
        Figure(f"{what} / the usual way, 16 threads", rate, threads, 12, RATE, "at least"),
        Figure(share, rate, allowed, 0.6, RATE, "at least"),
    ]


def send_all(on: Stage, people: Population, at: Sink) -> Run:
    """Have `drip worker` and `drip beat` send all texts, from the first claim to the last mark."""
    ids = (WARM_UP + 1, WARM_UP + TEXTS)
    with (
        people.copy() as database,
        connect(database) as connection,
        worker(on, database, at) as pid,
    ):
        with beat(on, database, at):
            warm_up(connection, at)
        # Nobody looks for what is due meanwhile.
        make_due(connection, Channel.SMS, *ids, system_clock())
        connection.execute("VACUUM ANALYZE")
        with Watch(pid) as memory, beat(on, database, at):
            began = wait_until(lambda: _any_claimed(connection), 0.002)
            wait_until(lambda: at.count() >= TEXTS, 0.02)
            ended = wait_until(lambda: unfinished(connection, ids) == 0, 0.005)
        expect_each_once(at, TEXTS)
    return Run(TEXTS / (ended - began), memory)


def post_barely(at: Sink) -> float:
    """Posts a second of two bare loops, by the sink's clock."""
    at.ask("reset")
    half = TEXTS // 2
    args = ["-m", "tests.benchmarks.bare_posts", at.url, str(half)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda first: run_python([*args, str(first)]), (0, half)))
    expect_each_once(at, TEXTS)
    told = at.ask("count")
    return float(TEXTS / (told["last"] - told["first"]))


@contextmanager
def worker(on: Stage, database: str, at: Sink) -> Iterator[int]:
    """`drip worker` with two processes; gives its process id."""
    args = ["-m", "drip", "worker", "--concurrency", "2"]
    with on.process(args, on.environment(database, at.url)) as process:
        yield process.pid


@contextmanager
def beat(on: Stage, database: str, at: Sink) -> Iterator[None]:
    """`drip beat`."""
    with on.process(["-m", "drip", "beat"], on.environment(database, at.url)):
        yield


def warm_up(connection: psycopg.Connection[Any], at: Sink) -> None:
    """Send the first texts, so that every process has imported and connected; forget them."""
    at.ask("reset")
    make_due(connection, Channel.SMS, 1, WARM_UP, system_clock())
    wait_until(lambda: at.count() >= WARM_UP, 0.05)
    wait_until(lambda: unfinished(connection, (1, WARM_UP)) == 0, 0.05)
    at.ask("reset")


def _any_claimed(connection: psycopg.Connection[Any]) -> bool:
    found = connection.execute(
        "SELECT FROM deliveries WHERE status IN ('claimed', 'sending') LIMIT 1"
    )
    return found.fetchone() is not None
