"""Enrolling many patients against COPY of the same rows; planning is told apart.

`DRIP_TEST_ENROLLED` says how many patients; 100000 makes the whole of it.
"""

import os
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import psycopg
from sqlalchemy import make_url

from drip.clock import system_clock
from drip.content.sources import content_dir
from drip.core.planner import Journey, Plan, plan
from drip.core.schedule import Channel
from drip.intake.booking import Booking, Given
from drip.services import enrolling
from drip.services.scope import open_scope
from drip.store.engine import open_engine
from drip.store.migrate import upgrade
from drip.store.schema import Row
from tests.benchmarks.figures import Figure, timed
from tests.benchmarks.population import clinic
from tests.benchmarks.stage import connect, stage
from tests.servers.postgres import new_database

PATIENTS = int(os.environ.get("DRIP_TEST_ENROLLED", "20000"))
AT_ONCE = 500
ROWS_AT_ONCE = 50_000
TABLES = ("patients", "addresses", "consents", "enrollments", "deliveries")
_ZONE = clinic().zone


def measure() -> list[Figure]:
    """Rows a second of both, and how many patients are planned a second."""
    with stage() as on, new_database(on.server) as template:
        engine = open_engine(template)
        upgrade(engine)
        open_scope(engine, content_dir(), clinic(), system_clock())
        engine.dispose()
        name = str(make_url(template).database)
        with new_database(on.server, name) as ours, new_database(on.server, name) as bare:
            whole, planning = enrol_all(ours)
            copying, rows = copy_all(ours, bare)
    what = f"enrolling {PATIENTS:,} patients from ready plans / COPY of the rows"
    return [
        Figure(what, rows / (whole - planning), rows / copying, 0.5, "rows/s", "at least"),
        Figure("planning them", PATIENTS / planning, None, None, "patients/s"),
    ]


def enrol_all(database: str) -> tuple[float, float]:
    """Enrol everybody; gives the seconds of it, and those of them that planning took."""
    planning = 0.0

    def timed_plan(journey: Journey, now: datetime) -> Plan:
        nonlocal planning
        start = time.perf_counter()
        made = plan(journey, now)
        planning += time.perf_counter() - start
        return made

    now = system_clock()
    engine = open_engine(database)
    scope = open_scope(engine, content_dir(), clinic(), now)
    batches = [
        [booking(n, now) for n in range(first, min(first + AT_ONCE, PATIENTS))]
        for first in range(0, PATIENTS, AT_ONCE)
    ]
    with patch.object(enrolling, "plan", timed_plan):
        whole = timed(lambda: [enrolling.enroll_all(scope, batch, now) for batch in batches])
    engine.dispose()
    return whole, planning


def booking(n: int, now: datetime) -> Booking:
    """A patient who does not exist, with a session in the coming weeks."""
    session = now.replace(minute=0, second=0, microsecond=0)
    return Booking(
        name=f"Patient {n}",
        phone=f"+1{200 + n % 700}555{n // 700:04}",
        email=f"p{n}@example.com",
        session_at=session + timedelta(days=21 + n % 20, minutes=15 * (n % 30)),
        session_zone=_ZONE,
        schedule="ketamine-first-session",
        language="en",
        consents=tuple(Given(channel, "paper", "staff") for channel in Channel),
        reference=str(n),
    )


def copy_all(source: str, target: str) -> tuple[float, int]:
    """COPY the rows of one database to another; gives the seconds of writing, and how many."""
    seconds, rows = 0.0, 0
    with connect(source) as read, connect(target) as write:
        for table in TABLES:
            columns = [column.name for column in Row.metadata.tables[table].columns]
            with read.transaction(), read.cursor("rows") as cursor:
                cursor.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY id")
                while some := cursor.fetchmany(ROWS_AT_ONCE):
                    seconds += timed(partial(_copy, write, table, columns, some))
                    rows += len(some)
    return seconds, rows


def _copy(
    connection: psycopg.Connection[Any],
    table: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
