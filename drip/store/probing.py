"""Whether the database works, asked without leaving anything in it."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, func, select, text, update

from drip.errors import StoreError
from drip.store.engine import reading, writing
from drip.store.schema import Clinic, Enrollment


def missing_file(engine: Engine) -> Path | None:
    """The SQLite file that is not there yet; None where it is, or on a server."""
    url = engine.url
    if url.get_backend_name() != "sqlite" or "uri" in url.query:
        return None
    path = Path(str(url.database))
    return None if path.exists() else path


def try_reading(engine: Engine) -> None:
    """Read all of a SQLite file once. Raises StoreError where it is damaged."""
    if engine.url.get_backend_name() != "sqlite":
        return
    with reading(engine) as session:
        found = session.scalars(text("PRAGMA quick_check(1)")).all()
    if found != ["ok"]:
        raise StoreError("The database file is damaged; restore it from a backup")


def try_writing(engine: Engine) -> None:
    """Write nothing, in a transaction of its own. Raises StoreError where that cannot be done."""
    with writing(engine) as session:
        session.execute(update(Clinic).where(Clinic.id < 0).values(key=Clinic.key))


def server_time(engine: Engine) -> datetime | None:
    """The clock of the database server; None where there is no server."""
    if engine.url.get_backend_name() == "sqlite":
        return None
    with reading(engine) as session:
        return session.scalar(select(func.clock_timestamp()))


def last_enrolled_at(engine: Engine) -> datetime | None:
    """When the newest enrollment was made; None if there is none."""
    with reading(engine) as session:
        return session.scalar(select(Enrollment.created_at).order_by(Enrollment.id.desc()).limit(1))
