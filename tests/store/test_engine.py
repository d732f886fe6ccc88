"""Transactions keep what they promise; what goes wrong is said in a line with the way out."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, event, text

from drip.errors import SettingsError, StoreError
from drip.store import clinics, enrollments
from drip.store.engine import open_engine, reading, writing
from drip.store.migrate import is_current, upgrade


def _add_clinic(engine: Engine, now: datetime, key: str = "river") -> int:
    with writing(engine) as session:
        return clinics.upsert(session, key, {}, now)


def _fault(act: Callable[[], object]) -> str:
    """What the StoreError says that `act` ends in."""
    with pytest.raises(StoreError) as caught:
        act()
    said = str(caught.value)
    assert "\n" not in said
    return said


# --- Transactions -------------------------------------------------------------------------------


def test_what_is_written_is_there_afterwards(engine: Engine, now: datetime) -> None:
    _add_clinic(engine, now)
    with reading(engine) as session:
        assert clinics.get(session, "river") is not None


def test_an_error_undoes_the_whole_transaction(engine: Engine, now: datetime) -> None:
    def fail() -> None:
        with writing(engine) as session:
            clinics.upsert(session, "river", {}, now)
            raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        fail()
    with reading(engine) as session:
        assert clinics.get(session, "river") is None


def test_reading_changes_nothing(engine: Engine, clinic_id: int, now: datetime) -> None:
    # PostgreSQL refuses to write, SQLite forgets what was written.
    with suppress(StoreError), reading(engine) as session:
        clinics.upsert(session, "lake", {}, now)
    with reading(engine) as session:
        assert clinics.get(session, "lake") is None
    assert _add_clinic(engine, now, "pond") > clinic_id, "the connection can write again"


def test_a_reader_sees_one_state_and_waits_for_no_writer(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    with writing(engine) as writer:
        clinics.upsert(writer, "lake", {}, now)
        with reading(engine) as session:
            assert clinics.get(session, "lake") is None
            assert clinics.get(session, "river") is not None


def test_sqlite_has_one_writer_from_the_start(sqlite_engine: Engine) -> None:
    inside = threading.Event()

    def second() -> None:
        with writing(sqlite_engine):
            inside.set()

    with writing(sqlite_engine):
        thread = threading.Thread(target=second)
        thread.start()
        assert not inside.wait(0.2)
    thread.join(timeout=10)
    assert inside.is_set()


def test_sqlite_is_set_up_for_safety(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as session:
        found = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,
        "busy_timeout": 30_000,
    }


def test_postgresql_is_set_up_for_safety(postgresql_engine: Engine) -> None:
    with reading(postgresql_engine) as session:
        found = {
            name: session.scalar(text(f"SHOW {name}"))
            for name in ("timezone", "statement_timeout", "application_name")
        }
    assert found == {"timezone": "UTC", "statement_timeout": "1min", "application_name": "drip"}


def test_postgresql_that_was_restarted_is_met_with_a_new_connection(
    postgresql_engine: Engine, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drip.store.engine._REST_SECONDS", 0.0)
    with reading(postgresql_engine) as session:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(postgresql, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    with reading(postgresql_engine) as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != backend


def test_a_connection_lost_while_it_is_in_use_fails_once(
    postgresql_engine: Engine, postgresql: str
) -> None:
    with reading(postgresql_engine) as session:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(postgresql, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    with pytest.raises(StoreError), reading(postgresql_engine) as session:
        session.scalar(text("SELECT 1"))
    with reading(postgresql_engine) as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != backend


# --- Addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "drip.db",
        "mysql://host/drip",
        "sqlite+aiosqlite:///drip.db",
        "postgresql+pg8000://",
        "postgresql://user:word@host:port/drip",
    ],
)
def test_an_address_that_is_not_understood_says_how_to_write_one(url: str) -> None:
    with pytest.raises(SettingsError, match=r"write sqlite:///drip\.db or postgresql://"):
        open_engine(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_sqlite_needs_a_file(url: str) -> None:
    with pytest.raises(SettingsError, match="must name a file"):
        open_engine(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_reached_by_every_usual_name(scheme: str) -> None:
    engine = open_engine(f"{scheme}://drip:secret@localhost/drip")
    assert engine.driver == "psycopg"


# --- What goes wrong on SQLite ------------------------------------------------------------------


def test_a_locked_file_says_so(
    sqlite_engine: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drip.store.engine.BUSY_SECONDS", 0.05)
    hasty = open_engine(sqlite_engine.url.render_as_string())
    with writing(sqlite_engine):
        said = _fault(lambda: _add_clinic(hasty, now))
    assert said.endswith("is locked by another process; nothing was changed, try again in a moment")
    hasty.dispose()


def test_a_missing_folder_says_so(tmp_path: Path, now: datetime) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/none/drip.db")
    assert "none/drip.db cannot be opened; its folder must exist" in _fault(lambda: upgrade(engine))
    assert "cannot be opened" in _fault(lambda: is_current(engine))
    assert "cannot be opened" in _fault(lambda: _add_clinic(engine, now))


def test_a_read_only_file_says_so(sqlite_engine: Engine, now: datetime) -> None:
    file = sqlite_engine.url.database
    engine = open_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert "is read-only; give this user the right" in _fault(lambda: _add_clinic(engine, now))
    engine.dispose()


def test_a_full_disk_says_so(sqlite_engine: Engine, now: datetime) -> None:
    sqlite_engine.dispose()
    event.listen(sqlite_engine, "connect", _allow_no_more_pages)

    def fill() -> None:
        with writing(sqlite_engine) as session:
            clinics.upsert(session, "river", {"name": "x" * 100_000}, now)

    assert "is on a full disk; nothing was changed" in _fault(fill)
    with reading(sqlite_engine) as session:
        assert clinics.get(session, "river") is None


def _allow_no_more_pages(connection: sqlite3.Connection, _record: object) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_file_of_another_kind_says_so(tmp_path: Path) -> None:
    (tmp_path / "drip.db").write_text("A letter, not a database. " * 50)
    engine = open_engine(f"sqlite:///{tmp_path / 'drip.db'}")
    assert "is not a Drip database" in _fault(lambda: upgrade(engine))


# --- What goes wrong on PostgreSQL --------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["postgresql://drip:secret@127.0.0.1:1/drip", "postgresql:///drip?host=/nowhere"]
)
def test_a_server_that_is_not_there_says_so(url: str, now: datetime) -> None:
    engine = open_engine(url)
    said = _fault(lambda: _add_clinic(engine, now))
    assert "cannot be reached; check that it runs and that DRIP_DATABASE_URL is right" in said
    assert "secret" not in said


def test_a_statement_that_takes_too_long_is_ended(postgresql_engine: Engine) -> None:
    def dawdle() -> None:
        with writing(postgresql_engine) as session:
            session.execute(text("SET LOCAL statement_timeout = '20ms'"))
            session.execute(text("SELECT pg_sleep(20)"))

    assert "took too long" in _fault(dawdle)


def test_a_row_that_stays_locked_says_so(
    engine: Engine, enrollment_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drip.store.engine.BUSY_SECONDS", 0.05)
    hasty = open_engine(engine.url.render_as_string(hide_password=False))

    def lock() -> None:
        with writing(hasty) as session:
            if hasty.dialect.name == "postgresql":
                session.execute(text("SET LOCAL lock_timeout = '50ms'"))
            enrollments.lock(session, enrollment_id)

    with writing(engine) as session:
        enrollments.lock(session, enrollment_id)
        assert "is locked by another process" in _fault(lock)
    hasty.dispose()


# --- What goes wrong on both --------------------------------------------------------------------


def test_a_database_without_tables_says_how_to_make_them(empty_url: str, now: datetime) -> None:
    engine = open_engine(empty_url)
    assert "run `drip init`" in _fault(lambda: _add_clinic(engine, now))
    engine.dispose()


def test_a_broken_rule_is_told_without_the_data(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    insert = text("INSERT INTO clinics (key, profile, updated_at) VALUES (:key, '{}', :at)")

    def twice() -> None:
        with writing(engine) as session:
            session.execute(insert, {"key": "river", "at": now.isoformat()})

    said = _fault(twice)
    assert "key" in said
    assert "river" not in said
    with pytest.raises(StoreError) as caught:
        twice()
    assert caught.value.__suppress_context__


def test_a_fault_of_ours_passes_as_it_is(engine: Engine) -> None:
    with pytest.raises(Exception, match="syntax error") as caught, writing(engine) as session:
        session.execute(text("SELEKT 1"))
    assert not isinstance(caught.value, StoreError)
