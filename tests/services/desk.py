"""A clinic's desk for tests: bookings in, time moved on, and what was sent looked at."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, exists, select

from drip.content.clinic_file import sample_clinic
from drip.content.render import Renderer
from drip.content.sources import ContentDir, content_dir
from drip.core.clinic import Clinic, Texts
from drip.core.delivery import WAITING, Status
from drip.core.outgoing import Accepted, Answer, NotSent, Outgoing, Settlement, Unsettled
from drip.core.schedule import Channel
from drip.intake.booking import Booking, Defaults, read_booking
from drip.services.bookings.enrolling import Enrolled, enroll, enroll_all
from drip.services.outbound.sending import Sender
from drip.services.scope import Scope, open_scope
from drip.services.upkeep.housekeeping import keep_house
from drip.store import attempts, claiming, deliveries, enrollments, patients, tasks
from drip.store.engine import reading
from drip.store.schema import Attempt, Delivery, Enrollment, Patient, Task

NEW_YORK = ZoneInfo("America/New_York")
BOTH = {"consent": "sms,email", "consent_how": "verbal"}
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(wall: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    """The instant, in UTC, of a wall clock like "2026-12-01 10:00"."""
    return datetime.fromisoformat(wall).replace(tzinfo=zone).astimezone(UTC)


def said(moment: datetime, zone: ZoneInfo = NEW_YORK) -> str:
    """An instant as "2026-12-01 10:00" on the wall clock of a zone."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


NOW = at("2026-12-01 10:00")
SESSION = "2026-12-15T09:00"


@dataclass
class Sink:
    """A provider that keeps what it takes, and answers as a test asks.

    `answer` decides on each message, `knows` on each attempt that it is asked for later.
    """

    name: str
    answer: Callable[[Outgoing, datetime], Answer] | None = None
    knows: Callable[[Unsettled], Settlement] = field(default=lambda _: NotSent())
    sent: list[tuple[datetime, Outgoing]] = field(default_factory=list)
    tried: list[tuple[datetime, Outgoing]] = field(default_factory=list)
    asked: list[tuple[datetime, Unsettled]] = field(default_factory=list)

    def send(self, batch: Sequence[Outgoing], now: datetime) -> list[Answer]:
        """Answer for each; keep what is accepted."""
        answers = []
        for outgoing in batch:
            self.tried.append((now, outgoing))
            answer: Answer = Accepted(f"{self.name}-{outgoing.attempt_id}")
            if self.answer is not None:
                answer = self.answer(outgoing, now)
            if isinstance(answer, Accepted):
                self.sent.append((now, outgoing))
            answers.append(answer)
        return answers

    def settle(self, batch: Sequence[Unsettled], now: datetime) -> list[Settlement]:
        """Say what is known."""
        self.asked += [(now, each) for each in batch]
        return [self.knows(each) for each in batch]

    def close(self) -> None:
        """Do nothing."""


def hurried(clinic: Clinic) -> Clinic:
    """The clinic with a sender that carriers do not slow down."""
    return replace(clinic, texts=Texts(rate=100_000))


