"""`drip status`: how sending goes."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from drip.app import App
from drip.providers.redis_queues import Broker
from drip.worker.celery_app import QUEUES
from tests.cli.conftest import Drip
from tests.cli.test_looking import use_twilio
from tests.servers.redis import redis_server
from tests.servers.twilio_server import Behaviour, TwilioServer

PATIENCE = 30.0


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


def said_of(drip: Drip, name: str) -> str:
    """What the line of a name says."""
    (line,) = (line for line in drip("status").out.splitlines() if line[2:15].strip() == name)
    return line[15:]


def counts_in(out: str) -> dict[str, list[str]]:
    """The rows of the table of answers: the last two columns by the answer."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    return {row[-3]: row[-2:] for row in rows if len(row) >= 3 and row[-1].isdigit()}


def send_at_its_pace(drip: Drip) -> None:
    """Send what is due now, while half a minute goes by."""
    sender = App.from_environment().sender()
    for _ in range(6):
        sender.tick(drip.now)
        drip.now += timedelta(seconds=5)
    for provider in sender.providers.values():
        provider.close()
    drip.close()


def test_a_new_clinic_has_nothing_to_report(drip: Drip) -> None:
    assert said_of(drip, "Sending") == "nothing is planned"
    assert said_of(drip, "Waiting") == "nothing"
    assert said_of(drip, "Open tasks") == "none"
    out = drip("status").out
    assert "Nothing was sent in the last 24 hours." in out
    assert "Redis" not in out


def test_what_is_on_time_names_the_next_on_the_clinics_clock(drip: Drip) -> None:
    drip.enroll()
    assert said_of(drip, "Sending") == "on time"
    assert said_of(drip, "Waiting") == "2 due"
    drip.send_for(timedelta(hours=1))
    assert said_of(drip, "Sending") == "on time; next Wed 2026-12-02 10:00"
    assert said_of(drip, "All") == "17 scheduled · 2 accepted · 1 skipped"
    found = drip("status", "--json").json
    assert found["deliveries"]["accepted"] == 2
    assert (found["lag_seconds"], found["due"]) == (0, 0)
    assert found["next_due_at"] == "2026-12-02T15:00:00+00:00"


def test_how_far_sending_is_behind_is_said_with_the_way_out(drip: Drip) -> None:
    drip.enroll()
    drip.now += timedelta(hours=3, minutes=20)
    said = said_of(drip, "Sending")
    assert said.startswith("behind: the oldest due delivery has waited 3 hours.")
    assert "`drip run`" in said
    assert drip("status", "--json").json["lag_seconds"] == 12_000


def test_answers_are_counted_by_channel_for_the_last_hour_and_the_last_day(drip: Drip) -> None:
    with TwilioServer() as server:
        use_twilio(drip, server)
        server.behave(Behaviour(status=429, code=20429), to="+12125550102")
        server.behave(Behaviour(how="reset"), to="+12125550103")
        drip.enroll("phone=+1 500 555 0001")
        for number in (2, 3, 4):
            phone, email = f"phone=+1 212 555 010{number}", f"email=p{number}@example.com"
            drip.enroll(phone, email, name=f"Pat {number * 'a'}", ref=f"B{number}")
        send_at_its_pace(drip)
    found = drip("status", "--json").json
    answers = {(each["channel"], each["outcome"]): each for each in found["answers"]}
    assert {key: each["last_hour"] for key, each in answers.items()} == {
        ("sms", "accepted"): 1,
        ("sms", "rejected"): 1,
        ("sms", "retry"): 1,
        ("sms", "unknown"): 1,
        ("email", "accepted"): 4,
    }
    assert (found["retrying"], found["unknown"]) == (1, 1)
    out = drip("status").out
    assert counts_in(out)["refused"] == counts_in(out)["to be tried again"] == ["1", "1"]
    assert said_of(drip, "Unknown").startswith("1: no answer came back")
    drip.now += timedelta(hours=2)
    assert counts_in(drip("status").out)["refused"] == ["0", "1"]
    drip.now += timedelta(hours=22)
    assert drip("status", "--json").json["answers"] == []


def test_failures_of_the_last_day_are_said_in_words(drip: Drip) -> None:
    with TwilioServer() as server:
        use_twilio(drip, server)
        drip.enroll("phone=+1 500 555 0001")
        drip.send_for(timedelta(hours=1))
    (failure,) = drip("status", "--json").json["failures"]
    assert (failure["provider"], failure["code"], failure["count"]) == ("twilio", "21211", 1)
    assert "not a phone number" in failure["says"]
    assert f"1  twilio 21211: {failure['says']}" in drip("status").out
    drip.now += timedelta(days=1, hours=1)
    assert drip("status", "--json").json["failures"] == []


