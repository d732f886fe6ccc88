"""Bringing a database's tables up to date."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, inspect

from drip.errors import StoreError
from drip.store.engine import writing
from drip.store.failures import in_plain_words
from drip.store.schema import Row

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0002"
"""The newest revision in `migrations/versions`. Written here so that looking is cheap."""

LOCK = 0x64726970
"""The advisory lock of PostgreSQL that whoever changes the tables holds: "drip"."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSIONS = _MIGRATIONS / "versions"
_version = Table("alembic_version", MetaData(), Column("version_num", Text))


def upgrade(engine: Engine) -> None:
    """Create or change the tables to what this version of Drip needs; data stays.

    Does nothing to a database that is up to date. Several may call it at once: one works, the
    others wait. All is done in one transaction, or nothing. Raises StoreError.
    """
    if is_current(engine):
        return
    with writing(engine) as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        revision = _revision(connection)
        _refuse_unknown(connection, revision)
        if revision is None and connection.dialect.name == "sqlite":
            _create(connection)
        elif revision != HEAD:
            run_migrations(connection)


def is_current(engine: Engine) -> bool:
    """Whether the tables are those of this version of Drip. Raises StoreError."""
    with in_plain_words(engine.url), engine.connect() as connection:
        return _revision(connection) == HEAD


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.scalar(_version.select())


def _refuse_unknown(connection: Connection, revision: str | None) -> None:
    """Refuse tables that this version of Drip did not make, and so cannot bring up to date."""
    if revision is None:
        if inspect(connection).has_table(Row.metadata.sorted_tables[0].name):
            raise StoreError(
                "The database has tables but does not say of which version: restore it from a "
                "backup, or name another one in DRIP_DATABASE_URL."
            )
    elif not any(_VERSIONS.glob(f"{revision}_*.py")):
        raise StoreError(
            "The database was set up by a newer version of Drip: use that one, or name another "
            "database in DRIP_DATABASE_URL."
        )


def _create(connection: Connection) -> None:
    """Make all tables of an empty database at once, without the cost of importing Alembic."""
    Row.metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql(
        f"CREATE TABLE {_version.name} (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.execute(_version.insert().values(version_num=HEAD))


def run_migrations(connection: Connection) -> None:
    """Run what is missing of `migrations/versions`, in the connection's transaction."""
    from alembic import command

    command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection) -> "Config":
    """What Alembic's commands need, `revision(..., autogenerate=True)` for one."""
    from alembic.config import Config

    attributes: dict[str, Any] = {"connection": connection}
    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
