"""The container files name what is there, and nothing unsafe."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from drip.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
    return found


def test_every_process_of_ours_runs_a_command_of_ours(services: dict[str, Any]) -> None:
    ours = {name: s for name, s in services.items() if s.get("build")}
    assert set(ours) == {"init", "worker", "beat"}
    for service in ours.values():
        assert service["command"][0] in COMMANDS


def test_servers_say_how_they_are_and_have_no_default_password(services: dict[str, Any]) -> None:
    for name in ("postgres", "redis"):
        assert services[name]["healthcheck"]["test"]
    text = (ROOT / "docker-compose.yml").read_text()
    passwords = [line for line in text.splitlines() if "PASSWORD}" in line or "PASSWORD:" in line]
    assert passwords
    assert all("${POSTGRES_PASSWORD:?" in line for line in passwords)


def test_the_image_runs_as_nobody_special_and_copies_what_is_there() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER drip" in lines
    for line in lines:
        if line.startswith("COPY"):
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
