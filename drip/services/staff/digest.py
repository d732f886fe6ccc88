"""The daily digest: what a clinic's staff should know in the morning, as a short plain email.

It names patients by their initials and enrollment. No word of a patient is in it, no phone number
and nothing of anybody's health.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from html import escape

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.core.ages import age_said
from drip.core.clinic import Clinic
from drip.core.outgoing import Accepted, EmailContent, Outgoing, Retry
from drip.core.schedule import Channel
from drip.providers.protocol import Provider
from drip.services.readable import readable_clinics
from drip.services.staff.conversation import by_urgency
from drip.store import attempts, clinics, conversations, digests, enrollments, patients, tasks
from drip.store.attempts import Failures
from drip.store.conversations import NotArrived
from drip.store.engine import reading, writing
from drip.store.schema import Enrollment, Patient, Reply, Task

log = structlog.get_logger(__name__)

OPENS, CLOSES = time(7), time(12)
"""When a digest goes out, on the clinic's clock; after noon it is left out for the day."""

_DAYS = 2
_SINCE = timedelta(days=1)
_LATE_WORD = timedelta(days=4)
"""How long after a message was handed over a receipt may still say that it was lost."""
_MOST = 20
"""Tasks and sessions that are listed; of the others it says how many there are."""


@dataclass(frozen=True, slots=True)
class Unread:
    """The replies of a phone that nobody has taken up: how many, since when (UTC), which task.

    `names` are those of the patients who have the phone; none where it is nobody's.
    """

    count: int
    since: datetime
    task_id: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """What there is to say on one local day of a clinic, at a moment (`at`, UTC).

    `lost` and `failures` are those of the last day: what did not reach a patient, and what
    providers answered.
    """

    day: date
    at: datetime
    sessions: tuple[tuple[Enrollment, Patient], ...]
    unread: tuple[Unread, ...]
    tasks: tuple[Task, ...]
    lost: tuple[NotArrived, ...]
    failures: tuple[Failures, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to know."""
        return not (self.sessions or self.unread or self.tasks or self.lost or self.failures)


def send_digests(engine: Engine, provider: Provider, now: datetime) -> int:
    """Send the digest of every clinic whose hour it is and that has something to know.

    One goes out a clinic and local day, whoever else does the same at this moment. A mailbox
    that cannot be reached is tried again next time. `now` is UTC; gives how many were sent.
    """
    with reading(engine) as session:
        known = readable_clinics(session, clinics.ids(session))
    due = [
        (clinic_id, clinic, day)
        for clinic_id, clinic in known.items()
        if clinic is not None and (day := digest_day(clinic, now)) is not None
    ]
    return sum(_send(engine, provider, *each, now) for each in due)


def _send(
    engine: Engine, provider: Provider, clinic_id: int, clinic: Clinic, day: date, now: datetime
) -> bool:
    with writing(engine) as session:
        if not digests.begin(session, clinic_id, day, now):
            return False
    digest = read_digest(engine, clinic_id, clinic, now)
    if digest.is_empty:
        return False
    # No delivery has a number below zero, and no two digests the same Message-ID.
    number = -(day.toordinal() * 100_000 + clinic_id)
    mail = Outgoing(
        delivery_id=number,
        attempt_id=0,
        channel=Channel.EMAIL,
        to=clinic.email,
        content=digest_email(digest, clinic),
        give_up_at=now + timedelta(hours=12),
    )
    (answer,) = provider.send([mail], now)
    if isinstance(answer, Retry):
        with writing(engine) as session:
            digests.forget(session, clinic_id, day)
    log.info("digest.answered", clinic=clinic_id, answer=type(answer).__name__.lower())
    return isinstance(answer, Accepted)


def digest_day(clinic: Clinic, now: datetime) -> date | None:
    """The clinic's day whose digest may go out at `now` (UTC); None outside the hours for it."""
    local = now.astimezone(clinic.zone)
    return local.date() if OPENS <= local.time() < CLOSES else None


def read_digest(engine: Engine, clinic_id: int, clinic: Clinic, now: datetime) -> Digest:
    """Gather what a digest says at `now` (UTC): sessions of today and tomorrow, what waits, what
    failed.
    """
    today = now.astimezone(clinic.zone).date()
    end = datetime.combine(today + timedelta(days=_DAYS), time(), clinic.zone)
    since = now - _SINCE
    with reading(engine) as session:
        return Digest(
            day=today,
            at=now,
            sessions=tuple(enrollments.with_session_between(session, clinic_id, now, end)),
            unread=tuple(_unread(session, clinic_id)),
            tasks=tuple(sorted(tasks.list_open(session, clinic_id), key=by_urgency)),
            lost=tuple(conversations.not_arrived(session, clinic_id, since, now - _LATE_WORD)),
            failures=tuple(attempts.failures(session, clinic_id, since)),
        )


def digest_email(digest: Digest, clinic: Clinic) -> EmailContent:
    """The digest in words, to be sent to the clinic's own mailbox."""
    parts = [
        ("Sessions today and tomorrow", _sessions(digest, clinic)),
        ("Replies that nobody has read", [_reply(each, digest.at) for each in digest.unread]),
        ("To do", [_task(task, digest.at) for task in digest.tasks]),
        ("Messages that did not arrive since yesterday", [_lost(each) for each in digest.lost]),
        ("What providers did not take since yesterday", _failures(digest.failures)),
    ]
    end = "`drip tasks` and `drip status` show more."
    text = "\n\n".join([*(_as_text(*part) for part in parts), end]) + "\n"
    html = "\n".join([*(_as_html(*part) for part in parts), f"<p>{escape(end)}</p>"])
    return EmailContent(
        _subject(digest), html, text, from_name="Drip", reply_to=clinic.email, to_staff=True
    )


def _subject(digest: Digest) -> str:
    said = [_count(len(digest.sessions), "session")]
    if unread := sum(each.count for each in digest.unread):
        said.append(f"{unread} unread {'reply' if unread == 1 else 'replies'}")
    said.append(_count(len(digest.tasks), "task"))
    if urgent := sum(task.urgent for task in digest.tasks):
        said.append(f"{urgent} urgent")
    return f"{digest.day:%A}: {', '.join(said)}"


def _unread(session: Session, clinic_id: int) -> Iterator[Unread]:
    """The unread replies by the phone that they came from and the task that they belong to."""
    waiting: dict[tuple[str, int], list[Reply]] = {}
    for reply, task in conversations.unread(session, clinic_id):
        waiting.setdefault((reply.address, task.id), []).append(reply)
    for (phone, task_id), replies in waiting.items():
        people = patients.by_phone(session, clinic_id, phone)
        names = tuple(who.name for who in people)
        yield Unread(len(replies), replies[0].received_at, task_id, names)


def _reply(unread: Unread, now: datetime) -> str:
    whose = " and ".join(_initials(name) for name in unread.names) or "a phone that nobody has"
    count = "1 reply" if unread.count == 1 else f"{unread.count} replies"
    return f"{whose}: {count}, {age_said(now - unread.since)} old (task {unread.task_id})"


def _sessions(digest: Digest, clinic: Clinic) -> list[str]:
    return [
        f"{enrollment.session_at.astimezone(clinic.zone):%a %H:%M} {_initials(patient.name)}, "
        f"enrollment {enrollment.id}: {_state(enrollment)}"
        for enrollment, patient in digest.sessions
    ]


def _state(enrollment: Enrollment) -> str:
    said = [
        "confirmed" if enrollment.confirmed_at else "not confirmed",
        "ride arranged" if enrollment.ride_arranged_at else "no word of a ride",
    ]
    if enrollment.status == "paused":
        said.append("messages on hold")
    elif enrollment.education_paused_at is not None:
        said.append("education on hold")
    return ", ".join(said)


def _task(task: Task, now: datetime) -> str:
    notes = [age_said(now - task.opened_at)]
    if task.enrollment_id:
        notes.append(f"enrollment {task.enrollment_id}")
    if task.acked_by:
        notes.append(f"{task.acked_by} has it")
    return f"{'Urgent: ' if task.urgent else ''}{task.says} ({', '.join(notes)})"


def _lost(lost: NotArrived) -> str:
    return (
        f"{_initials(lost.name)}, enrollment {lost.enrollment_id}: {lost.step} by {lost.channel}, "
        f"{lost.status}"
    )


def _failures(failures: Sequence[Failures]) -> list[str]:
    return [
        f"{_count(each.count, 'time')} {each.provider}: {each.outcome} {each.code}".rstrip()
        for each in failures
    ]


def _initials(name: str) -> str:
    return "".join(f"{word[0]}." for word in name.replace(",", " ").split())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST
    return [*lines[:_MOST], *([f"and {more} more"] if more > 0 else [])] or ["none"]


def _as_text(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"- {line}" for line in _shown(lines))])


def _as_html(title: str, lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in _shown(lines))
    return f"<h2>{escape(title)}</h2>\n<ul>{items}</ul>"
