"""Column types: instants in UTC, and lists of ids or words as one parameter."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    String,
    Text,
    bindparam,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean, TypeDecorator, TypeEngine

SQLITE = "sqlite"


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: takes aware datetimes of any zone, gives them back in UTC.

    PostgreSQL keeps a `timestamptz`, SQLite a text of fixed width (`2026-12-10T14:00:00.000000Z`)
    that sorts by time. A naive datetime is refused with ValueError.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, a timestamp with time zone elsewhere."""
        if dialect.name == SQLITE:
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """From Python to the database."""
        return to_text if dialect.name == SQLITE else _to_utc

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], datetime | None]:
        """From the database to Python."""
        return _from_text if dialect.name == SQLITE else _to_utc


def _to_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() is None:
        raise ValueError(f"a naive datetime cannot be stored: {value!r}")
    return value.astimezone(UTC)


def to_text(value: datetime | None) -> str | None:
    """An instant as SQLite keeps it, and as PostgreSQL reads it too."""
    instant = _to_utc(value)
    return None if instant is None else instant.isoformat(timespec="microseconds")[:26] + "Z"


def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


class Words(TypeDecorator[Any]):
    """A word of a few: the values of a StrEnum or a Literal, kept as plain strings.

    Another word is a KeyError, on the way in and on the way out.
    """

    impl = String(32)
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind  # what SQLAlchemy knows the type by
        members = list(kind) if hasattr(kind, "__members__") else kind.__args__
        self._kept: dict[Any, str | None] = {None: None}
        self._kept |= {member: str(member) for member in members}
        self._meant: dict[str | None, Any] = {None: None}
        self._meant |= {str(member): member for member in members}

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """From Python to the database."""
        return self._kept.__getitem__

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], Any]:
        """From the database to Python."""
        return self._meant.__getitem__


class _Many(TypeDecorator[list[Any]]):
    """A list as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, *, words: bool) -> None:
        super().__init__()
        self.words = words

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == SQLITE:
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(ARRAY(Text() if self.words else BigInteger()))

    def process_bind_param(self, value: list[Any] | None, dialect: Dialect) -> Any:
        return json.dumps(value) if dialect.name == SQLITE else value


class _Membership(FunctionElement[bool]):
    """`column` is one of many."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Self:
        """A comparison as it is: `... = 1`, which SQLite would be given, hides the index."""
        return self


class _Among(_Membership):
    """`column` is one of a list that is a single parameter."""

    inherit_cache = True


@compiles(_Among, "postgresql")
def _among_array(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, many = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} = ANY({many})"


@compiles(_Among, "sqlite")
def _among_json(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, many = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({many}))"  # noqa: S608 - a parameter


def among(column: Any, values: Iterable[int] | Iterable[str]) -> ColumnElement[bool]:
    """`column IN values` as one parameter, however many they are.

    The statement stays the same for every length, so that it is compiled and planned once, and
    no limit on the number of parameters is met. `column` holds integers or words.
    """
    many = _Many(words=not isinstance(column.type, Integer))
    return _Among(column, bindparam(None, list(values), type_=many, unique=True))


def among_those(column: Any, name: str) -> ColumnElement[bool]:
    """The same for a statement that is made once: the list is the parameter of this name."""
    return _Among(column, bindparam(name, type_=_Many(words=not isinstance(column.type, Integer))))


class _Chosen(_Membership):
    """`column` is one of what a query chooses, which is run first."""

    inherit_cache = True


@compiles(_Chosen, "postgresql")
def _chosen_array(element: _Chosen, compiler: SQLCompiler, **kw: Any) -> str:
    column, query = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} = ANY(ARRAY{query})"


@compiles(_Chosen, "sqlite")
def _chosen_rows(element: _Chosen, compiler: SQLCompiler, **kw: Any) -> str:
    column, query = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} IN {query}"


def chosen(column: Any, ids: Select[Any]) -> ColumnElement[bool]:
    """`column IN (query)`, by the column's index always.

    For a limit that might be large PostgreSQL would read the whole table beside it instead.
    """
    return _Chosen(column, ids.scalar_subquery())
