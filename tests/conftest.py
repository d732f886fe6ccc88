"""What all tests share: a database of each kind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from drip.store.engine import open_engine
from drip.store.migrate import upgrade
from drip.store.schema import Row
from tests.servers.postgres import new_database, postgresql_server


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server, the same for all workers of the test run."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if own.name.startswith("popen-") else own
    with postgresql_server(shared) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> Iterator[str]:
    """The name of a database with all tables and no rows, to be copied."""
    with new_database(postgresql) as url:
        engine = open_engine(url)
        upgrade(engine)
        engine.dispose()
        yield str(engine.url.database)


@pytest.fixture(scope="session")
def kept_postgresql(postgresql: str, postgresql_template: str) -> Iterator[Engine]:
    """One database for all tests of a worker: an engine that is kept knows its statements."""
    with new_database(postgresql, postgresql_template) as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def kept_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The same in a file."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('kept') / 'drip.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql_engine(kept_postgresql: Engine) -> Engine:
    """A PostgreSQL database with all tables and no rows."""
    _empty(kept_postgresql)
    return kept_postgresql


@pytest.fixture
def empty_postgresql(postgresql: str) -> Iterator[str]:
    """The address of a new PostgreSQL database without tables."""
    with new_database(postgresql) as url:
        yield url


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """A new SQLite database with all tables, in a file."""
    engine = open_engine(f"sqlite:///{tmp_path / 'drip.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A database with all tables and no rows: the test runs once on each kind."""
    kept: Engine = request.getfixturevalue(f"kept_{request.param}")
    _empty(kept)
    return kept


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The address of a database without tables: the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'drip.db'}"
    return request.getfixturevalue("empty_postgresql")


def _empty(engine: Engine) -> None:
    names = [table.name for table in reversed(Row.metadata.sorted_tables)]
    statements = [f"DELETE FROM {name}" for name in names]
    if engine.dialect.name == "postgresql":
        statements = [f"TRUNCATE {', '.join(names)} RESTART IDENTITY CASCADE"]
    # What a test left open would be waited for.
    engine.dispose()
    with engine.execution_options(writes=True).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
