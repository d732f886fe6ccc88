"""`drip demo`: whole journeys on a fast clock, with no set-up."""

import logging
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import structlog

from drip.cli.printing import as_json, print_json, print_table
from drip.clock import system_clock
from drip.content.clinic_file import sample_clinic
from drip.content.sources import content_dir
from drip.core.schedule import Channel
from drip.errors import DripError, InvalidInput
from drip.providers.outbox import Outbox
from drip.services.outbound.sending import Sender
from drip.services.scope import open_scope
from drip.services.trials.demo import Happening, Sample, play
from drip.store.engine import open_engine
from drip.store.migrate import upgrade

_OURS = re.compile(r"index\.html|delivery-\d+\.(txt|eml|html)")
"""What a demo leaves in its folder."""

_START = 10
"""The hour of the sample clinic's clock at which the demo's patients book."""


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("drip-demo"),
    show_default=True,
    help="The folder that the messages go to.",
)
@as_json
def demo(out: Path, as_json: bool) -> None:
    """Play four patients' whole journeys on a fast clock, with no set-up.

    The planner, the renderer and the sender are the real ones; the database is thrown away and
    the messages go to a folder, with a page to open in a browser.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    _prepare(out)
    clinic = sample_clinic()
    start = _next_monday(system_clock().astimezone(clinic.zone))
    content = content_dir()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'demo.db'}")
        upgrade(engine)
        outbox = Outbox(out)
        sender = Sender(engine, content, dict.fromkeys(Channel, outbox))
        people = play(open_scope(engine, content, clinic, start), sender, start)
        engine.dispose()
    if as_json:
        print_json([_json(sample) for sample in people])
        return
    for sample in people:
        title = f"{sample.name}, {sample.story}"
        rows = [_row(happening, clinic.zone) for happening in sample.timeline]
        print_table(("When", "What", "How"), rows, title)
        click.echo()
    sent = sum(len(happening.channels) for sample in people for happening in sample.timeline)
    click.echo(f"{sent} messages were sent into {out}: open {out / 'index.html'} to read them.")


def _next_monday(now: datetime) -> datetime:
    """A working day to begin on, so that the sample sessions fall on working days too; in UTC."""
    monday = now + timedelta(days=7 - now.weekday())
    return monday.replace(hour=_START, minute=0, second=0, microsecond=0).astimezone(UTC)


def _prepare(out: Path) -> None:
    """Make the folder, or empty it of an earlier demo. One that holds other things is refused."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        there = list(out.iterdir())
        if not all(_OURS.fullmatch(path.name) and path.is_file() for path in there):
            raise InvalidInput(f"{out} holds other things: name another folder with --out.")
        for path in there:
            path.unlink()
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        said = f"{out} cannot be written: {error.strerror}; name another folder with --out."
        raise DripError(said) from None


def _row(happening: Happening, zone: ZoneInfo) -> tuple[str, str, str]:
    when = f"{happening.at.astimezone(zone):%a %b %d %H:%M}"
    return when, happening.what, ", ".join(happening.channels)


def _json(sample: Sample) -> dict[str, object]:
    return {
        "patient": sample.name,
        "story": sample.story,
        "timeline": [
            {"at": each.at, "what": each.what, "channels": list(each.channels)}
            for each in sample.timeline
        ],
    }
