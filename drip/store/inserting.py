"""INSERT ... ON CONFLICT, which both databases know and SQLAlchemy keeps in two places."""

from typing import TYPE_CHECKING, cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from drip.store.schema import Row

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert


def insert_or(session: Session, row: type[Row]) -> "Insert":
    """An INSERT into the row's table that may be told what to do `on_conflict`."""
    table = cast(Table, row.__table__)
    if session.get_bind().dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return cast("Insert", sqlite.insert(table))  # the same methods
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
