"""A CSV file of bookings, read a line at a time; memory does not grow with the file."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TextIO

from drip.errors import InvalidInput
from drip.intake.booking import Booking, Defaults, read_booking

COLUMNS = (
    "name", "phone", "email", "session", "language", "timezone", "route", "wording", "ref",
    "booked", "consent", "consent_how", "schedule",
)  # fmt: skip
REQUIRED = ("name", "session")
REJECT_COLUMNS = ("line", "reason")
"""What a file of rejected lines has before its other columns. Mended, it can be read again."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One record of the file: where it ended, its raw values, and the booking or why not."""

    number: int
    raw: tuple[str, ...]
    booking: Booking | None
    error: str | None


class CsvFile:
    """An open CSV file: its header, its delimiter and its encoding are found out first.

    UTF-8 (with or without a byte order mark) or Windows-1252; comma, semicolon or tab.
    Raises InvalidInput where the file cannot be read or its columns are not understood.
    """

    def __init__(self, path: Path, defaults: Defaults) -> None:
        self.path = path
        self._defaults = defaults
        with ExitStack() as undo:
            self._file = _open(path)
            undo.callback(self._file.close)
            delimiter = _delimiter(self._file.readline())
            self._file.seek(0)
            self._reader = csv.reader(self._file, delimiter=delimiter, strict=True)
            try:
                header = tuple(next(self._reader, ()))
            except csv.Error as error:
                raise InvalidInput(f"{path}:1: this is not a CSV file: {error}.") from None
            self._skipped = len(REJECT_COLUMNS) if header[:2] == REJECT_COLUMNS else 0
            self.header = header[self._skipped :]
            self._columns = _columns(path, self.header)
            undo.pop_all()

    def __iter__(self) -> Iterator[Line]:
        """The records in order, blank ones left out."""
        while True:
            try:
                raw = next(self._reader, None)
            except csv.Error as error:
                yield Line(self._reader.line_num, (), None, f"This is not valid CSV: {error}.")
                continue
            if raw is None:
                return
            if any(value.strip() for value in raw):
                yield self._line(tuple(raw[self._skipped :]))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _line(self, raw: tuple[str, ...]) -> Line:
        number = self._reader.line_num
        if len(raw) != len(self.header):
            said = f"There are {len(raw)} values for {len(self.header)} columns."
            return Line(number, raw, None, said)
        fields = {column: raw[place] for column, place in self._columns.items()}
        try:
            return Line(number, raw, read_booking(fields, self._defaults), None)
        except InvalidInput as error:
            return Line(number, raw, None, str(error))


def count_lines(path: Path) -> int:
    """How many lines the file has, for a progress bar."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))


def _open(path: Path) -> TextIO:
    try:
        encoding = _encoding(path)
        return path.open(encoding=encoding, newline="")
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {path}.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None


def _encoding(path: Path) -> str:
    """UTF-8 if the whole file is; otherwise what Excel on Windows writes."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for encoding in ("utf-8-sig", "cp1252"):
        if b"\0" not in start and _decodes(path, encoding):
            return encoding
    raise InvalidInput(f"{path} is not a text file: save it as CSV (UTF-8).")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Which place each column of ours has in the file."""
    found: dict[str, int] = {}
    for place, title in enumerate(header):
        name = "_".join(title.strip().lower().replace("-", " ").split())
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InvalidInput(
                f"{path}:1: there is no column {title.strip()!r}.{hint} "
                f"Use {', '.join(COLUMNS)}, and leave out the rest."
            )
        if name in found:
            raise InvalidInput(f"{path}:1: the column {name} is there twice.")
        found[name] = place
    missing = [name for name in REQUIRED if name not in found]
    if missing or not {"phone", "email"} & found.keys():
        needed = ", ".join(missing) or "phone or email"
        raise InvalidInput(f"{path}:1: a column is missing: {needed}.")
    return found
