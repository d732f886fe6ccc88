"""The tables come into being, stay, and are the same by every way that leads to them."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from drip.errors import StoreError
from drip.store import clinics
from drip.store.engine import open_engine, reading, writing
from drip.store.migrate import HEAD, LOCK, alembic_config, is_current, run_migrations, upgrade
from drip.store.schema import Row
from tests.store.conftest import Start


@pytest.fixture
def migrated(empty_url: str) -> Iterator[Engine]:
    """A database whose tables were made by the migrations, not by the short cut."""
    engine = open_engine(empty_url)
    with writing(engine) as session:
        run_migrations(session.connection())
    yield engine
    engine.dispose()


def test_a_new_database_is_not_current_until_it_is_upgraded(empty_url: str) -> None:
    engine = open_engine(empty_url)
    assert not is_current(engine)
    upgrade(engine)
    assert is_current(engine)
    engine.dispose()


def test_upgrading_again_changes_nothing(engine: Engine, now: datetime) -> None:
    with writing(engine) as session:
        clinics.upsert(session, "river", {"name": "River Clinic"}, now)
    upgrade(engine)
    with reading(engine) as session:
        clinic = clinics.get(session, "river")
    assert clinic is not None
    assert clinic.profile == {"name": "River Clinic"}


def test_models_and_migrations_agree(migrated: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Row.metadata) == []


def test_the_newest_revision_is_the_one_that_is_looked_for(migrated: Engine) -> None:
    from alembic.script import ScriptDirectory

    with migrated.connect() as connection:
        scripts = ScriptDirectory.from_config(alembic_config(connection))
    assert scripts.get_heads() == [HEAD]
    assert is_current(migrated)


def test_the_short_cut_on_sqlite_makes_what_the_migrations_make(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    slow = open_engine(f"sqlite:///{tmp_path / 'slow.db'}")
    with writing(slow) as session:
        run_migrations(session.connection())
    assert _tables(sqlite_engine) == _tables(slow)
    slow.dispose()


def test_indexes_on_postgresql_are_the_same_in_models_and_migrations(
    empty_postgresql: str,
) -> None:
    engine = open_engine(empty_postgresql)
    indexes = text(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' "
        "AND tablename != 'alembic_version' ORDER BY 1"
    )
    with engine.begin() as connection:
        run_migrations(connection)
        migrated = connection.scalars(indexes).all()
        Row.metadata.drop_all(connection)
        Row.metadata.create_all(connection)
        assert connection.scalars(indexes).all() == migrated
    assert any("WHERE" in definition for definition in migrated)
    engine.dispose()


def test_six_starters_at_once_find_one_schema_and_all_end_well(
    empty_url: str, tmp_path: Path
) -> None:
    """As containers and services do it: each runs the command before it starts."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("DRIP_")}
    starting = [
        subprocess.Popen(
            [sys.executable, "-m", "drip", "init", "--database-only", "--json"],
            cwd=tmp_path,
            env=environment | {"DRIP_DATABASE_URL": empty_url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    said = [process.communicate(timeout=120) for process in starting]
    assert [process.returncode for process in starting] == [0] * 6, said
    assert [complaint for _, complaint in said] == [""] * 6
    assert any(json.loads(out)["database_changed"] for out, _ in said)
    assert not (tmp_path / "clinic.yaml").exists()
    assert not (tmp_path / ".env").exists()
    engine = open_engine(empty_url)
    names = {*Row.metadata.tables, "alembic_version"}
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == names
        assert connection.scalars(text("SELECT version_num FROM alembic_version")).all() == [HEAD]
    engine.dispose()


def test_a_starter_waits_for_another_one_that_is_at_it(empty_postgresql: str, start: Start) -> None:
    engine = open_engine(empty_postgresql)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with writing(engine) as session:
        session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        second = start("upgrade.py", empty_postgresql)
        while second.poll() is None and not session.scalar(waiting):
            time.sleep(0.02)
        assert second.poll() is None
        assert not inspect(session.connection()).get_table_names()
    assert second.communicate(timeout=120)[1] == ""
    assert second.returncode == 0
    assert is_current(engine)
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    engine = open_engine(empty_url)
    with suppress(StoreError), writing(engine) as session:
        run_migrations(session.connection())
        session.execute(text("SELECT * FROM no_such_table"))
    assert not is_current(engine)
    upgrade(engine)
    assert is_current(engine)
    engine.dispose()


def test_a_downgrade_takes_all_tables_away(migrated: Engine) -> None:
    from alembic import command

    with writing(migrated) as session:
        command.downgrade(alembic_config(session.connection()), "base")
    assert not is_current(migrated)


def test_a_new_sqlite_database_needs_neither_alembic_nor_psycopg(
    tmp_path: Path, start: Start
) -> None:
    process = start("upgrade.py", f"sqlite:///{tmp_path / 'quick.db'}")
    loaded = process.communicate(timeout=60)[0].split()
    assert "sqlalchemy" in loaded
    assert {"alembic", "psycopg"}.isdisjoint(loaded)


def _tables(engine: Engine) -> list[tuple[str, list[str]]]:
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    with engine.connect() as connection:
        rows = connection.execute(text(query)).all()
    return [(row.name, _in_order(row.sql)) for row in rows]


def _in_order(sql: str) -> list[str]:
    """The words of a definition, sorted: the order of constraints and line breaks mean nothing."""
    return sorted(re.findall(r"[\w.]+|'[^']*'|[()=]", sql))


def test_a_database_of_a_newer_version_is_left_as_it_is(empty_url: str) -> None:
    engine = open_engine(empty_url)
    upgrade(engine)
    with writing(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="by a newer version of Drip"):
        upgrade(engine)
    assert not is_current(engine)
    engine.dispose()


def test_tables_that_do_not_say_their_version_are_left_as_they_are(empty_url: str) -> None:
    engine = open_engine(empty_url)
    upgrade(engine)
    with writing(engine) as session:
        session.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(StoreError, match="does not say of which version"):
        upgrade(engine)
    engine.dispose()
