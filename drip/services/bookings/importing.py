"""Many bookings from a CSV file, 500 patients at a time, each whole."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from drip.errors import InvalidInput
from drip.intake.csv_file import REJECT_COLUMNS, CsvFile, Line
from drip.services.bookings.enrolling import Refused, enroll_all
from drip.services.scope import Scope

AT_ONCE = 500
"""Patients in one transaction."""


@dataclass(slots=True)
class Imported:
    """How far an import has come: the last line done, what became of the lines, and calls.

    `counts` has `enrolled`, `changed`, `unchanged` and `rejected`. `to_call` counts patients
    with an essential step that no message can carry.
    """

    last_line: int = 1
    counts: Counter[str] = field(default_factory=Counter)
    to_call: int = 0
    rejects: Path | None = None


def import_csv(
    scope: Scope,
    file: CsvFile,
    rejects: Path,
    now: datetime,
    on_progress: Callable[[Imported], None] = lambda _progress: None,
) -> Imported:
    """Enrol the patients of a file; lines that cannot be taken go to `rejects` with the reason.

    Running it again goes on where it ended: what is enrolled already is left unchanged.
    `on_progress` is called after every commit with the same object that is returned.
    """
    progress = Imported()
    _remove(rejects, file.path)
    for lines in _batches(file, AT_ONCE):
        _import_batch(scope, lines, file.header, rejects, now, progress)
        progress.last_line = lines[-1].number
        on_progress(progress)
    return progress


def _import_batch(
    scope: Scope,
    lines: Sequence[Line],
    header: Sequence[str],
    rejects: Path,
    now: datetime,
    progress: Imported,
) -> None:
    good = [(line, line.booking) for line in lines if line.booking is not None]
    outcomes = enroll_all(scope, [booking for _, booking in good], now)
    rejected = [(line, str(line.error)) for line in lines if line.booking is None]
    for (line, _), outcome in zip(good, outcomes, strict=True):
        if isinstance(outcome, Refused):
            rejected.append((line, outcome.why))
        else:
            progress.counts[outcome.what] += 1
            progress.to_call += bool(outcome.plan.unsendable)
    if rejected:
        rejected.sort(key=lambda pair: pair[0].number)
        _write_rejects(rejects, header, rejected)
        progress.counts["rejected"] += len(rejected)
        progress.rejects = rejects


def _remove(rejects: Path, source: Path) -> None:
    """Take away what an earlier import left, and nothing else."""
    try:
        if not rejects.exists():
            return
        if not rejects.is_file() or rejects.samefile(source) or not _has_rejects(rejects):
            raise InvalidInput(
                f"{rejects} is there already and is not a rejects file: name another one."
            )
        rejects.unlink()
    except OSError as error:
        raise InvalidInput(f"{rejects} cannot be written: {error.strerror}.") from None


def _has_rejects(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).startswith(",".join(REJECT_COLUMNS).encode())


def _write_rejects(path: Path, header: Sequence[str], rejected: Iterable[tuple[Line, str]]) -> None:
    try:
        fresh = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow([*REJECT_COLUMNS, *header])
            writer.writerows([line.number, why, *line.raw] for line, why in rejected)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from None


def _batches(lines: Iterable[Line], size: int) -> Iterator[list[Line]]:
    rest = iter(lines)
    while batch := list(islice(rest, size)):
        yield batch
