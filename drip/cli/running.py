"""`drip run`: everything in one process."""

import signal
import sys
import threading
from types import FrameType

import click
import structlog

from drip.app import App
from drip.cli.printing import note
from drip.logs import configure_logs
from drip.worker.loop import run as run_loop
from drip.worker.metrics_server import serve_metrics

log = structlog.get_logger(__name__)


@click.command()
def run() -> None:
    """Send what is due, in one process, until stopped with Ctrl-C.

    What is in hand is finished first. It may be killed at any moment: nothing is lost and
    nothing is sent twice.
    """
    app = App.from_environment()
    configure_logs(app.settings)
    scope = app.scope
    sender = app.sender()
    serve_metrics(app)
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        # From another thread: this one may be inside `stop`, holding its lock.
        threading.Thread(target=stop.set).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    names = {channel.value: provider.name for channel, provider in sender.providers.items()}
    if sys.stderr.isatty():
        note(f"Sending for {scope.clinic.name}: sms by {names['sms']}, email by {names['email']}.")
        note("Ctrl-C stops it.")
    log.info("run.started", clinic=scope.clinic_id, **names)
    run_loop(sender, app.clock, stop)
    for provider in sender.providers.values():
        provider.close()
    log.info("run.stopped")
