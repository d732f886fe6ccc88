"""How rows are added: many at once by the quickest way, and INSERT ... ON CONFLICT."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from drip.store.schema import Row
from drip.store.types import SQLITE

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert

_MANY = 3
"""From how many rows on COPY is quicker: it has to ask for the columns' types first."""


def insert_all(session: Session, row: type[Row], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows, all with the same keys; many by COPY on PostgreSQL, several times as quick."""
    if not rows:
        return
    if len(rows) < _MANY or session.get_bind().dialect.name == SQLITE:
        session.execute(_table(row).insert(), list(rows))
    else:
        _copy(session.connection(), _table(row), rows)


def insert_with_ids(
    session: Session, row: type[Row], rows: Sequence[Mapping[str, Any]]
) -> list[int]:
    """The same; gives the new ids, in the order of the rows."""
    if not rows:
        return []
    table = _table(row)
    if session.get_bind().dialect.name == SQLITE:
        statement = table.insert().returning(table.c.id, sort_by_parameter_order=True)
        return list(session.scalars(statement, list(rows)))
    new_id = func.nextval(func.pg_get_serial_sequence(table.name, "id"))
    many = func.generate_series(1, len(rows)).table_valued("n")
    ids = list(session.scalars(select(new_id).select_from(many)))
    numbered = [{"id": id_, **each} for id_, each in zip(ids, rows, strict=True)]
    _copy(session.connection(), table, numbered)
    return ids


def insert_or(session: Session, row: type[Row]) -> "Insert":
    """An INSERT into the row's table that may be told what to do `on_conflict`."""
    return insert_for(session.get_bind().dialect.name, row)


def insert_for(dialect: str, row: type[Row]) -> "Insert":
    """The same for a database, "postgresql" or "sqlite": for statements that are made once."""
    table = _table(row)
    if dialect == SQLITE:
        from sqlalchemy.dialects import sqlite

        return cast("Insert", sqlite.insert(table))  # the same methods
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def _table(row: type[Row]) -> Table:
    return cast(Table, row.__table__)


def _copy(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """COPY rows into a table. SQLAlchemy has no way to say it, so its part is done here: the
    defaults and types of the columns, and its errors.

    In the binary format, which takes a third of the time to write that text does. It has to be
    told the columns' types, as the database knows them. A whole number must fit its column: the
    driver cuts it off, which the database cannot see.
    """
    preset = {
        column.name: column.default.arg
        for column in table.columns
        if isinstance(column.default, ScalarElementColumnDefault) and column.name not in rows[0]
    }
    columns = [
        *(_stored(connection, table, name, map(itemgetter(name), rows)) for name in rows[0]),
        *(_stored(connection, table, name, repeat(value)) for name, value in preset.items()),
    ]
    names = ", ".join([*rows[0], *preset])
    statement = f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)"
    driver: Any = connection.connection.driver_connection
    dialect = connection.dialect
    errors = dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor:
            cursor.execute(f"SELECT {names} FROM {table.name} LIMIT 0")  # noqa: S608 - our names
            types = [column.type_code for column in cursor.description]
            with cursor.copy(statement) as copy:
                copy.set_types(types)
                for row in zip(*columns, strict=False):
                    copy.write_row(row)
    except errors as error:
        raise DBAPIError.instance(
            statement, None, error, errors, hide_parameters=True, dialect=dialect
        ) from error


def _stored(
    connection: Connection, table: Table, name: str, values: Iterable[Any]
) -> Iterable[Any]:
    """A column's values as the driver takes them."""
    type_ = table.c[name].type.dialect_impl(connection.dialect)
    processor = type_.bind_processor(connection.dialect)
    return map(processor, values) if processor else values
