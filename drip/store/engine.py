"""Opening the database, and the two kinds of transaction on it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from drip.errors import SettingsError
from drip.store.failures import in_plain_words

BUSY_SECONDS = 30
"""How long a writer waits for another one on SQLite."""

_REST_SECONDS = 1.0
"""How long a connection to PostgreSQL may be idle before it is asked whether it is there."""

_POSTGRESQL_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "timezone": "UTC",
        "statement_timeout": "60s",
        "lock_timeout": "20s",
        "idle_in_transaction_session_timeout": "60s",
    }.items()
)


def open_engine(url: str) -> Engine:
    """Get ready to use the database at `url`; nothing is opened before the first use.

    `url` is `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`. Raises SettingsError if
    it is neither.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    engine = create_engine(
        parsed,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 10,
            "application_name": "drip",
            "options": f"{_POSTGRESQL_OPTIONS} {parsed.query.get('options', '')}".strip(),
        },
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_ping_after_rest, engine.dialect))
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _ping_after_rest(
    dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Ask a connection that rested whether it is still there; the pool makes another if not."""
    used = record.info.get("used")
    if used is None or time.monotonic() - used < _REST_SECONDS:
        return
    try:
        alive = dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error:
        alive = False
    if not alive:
        raise DisconnectionError


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        parsed = None
    if parsed and parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed and parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        if parsed.database and parsed.database != ":memory:":
            return parsed
        raise SettingsError("DRIP_DATABASE_URL must name a file for SQLite: sqlite:///drip.db")
    raise SettingsError(
        "DRIP_DATABASE_URL is not understood; write sqlite:///drip.db or "
        "postgresql://USER:PASSWORD@HOST/NAME"
    )


def _open_sqlite(url: URL) -> Engine:
    # isolation_level None: Python's driver starts no transaction of its own. Its habit of
    # starting them late loses concurrent updates without a word.
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"isolation_level": None, "timeout": BUSY_SECONDS},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    _use_write_ahead_log(connection)
    # SQLite's own lower() knows ASCII only.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Readers and the writer do not wait for each other. `synchronous` stays FULL: what was
    handed over is known even after a power cut.
    """
    # The change of a new file needs it for itself, and SQLite does not wait for that.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A transaction that writes: committed at the end, undone if an error passes through.

    On SQLite there is one writer at a time, from the start of the block. Raises StoreError.
    """
    with in_plain_words(engine.url), Session(engine, expire_on_commit=False) as session:
        session.connection(execution_options={"writes": True})
        yield session
        session.commit()


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A transaction that only reads; it waits for no writer. Raises StoreError."""
    with in_plain_words(engine.url), Session(engine, expire_on_commit=False) as session:
        session.connection(execution_options={"postgresql_readonly": True})
        yield session
