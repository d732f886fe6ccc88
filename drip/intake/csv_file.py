"""A CSV file of bookings, read a line at a time; memory does not grow with the file."""

import codecs
import csv
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple, TextIO

from drip.errors import InvalidInput
from drip.intake.booking import Booking, Defaults, read_booking
from drip.intake.fields import quoted

COLUMNS = (
    "name", "phone", "email", "session", "language", "timezone", "route", "wording", "ref",
    "booked", "consent", "consent_how", "schedule",
)  # fmt: skip
REQUIRED = ("name", "session")
REJECT_COLUMNS = ("line", "reason")
"""What a file of rejected lines has before its other columns. Mended, it can be read again."""

_NO_TITLES = "there is nothing here: the first line names the columns, as name, phone, session."
_CHUNK = 1 << 20
_OPEN = "unexpected end of data"
"""What `csv` says of a quote that is not closed."""
_MOST_LINES = 10
"""Lines that one record may go over, where a value has line breaks in quotes."""


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
            self._records = _records(self._file, delimiter)
            first = next(self._records, None)
            if first is None or not any(title.strip() for title in first.values):
                raise InvalidInput(f"{path}:1: {_NO_TITLES}")
            if first.error is not None:
                raise InvalidInput(f"{path}:1: {first.error}")
            header = first.values
            self._skipped = len(REJECT_COLUMNS) if header[:2] == REJECT_COLUMNS else 0
            self.header = header[self._skipped :]
            self._columns = _columns(path, self.header)
            undo.pop_all()

    def __iter__(self) -> Iterator[Line]:
        """The records in order, blank ones left out."""
        for record in self._records:
            raw = record.values[self._skipped :]
            if record.error is not None:
                yield Line(record.number, raw, None, record.error)
            elif any(value.strip() for value in raw):
                yield self._line(record.number, raw)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _line(self, number: int, raw: tuple[str, ...]) -> Line:
        if len(raw) != len(self.header):
            said = f"The line does not fit: {len(self.header)} columns, but its values: {len(raw)}."
            return Line(number, raw, None, said)
        fields = {column: raw[place] for column, place in self._columns.items()}
        try:
            return Line(number, raw, read_booking(fields, self._defaults), None)
        except InvalidInput as error:
            return Line(number, raw, None, str(error))


class _Record(NamedTuple):
    """The values of a record, the line it ended on, and what is wrong with it as CSV."""

    number: int
    values: tuple[str, ...]
    error: str | None = None


def _records(file: TextIO, delimiter: str) -> Iterator[_Record]:
    """The records of a file. A quote that is not closed spoils its own line, not those below."""
    lines, below = iter(file), deque[str]()
    number = 0
    while (line := below.popleft() if below else next(lines, None)) is not None:
        taken, values = [line], _values([line], delimiter)
        while values == _OPEN and len(taken) < _MOST_LINES:
            more = below.popleft() if below else next(lines, None)
            if more is None:
                break
            taken.append(more)
            values = _values(taken, delimiter)
        if isinstance(values, str):
            below.extendleft(reversed(taken[1:]))
            number += 1
            said = "A quote is opened and not closed." if values == _OPEN else f"{values}."
            as_it_stands = tuple(line.rstrip("\r\n").split(delimiter))
            yield _Record(number, as_it_stands, f"This is not valid CSV: {said}")
        else:
            number += len(taken)
            yield _Record(number, values)


def _values(lines: Sequence[str], delimiter: str) -> tuple[str, ...] | str:
    """The values of one record, or what is wrong with it."""
    try:
        return tuple(next(csv.reader(lines, delimiter=delimiter, strict=True)))
    except csv.Error as error:
        return str(error)


def count_lines(path: Path) -> int:
    """How many lines the file has, for a progress bar."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK), b""))


def _open(path: Path) -> TextIO:
    try:
        if path.exists() and not path.is_file():
            raise InvalidInput(f"{path} cannot be read: it is not a file. Save the list as one.")
        encoding = _encoding(path)
        return path.open(encoding=encoding, newline="")
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {quoted(str(path))}.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from None


def _encoding(path: Path) -> str:
    """UTF-8 if the whole file is; otherwise what Excel on Windows writes."""
    with path.open("rb") as file:
        start = file.read(4)
    is_wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if is_wide else ("utf-8-sig", "cp1252"):
        if _decodes(path, encoding):
            return encoding
    raise InvalidInput(f"{path} is not a text file: save it as CSV (UTF-8).")


def _decodes(path: Path, encoding: str) -> bool:
    """Whether the file is text in that encoding: no text has a character 0 in it."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                if "\0" in decoder.decode(chunk):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeError:
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
        if not {"phone", "email"} & found.keys():
            missing.append("phone or email")
        needed = ", ".join(missing)
        raise InvalidInput(f"{path}:1: a column is missing: {needed}.")
    return found
