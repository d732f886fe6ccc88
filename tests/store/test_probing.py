"""A database is looked at without leaving anything in it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from drip.errors import StoreError
from drip.store import clinics, probing
from drip.store.engine import open_engine, writing


def test_a_sqlite_file_that_is_missing_is_named_and_not_made(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'drip.db'}")
    assert probing.missing_file(engine) == tmp_path / "drip.db"
    assert not (tmp_path / "drip.db").exists()


def test_a_database_that_is_there_has_no_missing_file(engine: Engine) -> None:
    assert probing.missing_file(engine) is None


def test_trying_to_write_tells_whether_it_can_be_done(engine: Engine, tmp_path: Path) -> None:
    probing.try_writing(engine)
    with pytest.raises(StoreError, match="cannot be opened"):
        probing.try_writing(open_engine(f"sqlite:///{tmp_path}/none/drip.db"))


def test_a_server_tells_its_time(postgresql_engine: Engine, sqlite_engine: Engine) -> None:
    told = probing.server_time(postgresql_engine)
    assert told is not None
    assert told.utcoffset() == timedelta(0)
    assert told > datetime(2020, 1, 1, tzinfo=UTC)
    assert probing.server_time(sqlite_engine) is None


def test_the_newest_enrollment_tells_when_it_was_made(
    engine: Engine, enrollment_id: int, now: datetime
) -> None:
    assert enrollment_id
    assert probing.last_enrolled_at(engine) == now


def test_without_enrollments_none_is_the_newest(engine: Engine) -> None:
    assert probing.last_enrolled_at(engine) is None


def test_a_damaged_file_is_found_by_reading_it(sqlite_engine: Engine, now: datetime) -> None:
    with writing(sqlite_engine) as session:
        for number in range(200):
            clinics.upsert(session, f"clinic-{number}", {"name": "x" * 500}, now)
    probing.try_reading(sqlite_engine)
    sqlite_engine.dispose()
    path = Path(str(sqlite_engine.url.database))
    size = path.stat().st_size // 2
    with path.open("r+b") as file:
        file.seek(size)
        file.write(b"\xff" * 8192)
    with pytest.raises(StoreError, match="damaged"):
        probing.try_reading(sqlite_engine)
