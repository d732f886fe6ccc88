"""Enrolling many patients against COPY of the same rows; planning is told apart.

The two take turns of a few thousand patients, so that both see the tables grow, and the machine
in the same mood. `DRIP_TEST_ENROLLED` says how many patients.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
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
from drip.services.bookings import enrolling
from drip.services.bookings.importing import AT_ONCE
from drip.services.scope import Scope, open_scope
from drip.store.engine import open_engine
from drip.store.migrate import upgrade
from drip.store.schema import Row
from tests.benchmarks.figures import Figure, timed
from tests.benchmarks.population import clinic
from tests.benchmarks.stage import connect, stage
from tests.servers.postgres import new_database

PATIENTS = int(os.environ.get("DRIP_TEST_ENROLLED", "100000"))
A_TURN = 2_500
TABLES = ("patients", "addresses", "consents", "enrollments", "deliveries")
_ZONE = clinic().zone


@dataclass(slots=True)
class Taken:
    """The seconds of enrolling, those of them that planning took, and those of COPY; the rows."""

    enrolling: float = 0.0
    planning: float = 0.0
    copying: float = 0.0
    rows: int = 0


def measure() -> list[Figure]:
    """Rows a second of both, and how many patients are planned a second."""
    with stage() as on, new_database(on.server) as template:
        now = system_clock()
        engine = open_engine(template)
        upgrade(engine)
        open_scope(engine, content_dir(), clinic(), now)
        engine.dispose()
        name = str(make_url(template).database)
        with new_database(on.server, name) as ours, new_database(on.server, name) as bare:
            taken = play(ours, bare, now)
    what = f"enrolling {PATIENTS:,} patients from ready plans / COPY of the rows"
    enrolled = taken.rows / (taken.enrolling - taken.planning)
    return [
        Figure(what, enrolled, taken.rows / taken.copying, 0.5, "rows/s", "at least"),
        Figure("planning them", PATIENTS / taken.planning, None, None, "patients/s"),
    ]


def play(ours: str, bare: str, now: datetime) -> Taken:
    """Both in turns, on two databases that are alike."""
    taken = Taken()
    engine = open_engine(ours)
    scope = open_scope(engine, content_dir(), clinic(), now)
    with connect(ours) as source, connect(bare) as target:
        for first in range(0, PATIENTS, A_TURN):
            enrol(scope, range(first, min(first + A_TURN, PATIENTS)), now, taken)
            for table in TABLES:
                copy_new(table, source, target, taken)
    engine.dispose()
    return taken


def enrol(scope: Scope, numbers: Sequence[int], now: datetime, taken: Taken) -> None:
    """Enrol these patients, as many at once as an import does."""

    def timed_plan(journey: Journey, now: datetime) -> Plan:
        start = time.perf_counter()
        made = plan(journey, now)
        taken.planning += time.perf_counter() - start
        return made

    with patch.object(enrolling, "plan", timed_plan):
        for start in range(0, len(numbers), AT_ONCE):
            batch = [booking(n, now) for n in numbers[start : start + AT_ONCE]]
            taken.enrolling += timed(partial(enrolling.enroll_all, scope, batch, now))


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


def copy_new(
    table: str, source: psycopg.Connection[Any], target: psycopg.Connection[Any], taken: Taken
) -> None:
    """COPY the rows that one database has and the other has not, by psycopg's quickest way."""
    columns = ", ".join(column.name for column in Row.metadata.tables[table].columns)
    last = target.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
    found = source.execute(f"SELECT {columns} FROM {table} WHERE id > %s ORDER BY id", last)
    types = [column.type_code for column in found.description or ()]
    rows = found.fetchall()

    def write() -> None:
        statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)"
        with target.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    taken.copying += timed(write)
    taken.rows += len(rows)
