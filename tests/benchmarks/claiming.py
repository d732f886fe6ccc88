"""A claim with many future rows in the table against the same with few.

`DRIP_TEST_FUTURE_ROWS` says how many "many" is; 1000000 makes a short form of it.
"""

import os
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
from sqlalchemy import Engine

from drip.clock import system_clock
from drip.core.schedule import Channel
from drip.store import claiming
from drip.store.engine import open_engine, writing
from drip.store.schema import Row
from tests.benchmarks.figures import Figure, side_by_side, timed
from tests.benchmarks.population import MODELS, STEP, population
from tests.benchmarks.stage import connect, stage

MANY = int(os.environ.get("DRIP_TEST_FUTURE_ROWS", "10000000"))
FEW = 10_000
CLAIMED = 500
CLAIMS = 50
WARM_UP = 5


def measure() -> list[Figure]:
    """The median of some claims of each, in turns."""
    with (
        stage() as on,
        population(on.server, MODELS) as people,
        people.copy() as many,
        people.copy() as few,
    ):
        fill(many, MANY)
        fill(few, FEW)
        engines = open_engine(many), open_engine(few)
        numbers = count()
        for engine in engines * WARM_UP:
            claim(engine, next(numbers))
        ours, bare = side_by_side(
            lambda: timed(lambda: claim(engines[0], next(numbers))),
            lambda: timed(lambda: claim(engines[1], next(numbers))),
            CLAIMS,
        )
        for engine in engines:
            engine.dispose()
    what = f"claim of {CLAIMED} with {MANY:,} future rows / with {FEW:,}"
    return [Figure(what, ours * 1000, bare * 1000, 1.3, "ms")]


def claim(engine: Engine, number: int) -> None:
    """One claim, as a worker makes it."""
    with writing(engine) as session:
        ids = claiming.claim(
            session,
            system_clock(),
            limit=CLAIMED,
            lease=timedelta(minutes=5),
            token=f"{number:016}",
            channel=Channel.SMS,
        )
    assert len(ids) == CLAIMED


def fill(database: str, future: int) -> None:
    """Put due rows for all claims into the table, and future ones: one every three seconds."""
    due = CLAIMED * (CLAIMS + WARM_UP)
    with connect(database) as connection:
        connection.execute("SET session_replication_role = replica")  # no foreign keys
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = _indexes(connection)
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        later = "now() + interval '1 day' + g * interval '3 seconds'"
        _copy_one(connection, due, "now() - g * interval '10 milliseconds'", 1)
        _copy_one(connection, future, later, due + 1)
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute("VACUUM ANALYZE deliveries")


def _copy_one(connection: psycopg.Connection[Any], rows: int, due_at: str, first: int) -> None:
    """Copy one scheduled text so many times, each for an enrollment of its own."""
    new = {
        "id": f"id + 1000 * {MODELS} + g",
        "enrollment_id": f"enrollment_id + {MODELS} + g",
        "patient_id": f"patient_id + {MODELS} + g / 20",
        "due_at": due_at,
        "planned_at": due_at,
        "until": f"{due_at} + interval '2 days'",
    }
    columns = [column.name for column in Row.metadata.tables["deliveries"].columns]
    connection.execute(
        f"INSERT INTO deliveries ({', '.join(columns)})"
        f" SELECT {', '.join(new.get(name, name) for name in columns)}"
        f" FROM (SELECT * FROM deliveries WHERE step = '{STEP}' AND channel = 'sms'"
        f" ORDER BY id LIMIT 1) AS model, generate_series({first}, {first + rows - 1}) AS g"
    )


def _indexes(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """The indexes that are no constraints: it is quicker to make them after the rows."""
    return connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'deliveries'"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
    ).fetchall()
