"""The command line as somebody uses it: in a clinic's own folder, at a moment that is known."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drip.app import App
from drip.cli.main import main

NOW = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
"""Tuesday, 10:00 in New York: an hour in which messages may go out."""


@dataclass(frozen=True)
class Run:
    """What a command gave back."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


class Drip:
    """Runs commands in a folder: `drip("list", "--json")`. `now` (UTC) is theirs."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.now = folder, NOW
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self._apps: list[App] = []
        monkeypatch.chdir(folder)
        from_environment = App.from_environment

        def opened() -> App:
            app = App(from_environment().settings, lambda: self.now)
            self._apps.append(app)
            return app

        monkeypatch.setattr(App, "from_environment", opened)

    def __call__(self, *args: object) -> Run:
        """Run a command to its end."""
        self._capsys.readouterr()
        try:
            main([str(arg) for arg in args])
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
        finally:
            self.close()
        said = self._capsys.readouterr()
        return Run(status, said.out, said.err)

    def go_to(self, folder: Path) -> None:
        """Work in another folder from now on."""
        self.folder = folder
        self._monkeypatch.chdir(folder)

    def set(self, **settings: str) -> None:
        """Set variables of the environment."""
        for name, value in settings.items():
            self._monkeypatch.setenv(name, value)

    def send_for(self, span: timedelta) -> None:
        """Send what comes due, hour by hour, while the clock goes on for a span of time."""
        app = App.from_environment()
        sender = app.sender()
        until = self.now + span
        while self.now < until:
            sender.tick(self.now)
            self.now += timedelta(hours=1)
        for provider in sender.providers.values():
            provider.close()
        self.close()

    def enroll(self, *extra: str, name: str = "Ana Lopez", ref: str = "A1", days: int = 9) -> None:
        """Import one patient with both consents and a session some days ahead; more columns as
        `name=value`.
        """
        session = (self.now + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M")
        columns = {
            "name": name,
            "phone": "+1 212 555 0101",
            "email": "ana@example.com",
            "session": session,
            "ref": ref,
            "consent": "sms email",
            "consent_how": "paper",
        } | dict(pair.split("=", 1) for pair in extra)
        path = self.folder / "one.csv"
        path.write_text(f"{','.join(columns)}\n{','.join(columns.values())}\n")
        done = self("import", "csv", path)
        assert done.out.startswith("Imported: 1 enrolled"), done

    def close(self) -> None:
        """Close the databases that were opened."""
        for app in self._apps:
            if "engine" in vars(app):
                app.engine.dispose()
        self._apps.clear()


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set on this machine plays no part."""
    for name in [name for name in os.environ if name.startswith("DRIP_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def set_up_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `drip init` was run; to be copied."""
    folder = tmp_path_factory.mktemp("clinic")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        main(["init"])
    return folder


@pytest.fixture
def empty_drip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Drip]:
    """The command line in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    drip = Drip(folder, monkeypatch, capsys)
    yield drip
    drip.close()


@pytest.fixture
def drip(empty_drip: Drip, set_up_folder: Path) -> Drip:
    """The command line in a folder that is set up, with no patients."""
    shutil.copytree(set_up_folder, empty_drip.folder, dirs_exist_ok=True)
    return empty_drip
