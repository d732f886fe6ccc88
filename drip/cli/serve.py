"""`drip serve`: webhooks and patients' pages, and nothing else."""

import sys

import click
import structlog

from drip.app import App
from drip.cli.printing import note
from drip.cli.signals import stop_when_asked
from drip.errors import DripError
from drip.logs import configure_logs

log = structlog.get_logger(__name__)

PORT = 8000
"""Where it listens unless DRIP_WEB_PORT or --port says otherwise."""

_LOOK = 0.5
"""Seconds between two looks at whether it still serves."""


@click.command()
@click.option("--host", metavar="HOST", help="Where to listen.  [default: DRIP_WEB_HOST]")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help=f"Where to listen.  [default: DRIP_WEB_PORT, or {PORT}]",
)
@click.option(
    "--check-health", is_flag=True, help="Start nothing; say whether what listens there works."
)
def serve(host: str | None, port: int | None, check_health: bool) -> None:
    """Serve Twilio's webhooks, patients' pages, health and metrics, until stopped.

    Speaks HTTP: put a proxy before it that ends TLS and hands on what comes to DRIP_PUBLIC_URL,
    all but /metrics. Requests in hand are finished before it ends. The database is to be set up
    already.
    """
    app = App.from_environment()
    host, port = host or app.settings.web_host, port or app.settings.web_port or PORT
    if check_health:
        _check(host, port)
        return
    from drip.services.upkeep.setting_up import need_set_up
    from drip.web.serving import serving

    configure_logs(app.settings)
    need_set_up(app.engine)
    if app.settings.public_url is None or app.settings.twilio_auth_token is None:
        log.warning("web.twilio_is_refused", why="it needs DRIP_PUBLIC_URL and its auth token")
    stop = stop_when_asked()
    with serving(app, host, port) as thread:
        if sys.stderr.isatty():
            note(f"Serving at http://{host}:{port}. Ctrl-C stops it.")
        while thread.is_alive() and not stop.wait(_LOOK):
            pass
        ended = not stop.is_set()
    app.engine.dispose()
    if ended:
        raise DripError("The web service ended by itself; the log says why.")


def _check(host: str, port: int) -> None:
    """Raise DripError unless what listens there says that it is ready."""
    from http.client import HTTPConnection, HTTPException

    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to call, not listen
    connection = HTTPConnection(here, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, HTTPException):
        raise DripError(f"Nothing answers at {here}, port {port}.") from None
    finally:
        connection.close()
    if status != 200:
        raise DripError("It is not ready: the database is away or of another version.")
    click.echo("It works.")
