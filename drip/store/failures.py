"""What went wrong in the database, said in one line that names the way out."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from drip.errors import StoreError

_SAVE = "nothing was changed"

_SQLITE = {
    "SQLITE_BUSY": f"is locked by another process; {_SAVE}, try again in a moment",
    "SQLITE_LOCKED": f"is locked by another process; {_SAVE}, try again in a moment",
    "SQLITE_READONLY": "is read-only; give this user the right to write the file and its folder",
    "SQLITE_CANTOPEN": "cannot be opened; its folder must exist and be writable",
    "SQLITE_FULL": f"is on a full disk; {_SAVE}, free some space and try again",
    "SQLITE_IOERR": "cannot be read or written; check the disk",
    "SQLITE_CORRUPT": "is damaged; restore it from a backup",
    "SQLITE_NOTADB": "is not a Drip database; name another file in DRIP_DATABASE_URL",
    "SQLITE_PERM": "may not be used by this user; change the owner of the file",
    "SQLITE_AUTH": "may not be used by this user; change the owner of the file",
}

_NO_TABLES = "is empty or of another version of Drip; run `drip init` to bring it up to date"

_POSTGRESQL = {
    "08": "cannot be reached; check that it runs and that DRIP_DATABASE_URL is right",
    "28": "refuses this user or password; check DRIP_DATABASE_URL",
    "3D": "does not exist on that server; create it or check DRIP_DATABASE_URL",
    "42501": "forbids this to the user; grant it the right to use and create tables",
    "42P01": _NO_TABLES,
    "42703": _NO_TABLES,
    "25006": "is read-only; check that DRIP_DATABASE_URL names the primary server",
    "53100": f"is on a full disk; {_SAVE}, free some space and try again",
    "53300": "has no connection free; close some or raise its max_connections",
    "55P03": f"is locked by another process; {_SAVE}, try again in a moment",
    "57014": f"took too long; {_SAVE}, try again when it is less busy",
    "57P": "is shutting down or starting; try again in a moment",
    "40": f"was changed by another process at the same time; {_SAVE}, try again",
}


@contextmanager
def in_plain_words(url: URL) -> Iterator[None]:
    """Turn what the database may do to anybody into StoreError; let faults of Drip pass.

    The database's own message is dropped where it may quote a patient's data.
    """
    try:
        yield
    except PoolTimeout as error:
        raise StoreError(f"The database {_named(url)} has no connection free; try again") from error
    except IntegrityError as error:
        raise StoreError(
            f"The database refuses a row that breaks {_broken_rule(error)}; {_SAVE}. If two "
            "processes wrote the same thing at once, try again"
        ) from None
    except DBAPIError as error:
        said = _said(error.orig)
        if said is None:
            raise
        raise StoreError(f"The database {_named(url)} {said}") from error


def _named(url: URL) -> str:
    """Which database, without user and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    # A password with an @ in it that was not written as %40 ends up in the host.
    host = str(url.host or url.query.get("host", "localhost")).rpartition("@")[2]
    return f"{url.database or ''} at {host}"


def _said(error: BaseException | None) -> str | None:
    if isinstance(error, sqlite3.Error):
        return _said_by_sqlite(error)
    return _said_by_postgresql(error)


def _said_by_sqlite(error: sqlite3.Error) -> str | None:
    name = getattr(error, "sqlite_errorname", "")
    for start, said in _SQLITE.items():
        if name.startswith(start):
            return said
    if str(error).startswith(("no such table", "no such column")):
        return _NO_TABLES
    return None


def _said_by_postgresql(error: BaseException | None) -> str | None:
    # psycopg is not imported for this: who uses SQLite does without it.
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is None:
        return _POSTGRESQL["08"] if type(error).__name__ == "OperationalError" else None
    return next((said for start, said in _POSTGRESQL.items() if sqlstate.startswith(start)), None)


def _broken_rule(error: IntegrityError) -> str:
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return str(diagnosis.constraint_name or diagnosis.column_name or "a rule")
    return str(error.orig).removesuffix(" constraint failed")
