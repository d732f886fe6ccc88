"""A crisis: somebody wrote that they may come to harm, and people must know until one answers.

Nothing of what was written stands in an alert, and no name: a lock screen is public.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.core.answers import ALERT
from drip.core.clinic import Clinic
from drip.core.schedule import Channel
from drip.services.answers import answering
from drip.services.bookings import changing
from drip.services.readable import readable_clinics
from drip.services.scope import Scope
from drip.store import enrollments, patients, replies, tasks
from drip.store.engine import writing
from drip.store.schema import Task

log = structlog.get_logger(__name__)

KIND = tasks.CRISIS

RAISED_EVERY = timedelta(minutes=15)
"""How often people are alerted until one of them takes the case."""

_STOPPED = "Texts were stopped, too: only a call is left."

_APART = timedelta(minutes=5)
"""How soon another reply of crisis in an open case alerts again, taken or not."""


def open_case(
    session: Session,
    scope: Scope,
    *,
    reply_id: int,
    address: str,
    enrollment_ids: Sequence[int],
    stop: bool,
    answered: bool,
    now: datetime,
) -> int:
    """Open the case of a reply of crisis, or join the open one of its address; gives the task.

    The reply belongs to the task from now on, the education of these enrollments is held until
    staff resume it, and the on-call addresses are alerted. `stop` says that the reply stopped
    texts too, `answered` that an answer goes to it. The address (E.164) is locked first, then the
    enrollments: a caller that holds an enrollment holds the address already.
    """
    patients.lock_addresses(session, scope.clinic_id, [(Channel.SMS, address)])
    for enrollment_id in sorted(enrollment_ids):
        changing.pause_education(session, scope, enrollment_id, now)
    says = _says(len(enrollment_ids), stop=stop, answered=answered)
    known = open_case_of(session, scope.clinic_id, address)
    if known is None:
        task = _open(session, scope, reply_id, enrollment_ids, says, now)
    else:
        found = tasks.lock(session, known)
        assert found is not None, "tasks are not deleted"
        task = found
        if stop:
            _say_stopped(task)
    replies.join_task(session, reply_id, task.id)
    _alert_again(session, task, scope.clinic, now)
    session.flush()
    log.warning("crisis.case", task=task.id, reply=reply_id, new=known is None)
    return task.id


def texts_stopped(
    session: Session, scope: Scope, task_id: int, call_ids: Sequence[int], now: datetime
) -> None:
    """Note on an open case that its texts have stopped: only a call is left.

    The tasks `call_ids`, to call about what waited, become part of it: whoever has the case reads
    all of it in one place. Who is on call is told again, the case taken or not.
    """
    task = tasks.lock(session, task_id)
    assert task is not None, "tasks are not deleted"
    _say_stopped(task)
    _alert_again(session, task, scope.clinic, now)
    session.flush()
    at = now.astimezone(scope.clinic.zone)
    for said in tasks.join(session, call_ids, task_id, now):
        tasks.note_by_drip(session, task_id, said, at)


def _say_stopped(task: Task) -> None:
    if _STOPPED not in task.says:
        task.says = f"{task.says} {_STOPPED}"


def _alert_again(session: Session, task: Task, clinic: Clinic, now: datetime) -> None:
    """Tell who is on call, unless they were told a moment ago."""
    if task.raised_at is None or now - task.raised_at >= _APART:
        _alert(session, task, clinic, now)


def open_case_of(session: Session, clinic_id: int, address: str) -> int | None:
    """The task of the open case of an address (E.164); None where there is none."""
    task = tasks.open_about(session, clinic_id, KIND, address)
    return None if task is None else task.id


def raise_again(engine: Engine, now: datetime) -> int:
    """Alert the on-call addresses again of each case that nobody has taken; gives how many.

    May run in many processes at once. `now` is UTC.
    """
    with writing(engine) as session:
        untaken = tasks.lock_untaken(session, KIND, now - RAISED_EVERY)
        clinics = readable_clinics(session, {task.clinic_id for task in untaken})
        for task in untaken:
            if (clinic := clinics[task.clinic_id]) is not None:
                _alert(session, task, clinic, now)
                log.warning("crisis.raised", task=task.id)
    return len(untaken)


def _open(
    session: Session,
    scope: Scope,
    reply_id: int,
    enrollment_ids: Sequence[int],
    says: str,
    now: datetime,
) -> Task:
    enrolled = enrollments.get_many(session, enrollment_ids)
    first = enrolled.get(min(enrollment_ids)) if enrollment_ids else None
    return tasks.open_task(
        session,
        scope.clinic_id,
        key=f"crisis:{reply_id}",
        kind=KIND,
        says=says,
        urgent=True,
        patient_id=first.patient_id if first else None,
        enrollment_id=first.id if first else None,
        now=now,
    )


def _says(enrolled: int, *, stop: bool, answered: bool) -> str:
    said = ["Call now: a text says that somebody may come to harm."]
    if enrolled == 0:
        said.append("The number is not that of an enrolled patient.")
    if enrolled > 1:
        said.append(f"{enrolled} enrollments have this number.")
    if stop:
        said.append(_STOPPED)
    if not answered:
        said.append("No answer could be sent.")
    return " ".join(said)


def _alert(session: Session, task: Task, clinic: Clinic, now: datetime) -> None:
    """Tell everybody on call, by email at least; what does not go out until the next time is void.

    A phone that has stopped texts from the clinic gets none: its owner is reached by email.
    """
    task.raised_at = now
    what = f"URGENT: a patient needs a call now (task {task.id})."
    see, take = f"drip tasks show {task.id}", f"drip tasks ack {task.id} --by NAME"
    text = f"{clinic.public_name}: {what} See: {see}. Take it: {take}"
    letter = "\n\n".join(
        (
            what,
            f"What was written, and whom to call:\n{see}",
            f"To say that you have taken it:\n{take}",
            "This comes again every 15 minutes until somebody has.",
        )
    )
    on_call = clinic.on_call
    words = {Channel.SMS: text, Channel.EMAIL: letter}
    people = [(Channel.SMS, phone) for phone in on_call.phones]
    people += [(Channel.EMAIL, mailbox) for mailbox in on_call.emails or (clinic.email,)]
    for channel, address in people:
        answering.say(
            session,
            task.clinic_id,
            kind=ALERT,
            channel=channel,
            address=address,
            subject=what if channel is Channel.EMAIL else None,
            body=words[channel],
            task_id=task.id,
            until=now + RAISED_EVERY,
            now=now,
        )
