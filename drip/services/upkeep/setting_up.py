"""Setting up a folder: clinic.yaml, .env and the database, none of them ever overwritten."""

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from drip.config import ENV_FILE, ENV_SAMPLE
from drip.content.clinic_file import SAMPLE
from drip.errors import DripError, StoreError
from drip.store.migrate import is_current, upgrade
from drip.store.probing import missing_file

CLINIC_FILE = "clinic.yaml"


@dataclass(frozen=True, slots=True)
class Written:
    """The files that were written, and those that were there already and stay as they are."""

    new: tuple[str, ...]
    kept: tuple[str, ...]


def write_files(folder: Path) -> Written:
    """Write clinic.yaml and .env, the latter with a new secret and for its owner alone.

    Raises DripError where a file cannot be written.
    """
    env = ENV_SAMPLE.read_text(encoding="utf-8")
    texts = {
        CLINIC_FILE: (SAMPLE.read_text(encoding="utf-8"), 0o644),
        ENV_FILE: (env.replace("{secret_key}", secrets.token_urlsafe(32)), 0o600),
    }
    new = [name for name, (text, mode) in texts.items() if _write(folder / name, text, mode)]
    return Written(tuple(new), tuple(name for name in texts if name not in new))


def set_up_database(engine: Engine) -> bool:
    """Create the tables or bring them up to date; False if they were. Raises StoreError.

    A new SQLite file is readable by its owner alone: it holds patients' data.
    """
    path = missing_file(engine)
    if path is not None:
        # What is wrong with the folder is said better by the store.
        with contextlib.suppress(OSError):
            path.touch(mode=0o600)
    elif is_current(engine):
        return False
    upgrade(engine)
    return True


def is_set_up(engine: Engine) -> bool:
    """Whether the database is there and of this version; asking does not create it."""
    return missing_file(engine) is None and is_current(engine)


def need_set_up(engine: Engine) -> None:
    """Raise StoreError where the database is not there, or not of this version."""
    if not is_set_up(engine):
        raise StoreError("The database is not set up, or of another version: run `drip init`.")


def _write(path: Path, text: str, mode: int) -> bool:
    """Write a new file whole; False if there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    except OSError as error:
        raise DripError(f"{path} cannot be written: {error.strerror}.") from None
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise DripError(f"{path} cannot be written: {error.strerror}.") from None
    return True
