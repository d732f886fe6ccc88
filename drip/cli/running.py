"""`drip run`: everything in one process."""

import sys
from contextlib import AbstractContextManager, nullcontext

import click
import structlog

from drip.app import App
from drip.cli.printing import note
from drip.cli.serve import PORT
from drip.cli.signals import stop_when_asked
from drip.logs import configure_logs
from drip.services.outbound.sending import Sender
from drip.worker.loop import run as run_loop
from drip.worker.metrics_server import serve_metrics

log = structlog.get_logger(__name__)


@click.command()
def run() -> None:
    """Send what is due, in one process, until stopped with Ctrl-C.

    Where DRIP_PUBLIC_URL or DRIP_WEB_PORT is set it does what `drip serve` does as well.

    What is in hand is finished first. It may be killed at any moment: nothing is lost and
    nothing is sent twice.
    """
    app = App.from_environment()
    configure_logs(app.settings)
    scope = app.scope
    sender = app.sender()
    serve_metrics(app)
    stop = stop_when_asked()
    names = {channel.value: provider.name for channel, provider in sender.providers.items()}
    with _web(app, sender):
        if sys.stderr.isatty():
            by = f"sms by {names['sms']}, email by {names['email']}"
            note(f"Sending for {scope.clinic.name}: {by}.")
            note("Ctrl-C stops it.")
        log.info("run.started", clinic=scope.clinic_id, **names)
        run_loop(sender, app.clock, stop)
    for provider in sender.providers.values():
        provider.close()
    log.info("run.stopped")


def _web(app: App, sender: Sender) -> AbstractContextManager[object]:
    """The web service beside the sender, on its connections, where the settings ask for it."""
    settings = app.settings
    if settings.public_url is None and settings.web_port is None:
        return nullcontext()
    from drip.web.serving import serving

    return serving(app, settings.web_host, settings.web_port or PORT, sender.providers)
