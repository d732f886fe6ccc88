"""`drip run`: everything in one process."""

import logging
import signal
import sys
import threading
from types import FrameType
from typing import Any, cast

import click
import structlog

from drip.app import App
from drip.cli.printing import note
from drip.worker.loop import run as run_loop


@click.command()
@click.option("--log-json", is_flag=True, help="Log as JSON lines, for a log collector.")
def run(log_json: bool) -> None:
    """Send what is due, in one process, until stopped with Ctrl-C.

    What is in hand is finished first. It may be killed at any moment: nothing is lost and
    nothing is sent twice.
    """
    configure_logs(as_json=log_json)
    app = App.from_environment()
    scope = app.scope
    sender = app.sender()
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        # From another thread: this one may be inside `stop`, holding its lock.
        threading.Thread(target=stop.set).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    names = {channel.value: provider.name for channel, provider in sender.providers.items()}
    note(f"Sending for {scope.clinic.name}: sms by {names['sms']}, email by {names['email']}.")
    note("Ctrl-C stops it.")
    run_loop(sender, app.clock, stop)
    for provider in sender.providers.values():
        provider.close()
    note("Stopped.")


def configure_logs(*, as_json: bool) -> None:
    """Send the log to standard error: ids only, never a patient's data."""
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            cast(Any, renderer),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
