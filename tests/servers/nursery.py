"""Real processes that start at once: forked from one that has imported Drip already.

Each has a number, an environment, a folder and files of its own, and can be sent any signal;
only the second that Python takes to read its modules is spared. `python -m drip` itself is
started by the tests of the command line, of the web and of faults.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0
_IMPORTED = [
    "celery.bin.worker",
    "celery.concurrency.prefork",
    "drip.cli.changing",
    "drip.cli.enrolling",
    "drip.cli.looking",
    "drip.cli.main",
    "drip.cli.running",
    "drip.cli.status",
    "drip.cli.tasks",
    "drip.providers.smtp",
    "drip.providers.twilio",
    "drip.services.answers.answering",
    "drip.worker.loop",
    "drip.worker.ticking",
    "kombu.transport.redis",
    "psycopg",
    "http.server",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
]


class Child:
    """A process of the nursery."""

    def __init__(self, pid: int, status: Path, errors: Path, errors_before: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._errors, self._errors_before = errors, errors_before

    @property
    def log(self) -> str:
        """What it, and whoever shares its file of errors, has written there since its start."""
        return self._errors.read_bytes()[self._errors_before :].decode()

    def poll(self) -> int | None:
        """The exit status, if it has ended; that of a signal is negative."""
        if self.returncode is None and self._status.exists():
            self.returncode = int(self._status.read_text())
        return self.returncode

    def wait(self, timeout: float = _PATIENCE) -> int:
        """Wait for the end; gives the exit status."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.002)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal; one that has ended takes none."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    output: Path,
    errors: Path,
) -> Child:
    """Start Python with these words: the path of a script or `-m` and a module, then arguments.

    It leads a group of its own, and what it prints is added to these files.
    """
    for file in output, errors:
        file.touch()
    before = errors.stat().st_size
    asked = {
        "words": list(words),
        "folder": str(folder),
        "environment": dict(environment),
        "output": str(output),
        "errors": str(errors),
    }
    nursery = _nursery()
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(json.dumps(asked) + "\n")
    nursery.stdin.flush()
    pid, status = json.loads(nursery.stdout.readline())
    return Child(pid, Path(status), errors, before)


@cache
def _nursery() -> "subprocess.Popen[str]":
    """The one of this process, which ends with it."""
    nursery = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.nursery"],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(nursery.communicate)
    return nursery


def _nurse(statuses: Path) -> dict[str, Any] | None:
    """Fork for whatever is asked for; gives what was asked for in the child, None at the end."""
    forked: dict[int, Path] = {}

    def note_ends(*_: object) -> None:
        while forked:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            new = forked[pid].with_suffix(".new")
            new.write_text(str(os.waitstatus_to_exitcode(status)))
            new.replace(forked.pop(pid))

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    signal.signal(signal.SIGCHLD, note_ends)
    for line in sys.stdin:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        if (pid := os.fork()) == 0:
            asked: dict[str, Any] = json.loads(line)
            return asked
        forked[pid] = statuses / str(pid)
        print(json.dumps([pid, str(forked[pid])]), flush=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    for pid in list(forked):  # the tests were killed themselves
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    return None


def _become(asked: Mapping[str, Any]) -> None:
    """Be in a child what was asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.setsid()
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    tempfile.tempdir = None  # TMPDIR may be another
    appended = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(asked["output"], appended), 1)
    os.dup2(os.open(asked["errors"], appended), 2)


if __name__ == "__main__":
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    folder = Path(tempfile.mkdtemp(prefix="drip-nursery-"))
    asked = _nurse(folder)
    if asked is None:
        shutil.rmtree(folder)
    else:
        _become(asked)
        first, *others = asked["words"]
        if first == "-m":
            sys.argv = others
            runpy.run_module(others[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv = [first, *others]
            runpy.run_path(first, run_name="__main__")
