"""What the engine's figures are played on: the servers, the sinks and Drip's own processes."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg

from tests.servers.postgres import postgresql_server
from tests.servers.redis import redis_server

ROOT = Path(__file__).resolve().parents[2]
LONGEST_WAIT = 90.0
"""Seconds after which a benchmark is given up."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The servers of one benchmark, and a folder for what its processes write."""

    server: str
    redis: str
    folder: Path

    def environment(self, database: str, sink: str) -> dict[str, str]:
        """The settings of `drip worker` and `drip beat`. Each StatusCallback names its delivery."""
        return {
            "DRIP_DATABASE_URL": database,
            "DRIP_REDIS_URL": self.redis,
            "DRIP_SMS_PROVIDER": "twilio",
            "DRIP_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "DRIP_TWILIO_AUTH_TOKEN": "token",
            "DRIP_TWILIO_MESSAGING_SERVICE_SID": "MG" + "0" * 32,
            "DRIP_TWILIO_API_URL": sink,
            "DRIP_PUBLIC_URL": "https://drip.example.com",
        }

    @contextmanager
    def process(
        self, args: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A Python process beside us, with its output in a file; ended as politely as it allows."""
        log = self.folder / f"{'-'.join(args[:4]).replace('/', '_')}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *args],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            _end(process)


@contextmanager
def stage() -> Iterator[Stage]:
    """Servers of our own, empty."""
    with (
        tempfile.TemporaryDirectory() as folder,
        postgresql_server(Path(folder)) as server,
        redis_server() as redis,
    ):
        try:
            yield Stage(server, redis, Path(folder))
        except BaseException:
            _tell_logs(Path(folder))
            raise


def _tell_logs(folder: Path) -> None:
    """What the processes said last, before their folder goes."""
    for log in folder.glob("*.log"):
        print(f"--- {log.name}", log.read_text(errors="replace")[-1500:], sep="\n", file=sys.stderr)


@dataclass(frozen=True, slots=True)
class Sink:
    """A process that takes messages: where it takes them, and where it tells of them."""

    url: str
    asked: str

    def ask(self, path: str) -> Any:
        with urlopen(f"{self.asked}/_{path}", timeout=30) as answer:
            return json.load(answer)

    def count(self) -> int:
        return int(self.ask("count")["count"])


@contextmanager
def sink(module: str, *args: str) -> Iterator[Sink]:
    """One of `tests.servers.*_sink`, as a process."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.servers.{module}", *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        addresses = process.stdout.readline().split()
        yield Sink(addresses[0], addresses[-1])
    finally:
        process.kill()
        process.communicate()


def wait_until(done: Callable[[], bool], nap: float) -> float:
    """Look every `nap` seconds until it is done; gives the moment (time.perf_counter)."""
    deadline = time.perf_counter() + LONGEST_WAIT
    while not done():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"it was not done in {LONGEST_WAIT:.0f} seconds")
        time.sleep(nap)
    return time.perf_counter()


def expect_each_once(at: Sink, count: int) -> None:
    """Raise AssertionError unless so many messages came to the sink, and none of them twice."""
    assert at.count() == count, f"{at.count()} messages came instead of {count}"
    again = at.ask("duplicates")
    assert not again, f"{len(again)} messages came more than once: {again[:5]}"


def connect(database: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection of the benchmark's own."""
    return psycopg.connect(database, autocommit=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
