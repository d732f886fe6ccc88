"""The Twilio-shaped server as a process of its own, which outlives whatever it is tested with."""

import json
import os
import time
import urllib.request
from dataclasses import asdict
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from tests.servers import nursery
from tests.servers.twilio_server import Behaviour

_ROOT = Path(__file__).parents[2]


class Text(NamedTuple):
    """A text that was accepted; `at` is UTC, to the second."""

    sid: str
    to: str
    body: str
    at: datetime


class TwilioProcess:
    """Keeps each text that it accepts in a file before it answers.

    Its clock is as many seconds ahead as the file `ahead` says, if there is one.
    """

    def __init__(self, state: Path, ahead: Path | None = None) -> None:
        self._state = state
        self._clock: list[str | Path] = [] if ahead is None else ["--ahead", ahead]
        self._port = 0

    def __enter__(self) -> Self:
        self._state.touch()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; at the same address after a stop."""
        options = ["--port", str(self._port), "--state", self._state, *self._clock]
        said, errors = self._state.with_suffix(".url"), self._state.with_suffix(".errors")
        said.write_text("")
        words = ["-m", "tests.servers.twilio_server", *map(str, options)]
        self._process = nursery.start(words, _ROOT, os.environ, said, errors)
        while not (found := said.read_text()).endswith("\n"):
            assert self._process.poll() is None, errors.read_text()
            time.sleep(0.005)
        self.url = found.strip()
        self._port = urlsplit(self.url).port or 0

    def stop(self) -> None:
        """Go away; connections to its address are refused."""
        self._process.kill()
        self._process.wait()

    def behave(self, way: Behaviour, to: str | None = None) -> None:
        """Treat texts to this number, or all others, in this way from now on."""
        self._ask("behave", {"way": asdict(way), "to": to})

    def behave_well(self) -> None:
        """Treat all texts well from now on."""
        self._ask("behave_well", {})

    def answer_lists_with(self, status: int) -> None:
        """Let the list of texts be answered with this HTTP status."""
        self._ask("list_status", {"status": status})

    def _ask(self, what: str, asked: dict[str, object]) -> None:
        data = json.dumps(asked).encode()
        with urllib.request.urlopen(f"{self.url}/_test/{what}", data, timeout=10):
            """It answers when it has understood."""

    @property
    def count(self) -> int:
        """How many texts it has accepted."""
        return self._state.read_bytes().count(b"\n")

    @property
    def texts(self) -> list[Text]:
        """The texts that it has accepted, oldest first."""
        kept = [json.loads(line) for line in self._state.read_text().splitlines()]
        return [
            Text(one["sid"], one["to"], one["body"], parsedate_to_datetime(one["date_created"]))
            for one in kept
        ]