@dataclass
class Desk:
    """A clinic, its sender and its two sinks."""

    engine: Engine
    clinic: Clinic = field(default_factory=lambda: hurried(sample_clinic()))
    content: ContentDir = field(default_factory=content_dir)
    sms: Sink = field(default_factory=lambda: Sink("texts"))
    email: Sink = field(default_factory=lambda: Sink("mails"))
    scope: Scope = field(init=False)
    sender: Sender = field(init=False)

    def __post_init__(self) -> None:
        self.scope = open_scope(self.engine, self.content, self.clinic, NOW)
        self.sender = self.new_sender()

    def new_sender(self, batch: int = 50) -> Sender:
        """Another sender to the same sinks."""
        providers = {Channel.SMS: self.sms, Channel.EMAIL: self.email}
        sender = Sender(self.engine, self.scope.content, providers, batch=batch)
        if self.content == content_dir():
            sender.renderer = _built_in_renderer()
        return sender

    # --- In ---------------------------------------------------------------------------------

    def booking(self, number: int = 1, **fields: str) -> Booking:
        """The booking of patient number so-and-so, with both consents unless said otherwise."""
        given = {
            "name": f"Patient {chr(65 + (number - 1) % 26)}",
            "phone": f"+1 212 555 {100 + number:04}",
            "email": f"patient{number}@example.com",
            "session": SESSION,
            **BOTH,
            **fields,
        }
        return read_booking({key: value for key, value in given.items() if value}, self.defaults)

    @property
    def defaults(self) -> Defaults:
        """What a booking takes from the clinic."""
        return Defaults(
            self.clinic.country,
            self.clinic.zone,
            "en",
            ("en", "es"),
            "ketamine-first-session",
            "csv",
            "desk",
        )

    def enroll(self, number: int = 1, now: datetime = NOW, **fields: str) -> Enrolled:
        """Enrol patient number so-and-so."""
        return enroll(self.scope, self.booking(number, **fields), now)

    def enroll_many(self, numbers: Iterable[int], now: datetime = NOW, **fields: str) -> list[int]:
        """Enrol patients in one transaction; gives the enrollments."""
        made = enroll_all(self.scope, [self.booking(n, **fields) for n in numbers], now)
        assert all(isinstance(each, Enrolled) for each in made)
        return [each.enrollment_id for each in made if isinstance(each, Enrolled)]

    # --- On ---------------------------------------------------------------------------------

    def send_all(self, now: datetime, sender: Sender | None = None) -> None:
        """Send until nothing more is due at this moment."""
        while (sender or self.sender).tick(now):
            pass

    def keep_house(self, now: datetime) -> None:
        """Rescue, settle and expire once."""
        keep_house(self.engine, self.sender.providers, now)

    def run_until(self, end: datetime) -> None:
        """Let time run: send what is due when it is due, and keep house when there is need."""
        while True:
            with reading(self.engine) as session:
                due_at = claiming.next_due_at(session)
            if due_at is None or due_at > end:
                self.keep_house(end)
                return
            self.send_all(due_at)
            if self._house_has_work(due_at):
                self.keep_house(due_at)

    def _house_has_work(self, now: datetime) -> bool:
        """Whether anything is under way or unknown, or waits past its `until`."""
        under_way = Delivery.status.in_([Status.CLAIMED, Status.SENDING, Status.UNKNOWN])
        late = Delivery.status.in_([Status.SCHEDULED, Status.HELD]) & (Delivery.until <= now)
        with reading(self.engine) as session:
            return bool(session.scalar(select(exists().where(under_way | late))))

    # --- Looked at --------------------------------------------------------------------------

    def rows(self, enrollment_id: int | None = None) -> list[Delivery]:
        """The deliveries of an enrollment, or of all, by time."""
        with reading(self.engine) as session:
            if enrollment_id is not None:
                return deliveries.of_enrollment(session, enrollment_id)
            return sorted(session.query(Delivery).all(), key=lambda row: (row.due_at, row.id))

    def row(
        self, enrollment_id: int, step: str, channel: str = "sms", occurrence: int = 1
    ) -> Delivery:
        """One delivery."""
        (found,) = (
            row
            for row in self.rows(enrollment_id)
            if (row.step, row.channel.value, row.occurrence) == (step, channel, occurrence)
        )
        return found

    def stands(self, enrollment_id: int, occurrence: int | None = None) -> dict[str, str]:
        """How each "step/channel" of an enrollment stands, its last occurrence if none is said."""
        found: dict[str, str] = {}
        for row in sorted(self.rows(enrollment_id), key=lambda row: row.occurrence):
            if occurrence in (None, row.occurrence):
                reason = f" {row.reason}" if row.reason else ""
                found[f"{row.step}/{row.channel}"] = f"{row.status}{reason}"
        return found

    def waiting(self, enrollment_id: int) -> list[Delivery]:
        """The deliveries that are still meant to be sent."""
        return [row for row in self.rows(enrollment_id) if row.status in WAITING]

    def counts(self) -> Counter[Status]:
        """How many deliveries stand where."""
        return Counter(row.status for row in self.rows())

    def tries(self, delivery_id: int) -> list[Attempt]:
        """The attempts at a delivery."""
        with reading(self.engine) as session:
            return attempts.of_delivery(session, delivery_id)

    def tasks(self, kind: str | None = None) -> list[Task]:
        """What staff must do."""
        with reading(self.engine) as session:
            found = tasks.list_open(session, self.scope.clinic_id)
        return [task for task in found if kind in (None, task.kind)]

    def enrollment(self, enrollment_id: int) -> Enrollment:
        """The enrollment as it stands."""
        with reading(self.engine) as session:
            found = enrollments.get(session, enrollment_id)
        assert found is not None
        return found

    def patient(self, enrollment_id: int) -> Patient:
        """An enrollment's patient."""
        with reading(self.engine) as session:
            found = patients.get(session, self.enrollment(enrollment_id).patient_id)
        assert found is not None
        return found

    def count_of(self, table: type) -> int:
        """How many rows a table has."""
        with reading(self.engine) as session:
            return session.query(table).count()

    def sent_steps(self, sink: Sink | None = None) -> list[str]:
        """Each message that was accepted, as "step/channel", in order."""
        names = {row.id: f"{row.step}/{row.channel}" for row in self.rows()}
        sinks = [sink] if sink else [self.sms, self.email]
        all_sent = sorted(
            ((now, outgoing.attempt_id, outgoing) for each in sinks for now, outgoing in each.sent),
            key=lambda one: one[:2],
        )
        return [names[outgoing.delivery_id] for _, _, outgoing in all_sent]


@cache
def _built_in_renderer() -> Renderer:
    """One for all desks of a process: it reads and compiles every message once."""
    return Renderer(content_dir())


def without_reason(rows: Iterable[Delivery]) -> list[str]:
    """The deliveries that are not, or not yet, on their way and do not say why."""
    silent = {Status.SCHEDULED, Status.CLAIMED, Status.SENDING, Status.ACCEPTED, Status.DELIVERED}
    return [
        f"{row.step}/{row.channel}: {row.status}"
        for row in rows
        if row.status not in silent and row.reason is None
    ]
