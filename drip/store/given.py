"""Many rows as one parameter, to be joined with: one statement for a whole batch.

The statement is the same for every number of rows, so that it is compiled and planned once. Join
on an id alone: with another condition beside it PostgreSQL may take a partial index for the
better way in and read it once for each row.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, FromClause, Text, bindparam, cast, column, func, select
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from drip.store.types import SQLITE, to_text


def given(
    session: Session, columns: Mapping[str, TypeEngine[Any]], rows: Sequence[object]
) -> FromClause:
    """Rows to join with: words, whole numbers and instants (aware); missing keys are NULL.

    A row is a mapping, or anything with the columns as attributes.
    """
    listed = [row if isinstance(row, Mapping) else _taken_from(row, columns) for row in rows]
    many = bindparam("given", json.dumps(listed, default=to_text), type_=Text())
    if session.get_bind().dialect.name == SQLITE:
        each = func.json_each(many).table_valued("value", name="json_each")
        found = [
            func.json_extract(each.c.value, f"$.{name}", type_=type_).label(name)
            for name, type_ in columns.items()
        ]
        return select(*found).select_from(each).subquery("given")
    typed = [column(name, type_) for name, type_ in columns.items()]
    records = func.json_to_recordset(cast(many, JSON))
    return records.table_valued(*typed).render_derived("given", with_types=True)


def _taken_from(row: object, columns: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in columns}
