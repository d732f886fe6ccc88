"""The daily digest: what a clinic's staff should know in the morning, as a short plain email.

It names patients by their initials and enrollment, and says nothing of their health.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from html import escape

import structlog
from sqlalchemy import Engine

from drip.core.clinic import Clinic
from drip.core.outgoing import Accepted, EmailContent, Outgoing, Retry
from drip.core.schedule import Channel
from drip.providers.protocol import Provider
from drip.services.remembered import Remembered
from drip.store import attempts, clinics, digests, enrollments, tasks
from drip.store.attempts import Failures
from drip.store.engine import reading, writing
from drip.store.schema import Enrollment, Patient, Task

log = structlog.get_logger(__name__)

OPENS, CLOSES = time(7), time(12)
"""When a digest goes out, on the clinic's clock; after noon it is left out for the day."""

_DAYS = 2
_MOST = 20
"""Tasks and sessions that are listed; of the others it says how many there are."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What there is to say on one local day of a clinic; failures are those of the last day."""

    day: date
    sessions: tuple[tuple[Enrollment, Patient], ...]
    failures: tuple[Failures, ...]
    tasks: tuple[Task, ...]


def send_digests(engine: Engine, provider: Provider, now: datetime) -> int:
    """Send the digest of every clinic whose hour it is and that has something to know.

    One goes out a clinic and local day, whoever else does the same at this moment. A mailbox
    that cannot be reached is tried again next time. `now` is UTC; gives how many were sent.
    """
    remembered = Remembered()
    with reading(engine) as session:
        known = remembered.clinics(session, clinics.ids(session))
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
    if not (digest.sessions or digest.failures or digest.tasks):
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
    """Gather what a digest says at `now` (UTC): sessions of today and tomorrow, failures, tasks."""
    today = now.astimezone(clinic.zone).date()
    end = datetime.combine(today + timedelta(days=_DAYS), time(), clinic.zone)
    with reading(engine) as session:
        return Digest(
            today,
            tuple(enrollments.with_session_between(session, clinic_id, now, end)),
            tuple(attempts.failures(session, clinic_id, now - timedelta(days=1))),
            tuple(tasks.list_open(session, clinic_id)),
        )


def digest_email(digest: Digest, clinic: Clinic) -> EmailContent:
    """The digest in words, to be sent to the clinic's own mailbox."""
    parts = [
        ("Sessions today and tomorrow", _sessions(digest, clinic)),
        ("To do", [_task(task) for task in digest.tasks]),
        ("Messages that a provider did not take since yesterday", _failures(digest.failures)),
    ]
    urgent = sum(task.urgent for task in digest.tasks)
    subject = f"{digest.day:%A}: {_count(len(digest.sessions), 'session')}, " + (
        f"{_count(len(digest.tasks), 'task')}, {urgent} urgent"
        if urgent
        else _count(len(digest.tasks), "task")
    )
    end = "`drip tasks` and `drip status` show more."
    text = "\n\n".join([*(_as_text(*part) for part in parts), end]) + "\n"
    html = "\n".join([*(_as_html(*part) for part in parts), f"<p>{escape(end)}</p>"])
    return EmailContent(subject, html, text, from_name="Drip", reply_to=clinic.email)


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
    return ", ".join(said)


def _task(task: Task) -> str:
    whose = f" (enrollment {task.enrollment_id})" if task.enrollment_id else ""
    return f"{'Urgent: ' if task.urgent else ''}{task.says}{whose}"


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
