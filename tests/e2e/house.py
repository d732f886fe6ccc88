"""A clinic's folder with real servers around it, and `drip` as real processes in it."""

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, exists, select

from drip.app import App
from drip.clock import system_clock
from drip.config import read_settings
from drip.content.clinic_file import SAMPLE
from drip.core.delivery import Status
from drip.services.outbound.sending import Sender
from drip.store.engine import reading
from drip.store.schema import Delivery
from tests.servers import nursery
from tests.servers.nursery import Child
from tests.servers.smtp_server import SmtpServer
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER, TwilioServer
from tests.services.desk import NOW, Desk

_PROCESSES = Path(__file__).parent / "processes"
PATIENCE = 60.0
"""Seconds after which a test gives up."""


@dataclass
class Clock:
    """A clock that goes on from a moment and can be put forward."""

    start: datetime = NOW
    ahead: timedelta = field(init=False)

    def __post_init__(self) -> None:
        self.ahead = self.start - system_clock()

    def __call__(self) -> datetime:
        return system_clock() + self.ahead

    def forward(self, by: timedelta) -> None:
        """Put it forward."""
        self.ahead += by


@dataclass
class House:
    """One clinic, its database, its providers' servers and its folder."""

    folder: Path
    engine: Engine
    clock: Clock
    twilio: TwilioServer | None = None
    smtp: SmtpServer | None = None
    desk: Desk = field(init=False)
    running: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        quick = "sender: messaging-service\n  rate: 100000"
        text = SAMPLE.read_text().replace("sender: long-code", quick)
        (self.folder / "clinic.yaml").write_text(text)
        self.desk = Desk(self.engine)

    @property
    def env(self) -> dict[str, str]:
        """The settings."""
        env = {
            "DRIP_DATABASE_URL": self.engine.url.render_as_string(hide_password=False),
            "DRIP_OUTBOX_DIR": str(self.folder / "outbox"),
        }
        if self.twilio is not None and self.smtp is not None:
            env |= {
                "DRIP_SMS_PROVIDER": "twilio",
                "DRIP_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
                "DRIP_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
                "DRIP_TWILIO_FROM": SENDER,
                "DRIP_TWILIO_API_URL": self.twilio.url,
                "DRIP_EMAIL_PROVIDER": "smtp",
                "DRIP_SMTP_URL": self.smtp.url,
                "DRIP_EMAIL_FROM": "care@example.com",
            }
        return env

    def sender(self) -> Sender:
        """A sender in this process, by the same settings."""
        app = App(read_settings(self.env, self.folder), self.clock, self.folder)
        return Sender(self.engine, app.content, app.providers())

    @property
    def errors(self) -> Path:
        """Where all processes write what goes wrong, and their log."""
        return self.folder / "stderr.txt"

    # --- Processes --------------------------------------------------------------------------

    def start(self, script: str, *arguments: object) -> Child:
        """Start a script of the folder `processes` in the clinic's folder."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DRIP_")}
        process = nursery.start(
            [str(each) for each in (_PROCESSES / script, *arguments)],
            folder=self.folder,
            environment=kept | self.env | {"COLUMNS": "200"},
            output=self.folder / "stdout.txt",
            errors=self.errors,
        )
        self.running.append(process)
        return process

    def drip(self, *arguments: object) -> Any:
        """Run a command to its end at the house's time; gives what it printed as JSON."""
        printed = self.folder / "stdout.txt"
        printed.write_text("")
        ahead = self.clock.ahead.total_seconds()
        process = self.start("drip_ahead.py", ahead, *arguments, "--json")
        assert process.wait(PATIENCE) == 0, self.errors.read_text()
        return json.loads(printed.read_text())

    def run(self) -> Child:
        """Start `drip run` at the house's time."""
        return self.start("drip_ahead.py", self.clock.ahead.total_seconds(), "run")

    def wait_until_up(self, process: Child) -> None:
        """Wait until `drip run` sends and listens to signals."""
        self.wait_for(lambda: "run.started" in process.log)

    def end(self, process: Child, signal: int) -> int:
        """Send a signal and wait for the end; gives the exit status."""
        process.send_signal(signal)
        return process.wait(PATIENCE)

    # --- Looked at --------------------------------------------------------------------------

    @property
    def arrived(self) -> Counter[str]:
        """How many messages have arrived at each address."""
        if self.twilio is not None and self.smtp is not None:
            with self.twilio.lock:
                texts = [message["to"] for message in self.twilio.messages]
            # The digest of the morning is the clinic's own.
            mails = [mail.to for mail in self.smtp.mails if mail.to != self.desk.clinic.email]
            return Counter(texts + mails)
        found = (path.read_text(encoding="utf-8") for path in self.folder.glob("outbox/*.*"))
        return Counter(
            to for text in found for to in re.findall(r"^To: <?([^\s<>]+)>?$", text, re.MULTILINE)
        )

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < deadline, self.errors.read_text()[-3000:]
            time.sleep(0.01)

    def stands_still(self, *also: Status) -> bool:
        """Whether nothing due is under way any more, or in one of these statuses."""
        under_way = Delivery.status.in_([Status.CLAIMED, Status.SENDING, *also])
        due = (Delivery.status == Status.SCHEDULED) & (Delivery.due_at <= self.clock())
        with reading(self.engine) as session:
            return not session.scalar(select(exists().where(under_way | due)))


@contextmanager
def housed(folder: Path, engine: Engine, *, servers: bool = True) -> Iterator[House]:
    """A house; whatever it started is ended."""
    clock = Clock()
    with ExitStack() as stack:
        house = House(folder, engine, clock)
        if servers:
            house.twilio = stack.enter_context(TwilioServer(clock=clock))
            house.smtp = stack.enter_context(SmtpServer())
        try:
            yield house
        finally:
            for process in house.running:
                process.kill()
                process.wait(PATIENCE)
