"""`drip simulate`: weeks of a clinic's sending on a fast clock, with patients who do not exist."""

import gc
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import click
import structlog

from drip.app import App
from drip.cli.printing import as_json, note, print_json
from drip.cli.simulation_table import print_report
from drip.content.schedule_file import load_schedule
from drip.content.sources import ContentDir
from drip.core.clinic import Clinic, Texts
from drip.core.pace import RATES
from drip.core.schedule import DEFAULT_SCHEDULE, Channel
from drip.errors import DripError, InvalidInput
from drip.providers.nothing import Nothing
from drip.providers.outbox import Outbox
from drip.providers.protocol import Provider
from drip.services.scope import open_scope
from drip.services.trials.simulated_patients import MOST, patients
from drip.services.trials.simulation import Progress
from drip.services.trials.simulation import simulate as run_simulation
from drip.services.trials.simulation_report import Report, Wanted, report
from drip.store.throw_away import throw_away_engine

_OUTBOX = Path("drip-simulation")
_GARBAGE_EVERY = 100_000
"""How many new objects there are before garbage is looked for. Nearly all of it is a batch's own
and is gone with the batch: to look as often as usual takes a seventh of the time.
"""

_YEARS = range(2000, 2100)
"""In which a simulation may begin: around them there are calendars and clock changes."""

Show = Callable[[Progress], None]


