"""Many rows as one parameter, to be joined with: one statement for a whole batch.

The statement is the same for every number of rows, so that it is compiled and planned once. Join
on an id alone: with another condition beside it PostgreSQL may take a partial index for the
better way in and read it once for each row.

A statement with them is best made once for each dialect, and run with `listed`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    FromClause,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from drip.store.types import SQLITE, among_those, to_text


def dialect_of(session: Session) -> str:
    """The database that a session speaks to: "postgresql" or "sqlite"."""
    return session.get_bind().dialect.name


def given(dialect: str, columns: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """Rows to join with: words, whole numbers and instants (aware); missing keys are NULL."""
    many = bindparam("given", type_=Text())
    if dialect == SQLITE:
        each = func.json_each(many).table_valued("value", name="json_each")
        found = [
            func.json_extract(each.c.value, f"$.{name}", type_=type_).label(name)
            for name, type_ in columns.items()
        ]
        return select(*found).select_from(each).subquery("given")
    typed = [column(name, type_) for name, type_ in columns.items()]
    records = func.json_to_recordset(cast(many, JSON))
    return records.table_valued(*typed).render_derived("given", with_types=True)


def by_id(dialect: str, column: ColumnElement[int], given_id: Any) -> ColumnElement[bool]:
    """Join rows with those of a table by its id; the parameter `ids` has the ids once more.

    PostgreSQL would else read a small table whole. SQLite is kept from going by them (`+ 0`), and
    so looks up each given row by its id: the other way round it reads all of them for each.
    """
    named = column + 0 if dialect == SQLITE else column
    return and_(column == given_id, among_those(named, "ids"))


def listed(columns: Iterable[str], rows: Sequence[object]) -> dict[str, str]:
    """The parameter of `given`: each row is a mapping, or has the columns as attributes."""
    taken = [row if isinstance(row, Mapping) else _taken_from(row, columns) for row in rows]
    return {"given": json.dumps(taken, default=to_text)}


def _taken_from(row: object, columns: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in columns}
