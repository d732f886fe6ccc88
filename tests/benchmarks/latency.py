"""From due to handed over: texts that fall due one by one, on an idle queue.

The moment of the hand-over is the sink's: when the request is with the provider. The bare loop is
one process that sleeps until the next due row, selects it, posts it and updates it.
"""

import http.client
import statistics
import time
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from drip.clock import system_clock
from drip.core.schedule import Channel
from tests.benchmarks.bare_posts import HEADERS, TARGET, form
from tests.benchmarks.figures import Figure
from tests.benchmarks.population import Population, make_due, population
from tests.benchmarks.stage import Sink, Stage, connect, expect_each_once, sink, stage, wait_until
from tests.benchmarks.texts import WARM_UP, beat, warm_up, worker

TEXTS = 1000
EVERY = timedelta(milliseconds=20)
AHEAD = timedelta(seconds=3)


def measure() -> list[Figure]:
    """The median and the 99th percentile of both, in milliseconds."""
    with (
        stage() as on,
        population(on.server, WARM_UP + TEXTS) as people,
        sink("twilio_sink") as at,
    ):
        ours, bare = by_drip(on, people, at), barely(people, at)
    what = f"due to handed over, {timedelta(seconds=1) // EVERY} texts a second"
    return [
        Figure(f"{what}, p50", _percentile(ours, 50), None, 25, "ms"),
        Figure(f"{what}, p99", _percentile(ours, 99), None, 250, "ms"),
        Figure("the same by a bare loop, p50", _percentile(bare, 50), None, None, "ms"),
        Figure("the same by a bare loop, p99", _percentile(bare, 99), None, None, "ms"),
    ]


def by_drip(on: Stage, people: Population, at: Sink) -> list[float]:
    """How long each text took with `drip worker` and `drip beat`, in milliseconds."""
    with (
        people.copy() as database,
        connect(database) as connection,
        worker(on, database, at),
        beat(on, database, at),
    ):
        warm_up(connection, at)
        connection.execute("VACUUM ANALYZE")
        ids = (WARM_UP + 1, WARM_UP + TEXTS)
        due = make_due(connection, Channel.SMS, *ids, system_clock() + AHEAD, EVERY)
        wait_until(lambda: at.count() >= TEXTS, 0.2)
        return _late(at, due)


def barely(people: Population, at: Sink) -> list[float]:
    """The same by the bare loop."""
    at.ask("reset")
    there = urlsplit(at.url)
    with people.copy() as database, connect(database) as connection:
        post = http.client.HTTPConnection(there.hostname or "", there.port)
        due = make_due(connection, Channel.SMS, 1, TEXTS, system_clock() + AHEAD, EVERY)
        last = max(due.values())
        while (row := connection.execute(_NEXT, (last,)).fetchone()) is not None:
            id_, due_at = row
            time.sleep(max(0.0, (due_at - system_clock()).total_seconds()))
            post.request("POST", TARGET, form(id_), HEADERS)
            post.getresponse().read()
            connection.execute("UPDATE deliveries SET status = 'accepted' WHERE id = %s", (id_,))
        post.close()
        return _late(at, due)


_NEXT = """
SELECT id, due_at FROM deliveries
WHERE clinic_id = 1 AND channel = 'sms' AND status = 'scheduled' AND due_at <= %s
ORDER BY due_at LIMIT 1
"""


def _late(at: Sink, due: dict[int, datetime]) -> list[float]:
    expect_each_once(at, len(due))
    arrivals = at.ask("arrivals")
    return [(came - due[int(key)].timestamp()) * 1000 for key, came in arrivals]


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
