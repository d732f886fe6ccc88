"""`drip import`: many patients from a file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from drip.app import App
from drip.cli.printing import as_json, note, print_json, warn
from drip.content.schedule_file import load_schedule
from drip.core.schedule import DEFAULT_SCHEDULE
from drip.errors import DripError, InvalidInput
from drip.intake.booking import Defaults
from drip.intake.csv_file import COLUMNS, CsvFile, count_lines
from drip.services.bookings.importing import Imported, import_csv

_WHATS = ("enrolled", "changed", "unchanged", "rejected")
_STOPPED = 130

Show = Callable[[Imported], None]


@click.group()
def import_() -> None:
    """Enrol many patients from a file."""


@import_.command(
    epilog=f"Columns: {', '.join(COLUMNS)}. Needed: name, session, and phone or email. Without "
    "consent nothing is sent."
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--source", default="csv", show_default=True, help="Where the refs come from.")
@click.option("--schedule", default=DEFAULT_SCHEDULE, show_default=True, metavar="NAME")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="Where lines go that cannot be taken.  [default: FILE.rejects.csv]",
)
@click.option("--by", default="import", show_default=True, help="Who took the consents.")
@as_json
def csv(
    file: Path, source: str, schedule: str, rejects: Path | None, by: str, as_json: bool
) -> None:
    """Enrol the patients of a CSV file, one in a line.

    It is safe to run again: who is enrolled already is left unchanged. Lines that cannot be
    taken are written to another file with the reason: mend them there and import that file. The
    exit status is 1 if not a single line could be taken.
    """
    app = App.from_environment()
    scope, clinic = app.scope, app.clinic
    rejects = rejects or file.parent / f"{file.stem}.rejects.csv"
    if rejects.resolve() == file.resolve():
        raise InvalidInput(f"--rejects names {file} itself: give another file.")
    load_schedule(app.content, schedule)  # wrong for one is wrong for all
    defaults = Defaults(
        country=clinic.country,
        zone=clinic.zone,
        language=clinic.language,
        languages=app.content.languages(),
        schedule=schedule,
        source=source,
        consent_by=by,
    )
    with closing(CsvFile(file, defaults)) as lines:
        done = _watched(file, lambda shown: import_csv(scope, lines, rejects, app.clock(), shown))
    if as_json:
        print_json(_json(done))
    else:
        _print(done)
    if done.rejects is not None:
        warn(f"{_lines(done.counts['rejected'])} could not be taken: see {done.rejects}.")
        if done.counts.keys() == {"rejected"}:
            sys.exit(1)


def _watched(file: Path, work: Callable[[Show], Imported]) -> Imported:
    """Do the work and show how far it is; say so too if it stops on the way."""
    reached = 1
    with _shown(count_lines(file)) as show:

        def on_progress(progress: Imported) -> None:
            nonlocal reached
            reached = progress.last_line
            show(progress)

        try:
            return work(on_progress)
        except KeyboardInterrupt:
            stopped = f"drip: {_stopped(reached)}"
        except DripError:
            if reached > 1:
                note(_stopped(reached))
            raise
    click.echo(stopped, err=True)
    sys.exit(_STOPPED)


def _stopped(reached: int) -> str:
    if reached == 1:
        return "Stopped before anything was done; run the same command again."
    return (
        f"Stopped after line {reached}: everything up to it is done; "
        "run the same command again to go on."
    )


@contextmanager
def _shown(total: int) -> Iterator[Show]:
    """A progress bar where somebody is looking, a line after each commit elsewhere."""
    if not sys.stderr.isatty():
        yield lambda progress: click.echo(_reached(progress, total), err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} lines"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("import", total=total)
        yield lambda progress: bar.update(task, completed=min(progress.last_line, total))


def _reached(progress: Imported, total: int) -> str:
    return f"{progress.last_line} of {max(total, progress.last_line)} lines, {_counted(progress)}"


def _counted(progress: Imported) -> str:
    counts = progress.counts
    return ", ".join(f"{counts[what]} {what}" for what in _WHATS if counts[what]) or "no patients"


def _print(done: Imported) -> None:
    click.echo(f"Imported: {_counted(done)}.")
    if done.to_call:
        who = "1 patient" if done.to_call == 1 else f"{done.to_call} patients"
        click.echo(f"{who} must be called, since messages cannot tell them all: `drip tasks`.")


def _json(done: Imported) -> dict[str, object]:
    return {
        "last_line": done.last_line,
        **{what: done.counts[what] for what in _WHATS},
        "to_call": done.to_call,
        "rejects": None if done.rejects is None else str(done.rejects),
    }


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"
