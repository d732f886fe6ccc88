"""`drip status`: how sending goes, once or for as long as somebody looks."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from drip.app import App
from drip.cli.printing import as_json, print_json, said, wrapped
from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.errors import StoreError
from drip.services.staff.status import ClinicStatus, clinic_status, meaning_of
from drip.store.attempts import Failures
from drip.store.figures import Sends

if TYPE_CHECKING:
    from drip.providers.redis_queues import Broker

_ON_TIME = timedelta(minutes=1)
"""Sending is not called late before that."""

_TICK_OVERDUE = timedelta(seconds=30)
"""Somebody looks for what is due each second; after that long nobody does."""

_NAMED = {Channel.SMS: "Texts", Channel.EMAIL: "Emails"}
_ANSWERS = {
    "accepted": "accepted",
    "retry": "to be tried again",
    "rejected": "refused",
    "unknown": "no answer",
    "not_sent": "never arrived there",
}
_COLOURS = {"rejected": "red", "unknown": "yellow", "retry": "yellow", "not_sent": "yellow"}
_SIDE = 13
"""Characters that the name of a line takes."""


@click.command()
@click.option(
    "--watch",
    is_flag=False,
    flag_value=2.0,
    type=click.FloatRange(0.2, 3600),
    metavar="[SECONDS]",
    help="Show it again and again, every 2 seconds or as said, until Ctrl-C.",
)
@as_json
def status(watch: float | None, as_json: bool) -> None:
    """Show how sending goes: what waits, what was answered, what failed.

    With --watch, deliveries that are done with are not counted each time.
    """
    app = App.from_environment()
    scope, broker = app.scope, _broker(app)

    def look() -> ClinicStatus:
        return clinic_status(scope, app.clock(), broker, count_all=watch is None)

    def page() -> list[str]:
        try:
            return list(_page(look(), scope.clinic.name, scope.clinic.zone))
        except StoreError as error:
            if watch is None:
                raise
            return list(_line("Database", str(error), "red"))

    try:
        if watch is None:
            print_json(look().as_json()) if as_json else _print(page())
        elif as_json:
            _repeat(watch, lambda: print_json(look().as_json()))
        elif sys.stdout.isatty():
            _watch(watch, page)
        else:
            _repeat(watch, lambda: _print([*page(), ""]))
    finally:
        if broker is not None:
            broker.close()


def _broker(app: App) -> "Broker | None":
    if app.settings.redis_url is None:
        return None
    from drip.providers.redis_queues import Broker
    from drip.worker.celery_app import QUEUES

    return Broker(app.settings.redis_url.reveal(), QUEUES)


# --- Again and again ----------------------------------------------------------------------------


def _repeat(seconds: float, show: Callable[[], None]) -> None:
    try:
        while True:
            show()
            sys.stdout.flush()
            time.sleep(seconds)
    except KeyboardInterrupt:
        return


def _watch(seconds: float, page: Callable[[], list[str]]) -> None:
    """On a screen of its own; what was seen last stays when it ends."""
    from rich.live import Live
    from rich.text import Text

    last: list[str] = []

    def show() -> None:
        last[:] = page()
        live.update(Text.from_ansi("\n".join([*last, _HINT])), refresh=True)

    with Live(auto_refresh=False, screen=True) as live:
        _repeat(seconds, show)
    _print(last)


_HINT = "\n" + click.style("  Ctrl-C ends this view.", dim=True)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


# --- The page -----------------------------------------------------------------------------------


def _page(found: ClinicStatus, clinic: str, zone: ZoneInfo) -> Iterator[str]:
    """All that there is to say, in lines of 80 columns."""
    now = f"{said(found.now, zone)}:{found.now:%S}"
    yield click.style(clinic, bold=True) + click.style(f"  {now} ({zone})", dim=True)
    yield ""
    yield from _sending(found, zone)
    yield from _waiting(found)
    yield from _unsure(found)
    yield from _queues(found)
    yield ""
    yield from _answers(found.sends)
    if found.failures:
        yield ""
        yield from _failures(found)
    if found.counts:
        yield ""
        yield from _all_of(found.counts)


def _sending(found: ClinicStatus, zone: ZoneInfo) -> Iterator[str]:
    next_due_at = found.backlog.next_due_at
    if next_due_at is None:
        yield from _line("Sending", "nothing is planned")
    elif found.lag < _ON_TIME:
        text = "on time" if found.backlog.due else f"on time; next {said(next_due_at, zone)}"
        yield from _line("Sending", text, "green")
    else:
        behind = f"behind: the oldest due delivery has waited {_span(found.lag)}"
        yield from _line("Sending", f"{behind}. Is `drip run` or `drip worker` running?", "red")


def _waiting(found: ClinicStatus) -> Iterator[str]:
    backlog = found.backlog
    yield from _line(
        "Waiting",
        _listed((backlog.due, "due"), (found.retrying, "retrying"), (backlog.held, "held")),
    )
    yield from _line(
        "In hand", _listed((backlog.claimed, "claimed"), (backlog.sending, "being sent"))
    )


def _unsure(found: ClinicStatus) -> Iterator[str]:
    backlog = found.backlog
    if backlog.unknown and backlog.oldest_unknown is not None:
        since = _span(found.now - backlog.oldest_unknown)
        text = f"{backlog.unknown}: no answer came back, may have arrived; oldest {since}"
        yield from _line("Unknown", text, "yellow")
    else:
        yield from _line("Unknown", "nothing")
    if not found.open_tasks:
        yield from _line("Open tasks", "none")
        return
    urgent = f", {found.urgent_tasks} urgent" if found.urgent_tasks else ""
    colour = "yellow" if found.urgent_tasks else None
    yield from _line("Open tasks", f"{found.open_tasks}{urgent}: `drip tasks`", colour)


def _queues(found: ClinicStatus) -> Iterator[str]:
    if not found.uses_redis:
        return
    if found.queued is None:
        yield from _line("Redis", "away; nothing is lost, sending goes on when it is back", "red")
        return
    depths = (f"{name} {depth}" for name, depth in found.queued.depths.items())
    yield from _line("Queues", " · ".join(depths))
    last_tick = found.queued.last_tick
    if last_tick is None:
        yield from _line("Last tick", "none yet: is `drip beat` running?", "yellow")
    elif (age := found.now - last_tick) > _TICK_OVERDUE:
        yield from _line("Last tick", f"{_span(age)} ago: is `drip beat` running?", "red")
    else:
        ago = f"{_span(age)} ago" if age >= timedelta(seconds=2) else "just now"
        yield from _line("Last tick", ago)


def _answers(sends: Iterable[Sends]) -> Iterator[str]:
    rows = list(sends)
    if not rows:
        yield click.style("Nothing was sent in the last 24 hours.", dim=True)
        return
    yield click.style(f"{'Sent':30}{'last hour':>12}{'last 24 hours':>16}", bold=True)
    before = None
    for row in rows:
        name = _NAMED[row.channel] if row.channel is not before else ""
        before = row.channel
        answer = click.style(f"{_ANSWERS[row.outcome]:19}", fg=_COLOURS.get(row.outcome))
        yield f"  {name:9}{answer}{row.last_hour:>12,}{row.last_day:>16,}"


def _failures(found: ClinicStatus) -> Iterator[str]:
    yield click.style("Not accepted in the last 24 hours", bold=True)
    for each in found.failures:
        start = f"  {each.count:>6,}  "
        lines = wrapped(_failure_said(each), len(start))
        yield start + lines[0]
        yield from (" " * len(start) + line for line in lines[1:])


def _failure_said(failures: Failures) -> str:
    if failures.outcome == "unknown":  # its code is in words
        return f"{failures.provider}, no answer: {failures.code}"
    return f"{failures.provider} {failures.code}: {meaning_of(failures)}".rstrip(": ")


def _all_of(counts: dict[Status, int]) -> Iterator[str]:
    every = _listed(*((counts[each], each.value) for each in Status if each in counts))
    yield from _line("All", every, dim=True)


def _line(
    name: str, text: str, colour: str | None = None, *, dim: bool | None = None
) -> Iterator[str]:
    first, *rest = wrapped(text, _SIDE + 2)
    label = click.style(f"  {name:{_SIDE}}", dim=True)
    yield label + click.style(first, fg=colour, dim=dim)
    yield from (" " * (_SIDE + 2) + click.style(line, fg=colour, dim=dim) for line in rest)


def _listed(*counts: tuple[int, str]) -> str:
    return " · ".join(f"{count:,} {name}" for count, name in counts if count) or "nothing"


def _span(span: timedelta) -> str:
    """A span of time in its largest unit, as in "3 hours"."""
    seconds = max(int(span.total_seconds()), 0)
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{seconds} second" if seconds == 1 else f"{seconds} seconds"
