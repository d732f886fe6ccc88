"""Metrics over HTTP: of `drip run`, and of a worker with all its processes."""

import json
import os
import re
import shutil
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from sqlalchemy import Engine

from drip.config import Secret, Settings
from drip.content.clinic_file import SAMPLE
from drip.providers.redis_queues import Broker
from drip.worker.celery_app import QUEUES, make_celery
from tests.servers import nursery
from tests.servers.nursery import Child
from tests.servers.redis import redis_server

PATIENCE = 40.0


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(SAMPLE, tmp_path / "clinic.yaml")
    (tmp_path / "tmp").mkdir()
    return tmp_path


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def drip(folder: Path, engine: Engine, port: int, *args: str, **more: str) -> Iterator[Child]:
    """A process of Drip in the folder, with temporary files of its own; its log is in `log`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DRIP_")}
    url = engine.url.render_as_string(hide_password=False)
    told = {"DRIP_DATABASE_URL": url, "DRIP_METRICS_PORT": str(port)} | more
    environment = kept | {"TMPDIR": str(folder / "tmp")} | told
    log = folder / "log"
    process = nursery.start(["-m", "drip", *args], folder, environment, Path(os.devnull), log)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def scrape(port: int) -> dict[str, float]:
    """Every sample by its name and the values of its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def until(port: int, found: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    deadline = time.monotonic() + PATIENCE
    samples: dict[str, float] = {}
    while time.monotonic() < deadline:
        try:
            samples = scrape(port)
        except OSError:
            samples = {}
        if found(samples):
            return samples
        time.sleep(0.1)
    raise AssertionError(samples)


def entries(folder: Path) -> list[dict[str, object]]:
    """The log: every line of it is a JSON object."""
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def test_drip_run_shows_its_metrics_and_logs_json(
    postgresql_engine: Engine, folder: Path, port: int
) -> None:
    with drip(folder, postgresql_engine, port, "run") as process:
        found = until(port, bool)
        assert found["drip_database_up"] == 1
        assert found["drip_deliveries due"] == 0
        assert "drip_redis_up" not in found
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert [entry["event"] for entry in entries(folder)] == ["run.started", "run.stopped"]


def test_without_a_port_nothing_listens(postgresql_engine: Engine, folder: Path, port: int) -> None:
    with drip(folder, postgresql_engine, port, "run", DRIP_METRICS_PORT="") as process:
        deadline = time.monotonic() + PATIENCE
        while "run.started" not in (folder / "log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(OSError, match="refused"):
            scrape(port)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


@pytest.mark.parametrize("command", ["run", "worker"])
def test_a_port_that_is_taken_is_told_in_one_line(
    postgresql_engine: Engine, redis_url: str, folder: Path, command: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with drip(folder, postgresql_engine, number, command, DRIP_REDIS_URL=redis_url) as process:
            assert process.wait(PATIENCE) == 1
    assert (folder / "log").read_text() == (
        f"drip: Metrics cannot be shown at 127.0.0.1, port {number}: Address already in use. "
        "Set another DRIP_METRICS_PORT or DRIP_METRICS_HOST.\n"
    )


def test_a_worker_shows_what_its_processes_count_and_leaves_nothing_behind(
    postgresql_engine: Engine, redis_url: str, folder: Path, port: int
) -> None:
    broker = Broker(redis_url, QUEUES)
    celery = make_celery(Settings(redis_url=Secret(redis_url)))
    more = {"DRIP_REDIS_URL": redis_url}
    options = ("--concurrency", "2")
    with drip(folder, postgresql_engine, port, "worker", *options, **more) as process:
        found = until(port, bool)
        assert found["drip_redis_up"] == 1
        (counts,) = (folder / "tmp").glob("drip-metrics-*")
        assert counts.stat().st_mode & 0o077 == 0
        for _ in range(4):
            celery.send_task("drip.tick", queue="maintenance")
        until(port, lambda samples: samples.get("drip_tick_age_seconds", 60) < 30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert list((folder / "tmp").glob("drip-metrics-*")) == []
    assert all({"event", "level", "timestamp"} <= set(entry) for entry in entries(folder))
    seen = broker.look()
    assert seen is not None
    assert seen.last_tick is not None
    broker.close()
    celery.close()


def test_a_worker_whose_process_was_killed_has_the_port_for_itself(
    postgresql_engine: Engine, redis_url: str, folder: Path, port: int
) -> None:
    """A process that is forked later would keep the port open when the worker is gone."""
    options = ("worker", "--concurrency", "1")
    celery = make_celery(Settings(redis_url=Secret(redis_url)))
    with Redis.from_url(redis_url) as redis:
        redis.flushall()  # the ticks of other tests
    with drip(folder, postgresql_engine, port, *options, DRIP_REDIS_URL=redis_url) as process:
        # A worker that does not listen yet gives up when it loses a process.
        celery.send_task("drip.tick", queue="maintenance")
        until(port, lambda samples: samples.get("drip_tick_age_seconds", 60) < 30)
        celery.close()
        (child,) = children_of(process.pid)
        os.kill(child, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while not (now := children_of(process.pid)) or now == [child]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        until(port, bool)
        deadline = time.monotonic() + PATIENCE
        while holders_of(port) != {process.pid}:
            assert time.monotonic() < deadline, holders_of(port)
            time.sleep(0.05)


def children_of(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(each) for each in path.read_text().split()]


def holders_of(port: int) -> set[int]:
    """The processes that have the socket which listens at a port."""
    listening = re.findall(
        rf"^\s*\d+: \w+:{port:04X} \w+:0000 0A (?:\S+\s+){{5}}(\d+)",
        Path("/proc/net/tcp").read_text(),
        re.MULTILINE,
    )
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in {f"socket:[{inode}]" for inode in listening}:
                found.add(int(link.parts[2]))
        except OSError:
            continue
    return found