def _a_number(
    _context: click.Context, _option: click.Parameter, value: float | None
) -> float | None:
    """What click's ranges let through: "nan" is below no limit and above none."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("it is not a number")
    return value


def _a_near_day(
    _context: click.Context, _option: click.Parameter, value: datetime | None
) -> datetime | None:
    if value is not None and value.year not in _YEARS:
        raise click.BadParameter(f"give a day from {_YEARS[0]} to {_YEARS[-1]}")
    return value


@click.command()
@click.option(
    "--patients", "count", type=click.IntRange(1, MOST), default=1000, show_default=True,
    metavar="N", help="How many patients book.",
)  # fmt: skip
@click.option(
    "--days", type=click.IntRange(1, 366), default=30, show_default=True,
    metavar="N", help="Over how many days they book.",
)  # fmt: skip
@click.option("--schedule", default=DEFAULT_SCHEDULE, show_default=True, metavar="NAME")
@click.option(
    "--rate", type=click.FloatRange(0.01, 100_000), metavar="N", callback=_a_number,
    help="The pace: texts a second.  [default: the clinic's]",
)  # fmt: skip
@click.option("--sender", type=click.Choice(tuple(RATES)), help="The pace of a kind of sender.")
@click.option("--seed", type=int, default=1, show_default=True, help="Draws other patients.")
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", callback=_a_near_day,
    help="The first day.  [default: next Monday]",
)  # fmt: skip
@click.option(
    "--provider", type=click.Choice(["none", "outbox"]), default="none", show_default=True,
    help=f"Where messages go: nowhere, or to files in the folder {_OUTBOX}.",
)  # fmt: skip
@click.option(
    "--price-per-part", "price", type=click.FloatRange(0, 100), default=0.0079, show_default=True,
    metavar="DOLLARS", callback=_a_number, help="What the carrier takes for a part.",
)  # fmt: skip
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with charts here.")
@as_json
def simulate(
    count: int,
    days: int,
    schedule: str,
    rate: float | None,
    sender: str | None,
    seed: int,
    start: datetime | None,
    provider: str,
    price: float,
    html: Path | None,
    as_json: bool,
) -> None:
    """Run weeks of sending on a fast clock, and show how the texts keep pace.

    The planner, the store and the sender are the real ones. The patients do not exist, the
    database is thrown away, and nothing is sent to anybody.
    """
    app = App.from_environment()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    clinic = _at_pace(app.clinic_or_sample, rate, sender)
    if not app.has_clinic:
        note("There is no clinic.yaml here: this is the sample clinic.")
    load_schedule(app.content, schedule)
    if html is not None:
        _refuse_unwritable(html)
    first_day = start.date() if start else _next_monday(app.clock().astimezone(clinic.zone).date())
    wanted = Wanted(count, days, schedule, seed, provider, first_day, price)
    try:
        with _garbage_seldom_looked_for():
            made = _made(app.content, clinic, wanted)
    except KeyboardInterrupt:
        raise DripError("Stopped: nothing of the simulation was kept.") from None
    if html is not None:
        from drip.cli.simulation_page import page

        html.write_text(page(made), encoding="utf-8")
    if as_json:
        print_json(made.as_json())
    else:
        print_report(made)
    if html is not None:
        note(f"{html} has the charts: open it in a browser.")


def _made(content: ContentDir, clinic: Clinic, wanted: Wanted) -> Report:
    """Run the simulation that is wanted, from the midnight of its first day on."""
    providers = _providers(wanted.provider)
    midnight = datetime.combine(wanted.first_day, time(), clinic.zone).astimezone(UTC)
    people = patients(
        clinic,
        content.languages(),
        wanted.schedule,
        count=wanted.patients,
        days=wanted.days,
        first_day=wanted.first_day,
        seed=wanted.seed,
    )
    last = max(each.booking.session_at for each in people) + timedelta(days=8)
    with throw_away_engine() as engine, _shown(midnight, last, wanted.patients) as show:
        scope = open_scope(engine, content, clinic, midnight)
        done = run_simulation(scope, providers, people, midnight, show)
        return report(scope, wanted, done)


@contextmanager
def _garbage_seldom_looked_for() -> Iterator[None]:
    usual = gc.get_threshold()
    gc.set_threshold(_GARBAGE_EVERY)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _at_pace(clinic: Clinic, rate: float | None, sender: str | None) -> Clinic:
    if rate is not None and sender is not None:
        raise InvalidInput("--rate and --sender both set the pace: give one of them.")
    if sender is not None:
        rate = RATES[sender]
    return clinic if rate is None else replace(clinic, texts=Texts(rate, clinic.texts.sender))


def _providers(name: str) -> Mapping[Channel, Provider]:
    if name == "none":
        return dict.fromkeys(Channel, Nothing())
    if _OUTBOX.exists() and (not _OUTBOX.is_dir() or any(_OUTBOX.iterdir())):
        raise InvalidInput(f"{_OUTBOX} is there already: move it away, or take --provider none.")
    return dict.fromkeys(Channel, Outbox(_OUTBOX))


def _refuse_unwritable(path: Path) -> None:
    """Find out before the work, not after it; what is there stays as it is until then."""
    is_new = not path.exists()
    try:
        with path.open("a", encoding="utf-8"):
            pass
        if is_new:
            path.unlink()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from None


def _next_monday(today: date) -> date:
    return today + timedelta(days=7 - today.weekday())


# --- Progress -----------------------------------------------------------------------------------


@contextmanager
def _shown(start: datetime, end: datetime, patients: int) -> Iterator[Show]:
    """A progress bar where somebody is looking, a line at the start of each tenth elsewhere."""
    if not sys.stderr.isatty():
        yield _in_lines(start, end, patients)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(28), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=(end - start).total_seconds())
        yield lambda progress: bar.update(
            task,
            completed=min(progress.now, end).timestamp() - start.timestamp(),
            description=_reached(progress, start, patients),
        )


def _in_lines(start: datetime, end: datetime, patients: int) -> Show:
    said = -1

    def show(progress: Progress) -> None:
        nonlocal said
        tenth = int(10 * ((progress.now - start) / (end - start)))
        if tenth > said:
            said = tenth
            click.echo(_reached(progress, start, patients), err=True)

    return show


def _reached(progress: Progress, start: datetime, patients: int) -> str:
    day = (progress.now - start).days + 1
    return (
        f"Day {day}: {progress.enrolled:,} of {patients:,} patients, "
        f"{progress.claimed:,} deliveries"
    )
