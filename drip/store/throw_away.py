"""A database that lives as long as a block of code and leaves nothing behind."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, event

from drip.store.engine import open_engine
from drip.store.migrate import upgrade


@contextmanager
def throw_away_engine() -> Iterator[Engine]:
    """A new SQLite database in a folder of its own, set up and empty; both are gone afterwards.

    It is quick because it need not outlast a power cut: nothing waits for the disk.
    """
    with TemporaryDirectory(prefix="drip-") as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'drip.db'}")
        event.listen(engine, "connect", _do_not_wait_for_the_disk)
        try:
            upgrade(engine)
            yield engine
        finally:
            engine.dispose()


def _do_not_wait_for_the_disk(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -65536")  # 64 MiB
