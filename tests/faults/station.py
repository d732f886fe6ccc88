"""A clinic that sends with real servers and real processes, all of which may be hurt."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text

from drip.app import App
from drip.clock import system_clock
from drip.config import read_settings
from drip.content.clinic_file import SAMPLE, load_clinic
from drip.content.sources import content_dir
from drip.core.delivery import Reason, Status
from drip.core.schedule import Channel
from drip.intake.booking import Booking, Defaults, read_booking
from drip.services.bookings.enrolling import Enrolled, enroll_all
from drip.services.consent.stopping import stop_address
from drip.services.outbound.sending import Sender
from drip.services.scope import Scope, open_scope
from drip.services.upkeep.housekeeping import keep_house
from drip.store.engine import open_engine, reading
from drip.store.schema import Attempt, Delivery, Patient, Task
from tests.servers import nursery
from tests.servers.nursery import Child
from tests.servers.twilio_process import TwilioProcess
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER

PATIENCE = 60.0
"""Seconds after which a test gives up."""

MOVING = frozenset({Status.CLAIMED, Status.SENDING})
WAITING_FOR_A_PROVIDER = frozenset({Reason.RETRYING, Reason.PROVIDER_DOWN})

_ZONES = (
    "Pacific/Honolulu",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Helsinki",
    "Asia/Dubai",
    "Asia/Dhaka",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Brisbane",
    "Pacific/Auckland",
)


def zone_where_it_is(hour: int, now: datetime) -> str:
    """A time zone in which the wall clock is near this hour."""

    def hours_off(zone: str) -> float:
        there = now.astimezone(ZoneInfo(zone))
        off = abs(there.hour + there.minute / 60 - hour)
        return min(off, 24 - off)

    return min(_ZONES, key=hours_off)


@dataclass
class Station:
    """One clinic where it is about noon, its servers, and `drip` as processes in its folder.

    It sends over the Twilio-shaped server, or into its outbox where there is none, at a pace
    that holds nothing up. Every patient has a text due at once.
    """

    folder: Path
    database_url: str
    redis_url: str | None
    twilio: TwilioProcess | None = None
    api_url: str | None = None
    """Where the processes find Twilio, if not at the server itself."""
    settings: Mapping[str, str] = field(default_factory=dict)
    ahead: timedelta = timedelta()
    """How far time was moved, in this process."""
    running: list[Child] = field(default_factory=list)
    signs: dict[int, Path] = field(default_factory=dict)
    """The health files of the workers."""
    stopped: dict[str, datetime] = field(default_factory=dict)
    """The numbers that were stopped, and when that was done."""
    numbers: list[str] = field(default_factory=list)
    """The patients' numbers, in the order in which they were enrolled."""

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        sample = SAMPLE.read_text(encoding="utf-8")
        changed = sample.replace("America/New_York", zone_where_it_is(12, system_clock()))
        sender = "sender: long-code"
        assert sender in changed
        changed = changed.replace(sender, "sender: messaging-service\n  rate: 100000")
        (self.folder / "clinic.yaml").write_text(changed, encoding="utf-8")

    def another(self, key: str) -> "Station":
        """Another clinic in the same database, with other patients; its processes are ours."""
        other = replace(self, folder=self.folder / key, numbers=list(self.numbers), running=[])
        other.__dict__["engine"] = self.engine
        path = other.folder / "clinic.yaml"
        path.write_text(path.read_text("utf-8").replace("clinic: river", f"clinic: {key}"), "utf-8")
        return other

    def now(self) -> datetime:
        """The time, as far as it was moved."""
        return system_clock() + self.ahead

    def forward(self, by: timedelta) -> None:
        """Move time in this process, and in those that look into the file `ahead`."""
        self.ahead += by
        new = self.ahead_file.with_suffix(".new")
        new.write_text(str(self.ahead.total_seconds()))
        new.replace(self.ahead_file)

    @property
    def ahead_file(self) -> Path:
        """How many seconds time was moved."""
        return self.folder / "ahead"

    @cached_property
    def engine(self) -> Engine:
        """The database."""
        return open_engine(self.database_url)

    @cached_property
    def scope(self) -> Scope:
        """The clinic."""
        clinic = load_clinic(self.folder / "clinic.yaml")
        return open_scope(self.engine, content_dir(), clinic, self.now())

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""
        found = {"DRIP_DATABASE_URL": self.database_url, "DRIP_LOG_LEVEL": "warning"}
        if self.redis_url is not None:
            found["DRIP_REDIS_URL"] = self.redis_url
        if self.twilio is not None:
            found |= {
                "DRIP_SMS_PROVIDER": "twilio",
                "DRIP_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
                "DRIP_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
                "DRIP_TWILIO_FROM": SENDER,
                "DRIP_TWILIO_API_URL": self.api_url or self.twilio.url,
            }
        return found | dict(self.settings)

    @contextmanager
    def sender(self) -> Iterator[Sender]:
        """A sender in this process, by the same settings."""
        app = App(read_settings(self.environment, self.folder), self.now, self.folder)
        sender = Sender(self.engine, app.content, app.providers(), app.pace)
        try:
            yield sender
        finally:
            sender.close()
            for provider in sender.providers.values():
                provider.close()

    # --- Patients ---------------------------------------------------------------------------

    def enrol(self, many: int, session_in: timedelta = timedelta(days=20)) -> list[str]:
        """Enrol patients, each with a text due now; gives their numbers."""
        first = len(self.numbers)
        numbers = [_number(n) for n in range(first, first + many)]
        self.numbers += numbers
        now = self.now()
        session_at = now + session_in
        bookings = [self._booking(number, session_at) for number in numbers]
        outcomes = enroll_all(self.scope, bookings, now)
        assert all(isinstance(each, Enrolled) for each in outcomes), outcomes[0]
        return numbers

    def enrol_travellers(self, many: int) -> list[str]:
        """The same, but where they are now it is night: nothing may go out before morning."""
        numbers = self.enrol(many)
        asleep = zone_where_it_is(2, self.now())
        with self.engine.begin() as connection:
            connection.execute(
                text("UPDATE patients SET timezone = :zone WHERE phone = ANY(:phones)"),
                {"zone": asleep, "phones": numbers},
            )
        return numbers

    def stop(self, numbers: Iterable[str]) -> None:
        """Let these patients say STOP."""
        for number in numbers:
            stop_address(self.scope, Channel.SMS, number, "verbal", "staff", self.now())
            self.stopped[number] = self.now()

    def _booking(self, number: str, session_at: datetime) -> Booking:
        clinic = self.scope.clinic
        defaults = Defaults(
            clinic.country,
            clinic.zone,
            "en",
            ("en", "es"),
            "ketamine-first-session",
            "csv",
            "desk",
        )
        there = session_at.astimezone(clinic.zone).replace(tzinfo=None)
        fields = {
            "name": f"Patient {_letters(number)}",
            "phone": number,
            "session": there.isoformat(timespec="minutes"),
            "consent": "sms",
            "consent_how": "paper",
            "ref": number,
        }
        return read_booking(fields, defaults)

    # --- Processes --------------------------------------------------------------------------

    @property
    def log(self) -> Path:
        """What all processes say."""
        return self.folder / "log.txt"

    def worker(self, *, quiet: bool = False) -> Child:
        """Start a worker with two children, which may be `quiet`: no file is written to then."""
        sign = self.folder / f"worker-{len(self.running)}"
        words: list[str | Path] = ["worker", "--concurrency", "2", "--health-file", sign]
        process = self.start("-m", "drip", *words, quiet=quiet)
        self.signs[process.pid] = sign
        return process

    def beat(self) -> Child:
        """Start a beat."""
        return self.start("-m", "drip", "beat")

    def start(self, *arguments: str | Path, quiet: bool = False) -> Child:
        """Start Python in the folder."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DRIP_")}
        log = Path(os.devnull) if quiet else self.log
        words = [str(each) for each in arguments]
        process = nursery.start(words, self.folder, kept | self.environment, log, log)
        self.running.append(process)
        return process

    def kill(self, process: Child) -> None:
        """SIGKILL for a process and its children."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_child(self, process: Child, chance: random.Random) -> None:
        """SIGKILL for one of its children, once it has some."""
        self.wait_for(lambda: self.is_ready(process))
        with suppress(ProcessLookupError):
            os.kill(chance.choice(children_of(process.pid)), signal.SIGKILL)

    def end(self, process: Child) -> int:
        """SIGTERM; gives the status with which it ended."""
        process.send_signal(signal.SIGTERM)
        return process.wait(PATIENCE)

    def end_all(self) -> None:
        """End what was started and still runs, as a person would."""
        running = [process for process in self.running if process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            assert process.wait(PATIENCE) == 0, self.last_words()

    def close(self) -> None:
        """Kill what is left."""
        for process in self.running:
            self.kill(process)
        if "engine" in self.__dict__:
            self.engine.dispose()

    # --- Looked at --------------------------------------------------------------------------

    def wait_for(self, what: Callable[[], object]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < deadline, self.last_words()
            time.sleep(0.01)

    def is_ready(self, worker: Child) -> bool:
        """Whether a worker listens: one whose child is killed before that gives up, as it says."""
        return self.signs[worker.pid].exists() and len(children_of(worker.pid)) >= 2

    def is_at_rest(self) -> bool:
        """Whether all that was due has been tried."""
        return self.standing().keys().isdisjoint({Status.SCHEDULED, *MOVING})

    def last_words(self) -> str:
        """The end of the log."""
        return self.log.read_text()[-3000:] if self.log.exists() else ""

    def standing(self) -> dict[str, int]:
        """How many deliveries that are, or were, due stand where."""
        query = text("SELECT status, count(*) FROM deliveries WHERE due_at <= :now GROUP BY 1")
        with self.engine.connect() as connection:
            return dict(connection.execute(query, {"now": self.now()}).all())

    def accepted(self) -> int:
        """How many are recorded as accepted."""
        return self.standing().get(Status.ACCEPTED, 0)

    def all(self) -> "Everything":
        """All rows that sending touches."""
        with reading(self.engine) as session:
            return Everything(
                session.query(Delivery).order_by(Delivery.id).all(),
                session.query(Attempt).order_by(Attempt.id).all(),
                session.query(Task).filter(Task.status == "open").all(),
                {patient.id: patient for patient in session.query(Patient)},
            )

    # --- Later ------------------------------------------------------------------------------

    def let_time_pass(self) -> None:
        """Move time, in this process, until all that was left under way has come to its end.

        Leases lapse, unknown outcomes are asked for, and what waits for a provider goes out:
        that is well by now.
        """
        if self.twilio is not None:
            self.twilio.behave_well()
        with self.sender() as sender:
            for _ in range(30):
                self.forward(timedelta(minutes=8))
                keep_house(self.engine, sender.providers, self.now())
                while sender.tick(self.now()):
                    """Until nothing is due."""
                if not self._under_way():
                    return
        raise AssertionError(f"it does not come to an end: {self.standing()}")

    def _under_way(self) -> bool:
        query = text(
            "SELECT 1 FROM deliveries WHERE status IN ('claimed', 'sending', 'unknown') "
            "OR (status = 'scheduled' AND (due_at <= :now OR reason = ANY(:waits))) LIMIT 1"
        )
        given = {"now": self.now(), "waits": sorted(WAITING_FOR_A_PROVIDER)}
        with self.engine.connect() as connection:
            return connection.execute(query, given).first() is not None


@dataclass(frozen=True)
class Everything:
    """All rows that sending touches, at one moment."""

    deliveries: list[Delivery]
    attempts: list[Attempt]
    tasks: list[Task]
    patients: dict[int, Patient]

    @property
    def due(self) -> list[Delivery]:
        """The welcomes: what was due when the patients were enrolled."""
        return [row for row in self.deliveries if (row.step, row.channel) == ("welcome", "sms")]


def children_of(pid: int) -> list[int]:
    """The children of a process."""
    listed = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid="], text=True)
    pairs = [line.split() for line in listed.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def _number(n: int) -> str:
    return f"+1{201 + n // 100}55501{n % 100:02}"


def _letters(number: str) -> str:
    return "".join("ABCDEFGHIJ"[int(digit)] for digit in number[2:])
