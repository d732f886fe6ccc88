"""A sign of life: a file that a process touches while it works, and somebody may look at.

It costs nothing, needs no free worker and no Redis, and works in a container without a shell.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drip.errors import DripError

EVERY = 5.0
"""Seconds between two signs of life, or less."""

LATE = timedelta(seconds=30)
"""A process that has been silent for longer is not well."""


class HealthFile:
    """The file of this process: it holds the process id, and its age is that of the last sign."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def touch(self) -> None:
        """Give a sign of life."""
        try:
            os.utime(self._path)
        except FileNotFoundError:
            # Whole at once: who looks never sees it empty.
            new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            new.write_text(f"{os.getpid()}\n", encoding="ascii")
            new.replace(self._path)

    def remove(self) -> None:
        """Say that the process does not work, or does not any more."""
        self._path.unlink(missing_ok=True)


@contextmanager
def health_file(path: Path | None) -> Iterator[HealthFile | None]:
    """The health file of a process that begins now; it is gone when the process ends.

    None where none is asked for. Raises DripError where it cannot be written.
    """
    if path is None:
        yield None
        return
    file = HealthFile(path)
    try:
        file.touch()
        file.remove()
    except OSError as error:
        said = f"The health file {path} cannot be written: {error.strerror}."
        raise DripError(said) from None
    try:
        yield file
    finally:
        file.remove()


def what_is_wrong(path: Path, now: datetime) -> str | None:
    """What is wrong with the process whose health file this is; None where it is well.

    It must have given a sign of life (see `HealthFile`) less than 30 seconds before `now`, aware.
    """
    try:
        process = int(path.read_text(encoding="ascii"))
        seen_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return f"No process is at work that writes {path}."
    except (OSError, ValueError):
        return f"{path} is not a health file, or cannot be read."
    if not _is_there(process):
        return f"Process {process} has ended."
    if now - seen_at > LATE:
        silent = int((now - seen_at).total_seconds())
        return f"Process {process} has given no sign of life for {silent} seconds."
    return None


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
