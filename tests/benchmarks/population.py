"""Many patients with their whole plans, of whom each has one message that can be made due.

A few are enrolled by the real planner; the rest are copies of their rows, made by the database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import make_url

from drip.clock import system_clock
from drip.content.clinic_file import clinic_from_profile, profile_of, sample_clinic
from drip.content.sources import content_dir
from drip.core.clinic import Clinic
from drip.core.schedule import Channel
from drip.intake.booking import Booking, Given
from drip.services.bookings.enrolling import enroll_all
from drip.services.scope import open_scope
from drip.store.engine import open_engine
from drip.store.migrate import upgrade
from drip.store.schema import Row
from tests.benchmarks.stage import connect
from tests.servers.postgres import new_database

MODELS = 20
"""Patients who are really enrolled, with sessions at different hours and in both languages."""

STEP = "arrange-a-ride"
"""The step that is made due: a text and an email, three days before the session."""

_PHONE = "'+1' || (200 + ({n}) / 100) || '55501' || lpad((({n}) % 100)::text, 2, '0')"
_EMAIL = "'p' || ({n}) || '@example.com'"
_OF_ADDRESS = "substring(address FROM '^p?\\+?(?:1\\d{{3}}55501)?(\\d+)')::bigint + g"
_NAME = "'Pat ' || initcap(translate(({n})::text, '0123456789', 'abcdefghij'))"
_COPIED = {
    "patients": {
        "name": _NAME.format(n="id + g"),
        "phone": _PHONE.format(n="id + g"),
        "email": _EMAIL.format(n="id + g"),
    },
    "addresses": {
        "address": f"CASE channel WHEN 'sms' THEN {_PHONE} ELSE {_EMAIL} END".format(
            n=_OF_ADDRESS.format()
        )
    },
    "consents": {"patient_id": "patient_id + g"},
    "enrollments": {"patient_id": "patient_id + g", "reference": "(id + g)::text"},
    "deliveries": {"patient_id": "patient_id + g", "enrollment_id": "enrollment_id + g"},
}
"""What differs in a copy; `g` is a multiple of MODELS."""


@dataclass(frozen=True, slots=True)
class Population:
    """A database to be copied. Patients are numbered from 1; none has anything due."""

    server: str
    template: str
    patients: int

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The address of a database of one's own with all of them."""
        with new_database(self.server, self.template) as url:
            yield url


@contextmanager
def population(server: str, patients: int) -> Iterator[Population]:
    """So many patients (rounded up to whole MODELS), all of one clinic that never sleeps."""
    with new_database(server) as url:
        _enrol_models(url, system_clock())
        with connect(url) as connection:
            connection.execute("SET session_replication_role = replica")  # no foreign keys
            for table in _COPIED:
                _copy_rows(connection, table, patients)
            connection.execute("VACUUM ANALYZE")
        yield Population(server, str(make_url(url).database), patients)


def make_due(
    connection: psycopg.Connection[Any],
    channel: Channel,
    first: int,
    last: int,
    at: datetime,
    every: timedelta = timedelta(0),
) -> dict[int, datetime]:
    """Let the messages of these patients be due from `at` on, one by one; gives when each is."""
    found = connection.execute(
        "UPDATE deliveries SET due_at = %s + (patient_id - %s) * %s"
        " WHERE step = %s AND channel = %s AND status = 'scheduled'"
        " AND patient_id BETWEEN %s AND %s RETURNING id, due_at",
        (at, first, every, STEP, channel.value, first, last),
    ).fetchall()
    assert len(found) == last - first + 1, f"{len(found)} are due"
    return dict(found)


def unfinished(connection: psycopg.Connection[Any], ids: tuple[int, int]) -> int:
    """How many of the patients in this range have their message not accepted yet."""
    row = connection.execute(
        "SELECT count(*) FROM deliveries WHERE step = %s AND channel = ANY(%s)"
        " AND due_at <= now() AND status <> 'accepted' AND patient_id BETWEEN %s AND %s",
        (STEP, [channel.value for channel in Channel], *ids),
    ).fetchone()
    assert row is not None
    return int(row[0])


def clinic() -> Clinic:
    """The sample clinic with an endless day and a pace that binds nobody."""
    endless = {"send_window": "00:00-24:00"}
    quick = {"texts": {"sender": "messaging-service", "rate": 100_000}}
    return clinic_from_profile({**profile_of(sample_clinic()), **endless, **quick})


def _enrol_models(url: str, now: datetime) -> None:
    """Enrol them as of twenty days ago, and take what lies behind them as sent."""
    engine = open_engine(url)
    upgrade(engine)
    booked = now - timedelta(days=20)
    scope = open_scope(engine, content_dir(), clinic(), booked)
    enroll_all(scope, [_booking(n, now) for n in range(1, MODELS + 1)], booked)
    engine.dispose()
    with connect(url) as connection:
        connection.execute(
            "UPDATE deliveries SET status = 'accepted', sent_at = due_at, attempts = 1"
            " WHERE status = 'scheduled' AND due_at <= %s AND step <> %s",
            (now + timedelta(days=1), STEP),
        )
        connection.execute(
            "UPDATE deliveries SET due_at = %s WHERE step = %s", (now + timedelta(days=1), STEP)
        )


def _booking(n: int, now: datetime) -> Booking:
    zone = clinic().zone
    session = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=3, minutes=15 * n)
    return Booking(
        name=f"Pat {chr(ord('a') + n)}",
        phone=f"+120055501{n:02}",
        email=f"p{n}@example.com",
        session_at=session,
        session_zone=zone,
        schedule="ketamine-first-session",
        language="es" if n % 4 == 0 else "en",
        consents=tuple(Given(channel, "paper", "staff") for channel in Channel),
        reference=str(n),
    )


def _copy_rows(connection: psycopg.Connection[Any], table: str, patients: int) -> None:
    columns = [column.name for column in Row.metadata.tables[table].columns]
    rows = connection.execute(f"SELECT max(id) FROM {table}").fetchone()
    assert rows is not None
    new = _COPIED[table] | {"id": f"id + g / {MODELS} * {rows[0]}"}
    connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)})"
        f" SELECT {', '.join(new.get(name, name) for name in columns)}"
        f" FROM {table}, generate_series({MODELS}, {patients - 1}, {MODELS}) AS g"
    )
