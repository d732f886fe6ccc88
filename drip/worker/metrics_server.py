"""Metrics over HTTP, for Prometheus: of one process, or of a worker and all its children."""

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from celery.signals import setup_logging, worker_process_init, worker_process_shutdown

from drip.app import App
from drip.errors import SettingsError
from drip.providers.redis_queues import Broker
from drip.services import metrics
from drip.services.upkeep.gauges import Gauges
from drip.store.engine import open_engine
from drip.worker.celery_app import QUEUES

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import Metric

_server: "WSGIServer | None" = None

_FORK_WAITS = 5.0
"""Seconds that a fork waits for an answer to Prometheus, at most."""


class _Apart:
    """Keeps forks and answers to Prometheus apart.

    A child that is forked in the middle of an answer would find the locks of it taken for ever.
    """

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._lock = threading.Lock()
        self._forking = False
        os.register_at_fork(
            before=self._before, after_in_parent=self._after, after_in_child=self._in_child
        )

    def collect(self) -> "Iterator[Metric]":
        with self._lock:
            found = list(self._gauges.collect())
        yield from found

    def _before(self) -> None:
        self._forking = self._lock.acquire(timeout=_FORK_WAITS)

    def _after(self) -> None:
        if self._forking:
            self._lock.release()

    def _in_child(self) -> None:
        self._lock = threading.Lock()


def serve_metrics(app: App) -> None:
    """Show the metrics of this process, where `DRIP_METRICS_PORT` says so.

    Raises SettingsError where the port cannot be had.
    """
    global _server
    tell_ticks(app)
    settings = app.settings
    if settings.metrics_port is None:
        return
    from prometheus_client import start_http_server

    shown = metrics.turn_on()
    engine = open_engine(settings.database_url.reveal())
    shown.register(_Apart(Gauges(engine, app.clock, _broker(app))))
    host, port = settings.metrics_host, settings.metrics_port
    try:
        _server, _ = start_http_server(port, host, shown)
    except OSError as error:
        raise SettingsError(
            f"Metrics cannot be shown at {host}, port {port}: {error.strerror}. "
            "Set another DRIP_METRICS_PORT or DRIP_METRICS_HOST."
        ) from None


def serve_metrics_of_worker(app: App) -> None:
    """The same for a worker, before its children are forked: theirs are counted in.

    Each process counts in files of its own, in a folder that ends with the worker.
    """
    if app.settings.metrics_port is not None:
        folder = tempfile.mkdtemp(prefix="drip-metrics-")
        os.environ[metrics.MULTIPROCESS] = folder
        atexit.register(_remove, folder, os.getpid())
    serve_metrics(app)


def tell_ticks(app: App) -> None:
    """Have the ticks of this process noted in Redis, where there is one."""
    broker = _broker(app)
    if broker is not None:
        metrics.tell_ticks(broker.note_tick)


def _broker(app: App) -> Broker | None:
    url = app.settings.redis_url
    return None if url is None else Broker(url.reveal(), QUEUES)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@worker_process_init.connect
def _begin_child(**_kwargs: Any) -> None:
    """A child leaves the port to its worker, and has connections of its own."""
    if _server is not None:
        _server.socket.close()
    tell_ticks(App.from_environment())


@worker_process_shutdown.connect
def _end_child(pid: int, **_kwargs: Any) -> None:
    if metrics.MULTIPROCESS in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


@setup_logging.connect
def _keep_the_log(**_kwargs: Any) -> None:
    """Celery sets up no log of its own where somebody answers this signal."""
