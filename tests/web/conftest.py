"""`drip serve` as a real process on each database, and a Twilio that signs what it posts to it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from tests.services.desk import Desk

TOKEN = "an auth token for tests"
PUBLIC = "https://drip.example.com"
PATIENCE = 60.0

Fields = dict[str, str] | list[tuple[str, str]]


@dataclass
class Served:
    """The process, seen from outside."""

    engine: Engine
    process: "subprocess.Popen[bytes]"
    client: httpx.Client
    folder: Path

    def post(
        self,
        path: str,
        fields: Fields,
        *,
        signed_for: str = PUBLIC,
        signature: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Post a form as Twilio does; signed for another address, or otherwise, if said so."""
        body = urlencode(fields)
        signed = sign(signed_for + path, fields) if signature is None else signature
        more = {"X-Twilio-Signature": signed} if signed else {}
        return self.client.post(path, content=body, headers=FORM | more | headers)

    def post_bytes(self, path: str, body: bytes, meant: Fields) -> httpx.Response:
        """Post these bytes, signed as the form that is meant by them."""
        headers = FORM | {"X-Twilio-Signature": sign(PUBLIC + path, meant)}
        return self.client.post(path, content=body, headers=headers)

    def counts(self, metric: str = "drip_webhooks_total") -> dict[str, float]:
        """What was counted, by the values of the labels."""
        page = self.client.get("/metrics").text
        return {
            " ".join(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == metric
        }


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class _Pairs(dict[str, list[str]]):
    """A form whose fields may come more than once, as Twilio's library takes it."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def sign(url: str, fields: Fields) -> str:
    """The signature that Twilio's own library makes."""
    pairs = _Pairs()
    for name, value in fields.items() if isinstance(fields, dict) else fields:
        pairs.setdefault(name, []).append(value)
    return str(RequestValidator(TOKEN).compute_signature(url, pairs))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def drip_serve(engine: Engine, folder: Path, *words: str, **more: str) -> Iterator[Served]:
    """A process that serves, with its log in `folder`; ended as politely as it allows."""
    port = free_port()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DRIP_")}
    env = {
        "DRIP_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "DRIP_PUBLIC_URL": PUBLIC,
        "DRIP_SECRET_KEY": "a secret for tests, long enough to be one",
        "DRIP_TWILIO_AUTH_TOKEN": TOKEN,
        "DRIP_WEB_PORT": str(port),
    }
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "drip", *(words or ("serve",))],
            cwd=folder,
            env=kept | env | {"PYTHONWARNINGS": "ignore"} | more,
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            _wait(client, process, folder)
            yield Served(engine, process, client, folder)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(client: httpx.Client, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            client.get("/healthz")
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def served_on_sqlite(
    kept_sqlite: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One process for all tests of a worker."""
    with drip_serve(kept_sqlite, tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="session")
def served_on_postgresql(
    kept_postgresql: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The same on PostgreSQL."""
    with drip_serve(kept_postgresql, tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture
def served(request: pytest.FixtureRequest, engine: Engine) -> Served:
    """The service on a database with all tables and no rows: the test runs once on each kind."""
    found: Served = request.getfixturevalue(f"served_on_{engine.dialect.name}")
    return found


@pytest.fixture
def desk(served: Served) -> Desk:
    """A clinic with nobody enrolled, in the database of the service."""
    return Desk(served.engine)
