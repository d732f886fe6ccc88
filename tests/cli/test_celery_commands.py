"""`drip worker`, `drip beat` and `drip init --database-only`: what they say before they start."""

import os
import time
from pathlib import Path

import pytest

from drip.cli import celery_commands
from tests.cli.conftest import Drip

NOWHERE = "redis://:opensesame@127.0.0.1:1/0"


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_without_redis_set_it_says_which_setting_is_missing(drip: Drip, command: str) -> None:
    done = drip(command)
    assert (done.status, done.out) == (1, "")
    assert "DRIP_REDIS_URL is not set" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_a_redis_that_does_not_answer_is_waited_for_and_then_named_without_its_password(
    drip: Drip, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert celery_commands.REDIS_SECONDS <= 10
    monkeypatch.setattr(celery_commands, "REDIS_SECONDS", 0.5)
    drip.set(DRIP_REDIS_URL=NOWHERE)
    began = time.monotonic()
    done = drip(command)
    assert time.monotonic() - began >= 0.5
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        "drip: Redis at 127.0.0.1:1 cannot be reached; check that it runs and that "
        "DRIP_REDIS_URL is right.\n"
    )


def test_an_address_of_redis_that_cannot_be_one_is_said_in_one_line(drip: Drip) -> None:
    drip.set(DRIP_REDIS_URL="localhost:6379")
    done = drip("beat")
    assert done.status == 1
    assert done.err == "drip: DRIP_REDIS_URL is not understood; write redis://HOST:6379/0.\n"


def test_a_worker_does_not_start_on_a_database_that_is_not_set_up(empty_drip: Drip) -> None:
    empty_drip.set(DRIP_REDIS_URL=NOWHERE)
    done = empty_drip("worker")
    assert done.status == 1
    assert done.err == "drip: The database is not set up, or of another version: run `drip init`.\n"
    assert list(empty_drip.folder.iterdir()) == []


def test_a_queue_that_is_not_there_is_wrong_usage(drip: Drip) -> None:
    drip.set(DRIP_REDIS_URL=NOWHERE)
    done = drip("worker", "--queues", "sms,emial")
    assert done.status == 2
    assert "There is no queue 'emial': choose from sms, email" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["worker", "--help"], ["beat", "--help"], ["init", "--help"]], ids=lambda w: w[0]
)
def test_the_help_fits_a_terminal_of_80_columns(
    drip: Drip, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = drip(*words)
    assert done.status == 0
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("command", "option"), [("worker", "--max-tasks-per-child"), ("beat", "--max-interval")]
)
def test_the_options_of_celery_are_listed_on_request(drip: Drip, command: str, option: str) -> None:
    drip.set(DRIP_REDIS_URL=NOWHERE)
    done = drip(command, "--", "--help")
    assert done.status == 0
    assert option in done.out


def test_a_health_check_starts_nothing_and_needs_no_setting(empty_drip: Drip) -> None:
    file = empty_drip.folder / "worker"
    done = empty_drip("worker", "--check-health", file)
    assert (done.status, done.err) == (1, f"drip: No process is at work that writes {file}.\n")
    file.write_text(f"{os.getpid()}\n")
    for command in ("worker", "beat"):
        done = empty_drip(command, "--check-health", file)
        assert (done.status, done.out) == (0, "It works.\n")


def test_a_database_can_be_set_up_without_writing_any_file(empty_drip: Drip) -> None:
    done = empty_drip("init", "--database-only")
    assert (done.status, done.out) == (0, "The database sqlite:///drip.db is set up.\n")
    assert {path.name for path in Path(empty_drip.folder).iterdir()} == {"drip.db"}
    assert empty_drip("init", "--database-only", "--json").json["database_changed"] is False
