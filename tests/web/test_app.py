"""`drip serve` and `drip run`: up, ready, counted, and ended in order."""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from drip.app import App
from drip.config import Secret, Settings, read_settings
from drip.content.clinic_file import SAMPLE
from drip.errors import SettingsError, StoreError
from drip.web.app import create_app
from drip.web.gathering import Gathered
from tests.services.desk import Desk
from tests.web.conftest import PATIENCE, PUBLIC, Served, drip_serve


def test_it_lives_is_ready_and_counts(served: Served) -> None:
    assert served.client.get("/healthz").json() == {"status": "ok"}
    assert served.client.get("/readyz").json() == {"status": "ok"}
    served.post("/webhooks/twilio/status/1", {"MessageSid": "SM1"}, signature="")
    assert served.counts()["twilio_status unsigned"] >= 1


def test_every_answer_says_that_it_is_not_to_be_kept_or_found(served: Served) -> None:
    for path in ("/healthz", "/nothing", "/metrics", "/v/broken"):
        headers = served.client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-robots-tag"].startswith("noindex")
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


def test_while_the_database_is_away_it_lives_and_is_not_ready() -> None:
    nowhere = App(Settings(database_url=Secret("postgresql://drip@127.0.0.1:1/drip")))
    asked = _ask(nowhere, "/healthz"), _ask(nowhere, "/readyz")
    assert [answer.status_code for answer in asked] == [200, 503]


def _ask(app: App, path: str) -> httpx.Response:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
            return await client.get(path)

    return asyncio.run(get())


def entries(folder: Path) -> list[dict[str, object]]:
    """The log: every line of it is a JSON object."""
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def test_it_ends_in_order_when_asked_to_and_logs_json(engine: Engine, tmp_path: Path) -> None:
    with drip_serve(engine, tmp_path) as served:
        served.post("/webhooks/twilio/status/1", {"MessageSid": "SM1", "MessageStatus": "sent"})
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(PATIENCE) == 0
    assert [entry["event"] for entry in entries(tmp_path)] == ["web.started", "web.stopped"]


def test_drip_run_serves_too_where_there_is_a_public_address(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    Desk(sqlite_engine)
    shutil.copy(SAMPLE, tmp_path / "clinic.yaml")
    with drip_serve(sqlite_engine, tmp_path, "run") as served:
        path = "/webhooks/twilio/status/1"
        fields = {"MessageSid": "SM1", "MessageStatus": "sent"}
        assert served.post(path, fields).status_code == 204
        assert served.post(path, fields, signature="").status_code == 403
        # Nobody had asked for the counts before.
        assert served.counts() == {"twilio_status not_ours": 1, "twilio_status unsigned": 1}
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(PATIENCE) == 0
    events = [entry["event"] for entry in entries(tmp_path)]
    assert events[-2:] == ["web.stopped", "run.stopped"]


def test_what_hinders_it_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "The database is not set up" in _refused(tmp_path, "--port", port)
        env = {"DRIP_DATABASE_URL": f"sqlite:///{tmp_path / 'drip.db'}"}
        _drip(tmp_path, "init", "--database-only", **env)
        said = _refused(tmp_path, "--port", port, **env)
    assert said == (
        f"drip: The web service cannot listen at 127.0.0.1, port {port}: Address already in use. "
        "Set another DRIP_WEB_PORT or DRIP_WEB_HOST.\n"
    )
    assert "Nothing answers" in _refused(tmp_path, "--check-health", "--port", "1")


def _refused(folder: Path, *words: str, **env: str) -> str:
    done = _drip(folder, "serve", *words, **env)
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith("{")]
    assert len(lines) == 1
    return lines[0]


def _drip(folder: Path, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "drip", *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": root, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("url", ["drip.example.com", "https://drip.example.com:port", "http://[1"])
def test_a_public_address_that_cannot_be_is_refused_at_the_start(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DRIP_PUBLIC_URL"):
        read_settings({"DRIP_PUBLIC_URL": url}, tmp_path)
    assert read_settings({"DRIP_PUBLIC_URL": f"{PUBLIC}/"}, tmp_path).public_url == PUBLIC


# --- Writing together -----------------------------------------------------------------------------


def _add_all(write: Gathered[int, int], numbers: list[int]) -> list[int | BaseException]:
    async def add_all() -> list[int | BaseException]:
        return await asyncio.gather(*map(write.add, numbers), return_exceptions=True)

    return asyncio.run(add_all())


def test_what_comes_together_is_written_together_and_each_gets_its_own_answer() -> None:
    batches: list[list[int]] = []

    def write(some: Sequence[int]) -> list[int]:
        batches.append(list(some))
        return [each * 2 for each in some]

    assert _add_all(Gathered(write), list(range(50))) == [each * 2 for each in range(50)]
    assert sum(map(len, batches)) == 50
    assert len(batches) < 5


def test_one_that_cannot_be_written_does_not_take_others_with_it() -> None:
    def write(some: Sequence[int]) -> list[int]:
        if 7 in some:
            raise ValueError("seven")
        return list(some)

    done = _add_all(Gathered(write), list(range(10)))
    assert [each for each in done if isinstance(each, int)] == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert [str(each) for each in done if isinstance(each, BaseException)] == ["seven"]


def test_while_the_database_is_away_nobody_waits_for_others_in_vain() -> None:
    calls = []

    def write(some: Sequence[int]) -> list[int]:
        calls.append(len(some))
        raise StoreError("away")

    done = _add_all(Gathered(write), list(range(30)))
    assert {str(each) for each in done} == {"away"}
    assert len(calls) < 5