def test_tasks_are_counted_and_how_many_are_urgent(drip: Drip) -> None:
    drip.enroll("consent=", "consent_how=")
    assert drip("status", "--json").json["tasks"] == {"open": 1, "urgent": 1}
    assert said_of(drip, "Open tasks") == "1, 1 urgent: `drip tasks`"


# --- Redis --------------------------------------------------------------------------------------


def test_the_queues_and_the_last_tick_are_shown_where_redis_is_used(
    drip: Drip, redis_url: str
) -> None:
    drip.set(DRIP_REDIS_URL=redis_url)
    assert said_of(drip, "Queues") == " · ".join(f"{queue} 0" for queue in QUEUES)
    assert said_of(drip, "Last tick") == "none yet: is `drip beat` running?"
    broker = Broker(redis_url, QUEUES)
    broker.note_tick(drip.now)
    broker.close()
    assert said_of(drip, "Last tick") == "just now"
    drip.now += timedelta(minutes=5)
    assert said_of(drip, "Last tick") == "5 minutes ago: is `drip beat` running?"
    assert drip("status", "--json").json["redis"] == {
        "up": True,
        "last_tick_at": "2026-12-01T15:00:00+00:00",
        "queues": dict.fromkeys(QUEUES, 0),
    }


def test_a_redis_that_is_away_is_said_in_one_line_and_the_rest_is_shown(drip: Drip) -> None:
    drip.set(DRIP_REDIS_URL="redis://127.0.0.1:1/0")
    drip.enroll()
    done = drip("status")
    assert (done.status, done.err) == (0, "")
    assert [line for line in done.out.splitlines() if "away" in line] == [
        "  Redis        away; nothing is lost, sending goes on when it is back"
    ]
    assert said_of(drip, "Waiting") == "2 due"
    assert drip("status", "--json").json["redis"]["up"] is False


# --- Live ---------------------------------------------------------------------------------------


def start(drip: Drip, *args: str, **pipes: Any) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "30"}
    return subprocess.Popen(
        [sys.executable, "-m", "drip", "status", *args], cwd=drip.folder, env=environment, **pipes
    )


def until(text: bytes, read: Callable[[], bytes]) -> bytes:
    """Read until a text has come; gives all that came."""
    seen, deadline = b"", time.monotonic() + PATIENCE
    while text not in seen:
        assert time.monotonic() < deadline, seen
        more = read()
        assert more, seen
        seen += more
    return seen


def test_in_a_pipe_it_prints_one_block_after_another_and_ctrl_c_ends_it_well(drip: Drip) -> None:
    process = start(drip, "--watch", "0.2", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    out = process.stdout
    block = until(b"24 hours", out.readline)
    again = until(b"24 hours", out.readline)
    assert b"\x1b" not in block + again
    assert block.startswith(b"River") is again.strip().startswith(b"River") is True
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, b"")


def test_as_json_it_prints_one_object_after_another(drip: Drip) -> None:
    process = start(drip, "--json", "--watch", "0.2", stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = until(b"\n}\n", process.stdout.readline)
    second = until(b"\n}\n", process.stdout.readline)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert json.loads(first)["now"] < json.loads(second)["now"]
    assert json.loads(first)["deliveries"] is None


def test_at_a_terminal_it_stays_in_its_place_and_leaves_what_was_seen_last(drip: Drip) -> None:
    ours, theirs = pty.openpty()
    process = start(drip, "--watch", "0.2", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = until(b"Ctrl-C ends this view.", lambda: os.read(ours, 4096))
    screen += until(b"Ctrl-C ends this view.", lambda: os.read(ours, 4096))
    process.send_signal(signal.SIGINT)
    # A view that was being drawn may come first, so what is left is read from where it leaves.
    rest = until(b"\x1b[?1049l", lambda: os.read(ours, 4096))
    if b"24 hours" not in rest.rpartition(b"\x1b[?1049l")[2]:
        until(b"24 hours", lambda: os.read(ours, 4096))
    assert process.wait(PATIENCE) == 0
    os.close(ours)
    assert b"\x1b[?1049h" in screen  # a screen of its own, with nothing else on it
    lines = re.split(rb"\x1b\[H|[\r\n]+", screen)
    plain = [re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", line).decode().rstrip() for line in lines]
    assert max(map(len, plain)) <= 80


def test_an_interval_that_is_none_is_wrong_usage(drip: Drip) -> None:
    for wrong in ("0", "x", "-1"):
        assert drip("status", "--watch", wrong).status == 2
