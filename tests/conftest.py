"""What all tests share: a database of each kind, and which of the two a test runs on.

SQL is written in the store, so its tests run on both kinds. So do tests marked `both_databases`:
they race, lock, kill, or have SQL of their own. Any other test runs on one: in `services` on
PostgreSQL, which is the stricter, elsewhere on SQLite. DRIP_TEST_DATABASES=both runs all on both.
"""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from drip.services import journeys
from drip.store.engine import open_engine
from drip.store.migrate import upgrade
from drip.store.schema import Row
from tests.servers.postgres import new_database, postgresql_server

BOTH = ["sqlite", "postgresql"]


def pytest_configure() -> None:
    """Have what tests start hear of Ctrl-C: a shell lets what it runs beside it ignore that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for an `engine`, and does not say itself which, on the kinds it is for."""
    said = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "engine" in metafunc.fixturenames and "engine" not in said:
        metafunc.parametrize("engine", _kinds_for(metafunc.definition), indirect=True)


def pytest_collection_finish() -> None:
    """Look no more for garbage in what stays to the end: the modules, and the tests themselves."""
    gc.freeze()


def _kinds_for(test: pytest.Item) -> list[str]:
    folder = test.path.relative_to(Path(__file__).parent).parts[0]
    everything = os.environ.get("DRIP_TEST_DATABASES") == "both"
    if everything or folder == "store" or test.get_closest_marker("both_databases"):
        return BOTH
    return ["postgresql"] if folder == "services" else ["sqlite"]


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


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Engine:
    """A database with all tables and no rows, of the kind that the test is for."""
    kept: Engine = request.getfixturevalue(f"kept_{request.param}")
    _empty(kept)
    return kept


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The address of a database without tables: the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'drip.db'}"
    return request.getfixturevalue("empty_postgresql")


def _empty(engine: Engine) -> None:
    """Take all rows out. Fifty times as quick as TRUNCATE, which makes new files for each table."""
    journeys._parsed.pop(engine, None)  # What never changes in a database is another's now.
    if engine.pool.checkedout():  # type: ignore[attr-defined]
        engine.dispose()  # What a test left open would be waited for.
    # A ledger goes with the rows that it is about, and can be emptied by itself in no other way.
    statements = [
        f"DELETE FROM {table.name}"
        for table in reversed(Row.metadata.sorted_tables)
        if not any(key.ondelete == "CASCADE" for key in table.foreign_keys)
    ]
    if engine.dialect.name == "postgresql":
        statements = ["; ".join([*statements, _NUMBERS_FROM_ONE])]
    with engine.execution_options(writes=True).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


_NUMBERS_FROM_ONE = (
    "SELECT setval(quote_ident(sequencename)::regclass, 1, false) "
    "FROM pg_sequences WHERE last_value IS NOT NULL"
)
