"""The web service in a thread: of `drip serve`, and beside the sender of `drip run`."""

import gc
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
import uvicorn

from drip.app import App
from drip.core.schedule import Channel
from drip.errors import SettingsError
from drip.providers.protocol import Provider
from drip.services import metrics
from drip.web.app import create_app

log = structlog.get_logger(__name__)

_IN_HAND = 10
"""Seconds that requests in hand may take once it is asked to stop."""

_NAP = 0.02


@contextmanager
def serving(
    app: App, host: str, port: int, providers: Mapping[Channel, Provider] | None = None
) -> Iterator[threading.Thread]:
    """Serve from the start of the block to its end; requests in hand are finished first.

    Gives the thread that does it: it ends early only where something is wrong. Raises
    SettingsError where the port cannot be had. `providers` as for `create_app`.
    """
    listening = listen(host, port)
    metrics.turn_on()
    config = uvicorn.Config(
        create_app(app, providers),
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_IN_HAND,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="web", daemon=True
    )
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(_NAP)
    gc.freeze()  # what was loaded stays: collections need not look at it, while somebody waits
    log.info("web.started", port=listening.getsockname()[1])
    try:
        yield thread
    finally:
        server.should_exit = True
        thread.join()
        log.info("web.stopped")


def listen(host: str, port: int) -> socket.socket:
    """A socket that is listened to. Raises SettingsError where the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise SettingsError(
            f"The web service cannot listen at {host}, port {port}: {why}. "
            "Set another DRIP_WEB_PORT or DRIP_WEB_HOST."
        ) from None
    # What is accepted inherits it; asyncio sets it only where the socket names its protocol. An
    # answer's body would else wait for the word that its head has arrived: 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
