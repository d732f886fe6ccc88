"""One task as `drip tasks show` prints it: whom it is about, what was said, and what to do."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from drip.cli.conversation import conversation_lines, phone_shown, shown
from drip.cli.printing import said, wrapped
from drip.core.ages import age_said
from drip.core.delivery import SAID
from drip.services.staff.conversation import Concerned, TaskFile

Rows = Iterable[tuple[str, str]]


def task_lines(file: TaskFile, zone: ZoneInfo, now: datetime) -> Iterator[str]:
    """The lines of a task, open or done, on the clock of `zone`. `now` is UTC."""
    for line in wrapped(f"Task {file.todo.task.id}: {file.todo.task.says}", 0):
        yield click.style(line, bold=True)
    for name, value in (*_state(file, zone, now), *_whom(file, zone), *_outcome(file, zone)):
        first, *rest = wrapped(value, 14)
        yield f"  {name:12}{first}"
        yield from (" " * 14 + line for line in rest)
    if file.conversation.replies or file.conversation.answers:
        yield ""
        yield f"Replies and answers, on the clinic's clock ({zone}):"
        yield from conversation_lines(file.conversation, zone)
    if file.todo.task.status == "open":
        yield ""
        yield click.style("What to do:", bold=True)
        for step in _what_to_do(file):
            first, *rest = wrapped(step, 4)
            yield f"  - {first}"
            yield from (" " * 4 + line for line in rest)


def _state(file: TaskFile, zone: ZoneInfo, now: datetime) -> Rows:
    task = file.todo.task
    is_open = task.status == "open"
    yield "Status", task.status + (", urgent" if task.urgent and is_open else "")
    age = f" ({age_said(now - task.opened_at)})" if is_open else ""
    yield "Since", said(task.opened_at, zone) + age
    if task.acked_at is not None:
        yield "Taken", f"{said(task.acked_at, zone)} by {task.acked_by}"
    if task.raised_at is not None and is_open:
        yield "Last raised", said(task.raised_at, zone)


def _whom(file: TaskFile, zone: ZoneInfo) -> Rows:
    patient, enrollment = file.todo.patient, file.todo.enrollment
    others = [each for each in file.concerned if each.patient is not patient]
    aside = [each for each in others if patient is not None and each.patient.phone != file.phone]
    if patient is not None:
        yield "Patient", patient.name
    for other in (each for each in others if each not in aside):
        yield "Patient" if patient is None else "Same phone", _concerned_said(other)
    if patient is None and not others and file.phone is not None:
        yield "Patient", "nobody enrolled has this phone"
    if file.phone is not None:
        yield "Phone", _phone_said(file, file.phone)
    for other in aside:
        has_it = other.patient.phone == file.wrote_from
        yield "Has it now" if has_it else "Had it too", _concerned_said(other)
    if file.no_texts is not None:
        yield "Texts", f"cannot be sent: {SAID[file.no_texts]}"
    if patient is not None and patient.email is not None:
        yield "Email", patient.email
    if enrollment is not None:
        yield "Enrollment", str(enrollment.id)
        yield "Session", said(enrollment.session_at, zone)


def _phone_said(file: TaskFile, phone: str) -> str:
    if file.wrote_from is None:
        return phone_shown(phone)
    return f"wrote from {phone_shown(file.wrote_from)}, now has {phone_shown(phone)}"


def _outcome(file: TaskFile, zone: ZoneInfo) -> Rows:
    task = file.todo.task
    if task.status == "done":
        yield "Done", said(task.done_at, zone)
        yield "By", task.done_by or ""
    for number, line in enumerate((task.note or "").splitlines()):
        yield "" if number else "Note", shown(line)


def _what_to_do(file: TaskFile) -> Iterator[str]:
    """What a task is worked on with, in the order in which it is used."""
    task, whose = file.todo.task, _enrollment_of(file)
    if task.urgent and task.acked_at is None:
        yield f"Take it, so that others know: `drip tasks ack {task.id} --by NAME`"
    if file.phone is not None and (file.is_crisis or file.no_texts is not None or whose is None):
        only = ": no text can be sent." if file.no_texts is not None else "."
        first = f"{phone_shown(file.wrote_from)}, which wrote, or " if file.wrote_from else ""
        yield f"Call {first}{phone_shown(file.phone)}{only}"
    if file.conversation.replies and file.no_texts is None and whose is not None:
        to = f" to {phone_shown(file.phone)}" if file.wrote_from and file.phone else ""
        yield f'Answer with a text{to}: `drip reply {whose} "TEXT" --by NAME`'
    if whose is not None:
        yield f"See all that was said and sent: `drip show {whose}`"
    for held in _held(file):
        yield f"Education steps are on hold until `drip resume {held}`"
    yield f'When it is done: `drip tasks done {task.id} --by NAME --note "TEXT"`'


def _held(file: TaskFile) -> list[int]:
    """The enrollments whose education a crisis has put on hold, where the task is about one."""
    if not file.is_crisis:
        return []
    every = (enrollment for one in file.concerned for enrollment in one.enrollments)
    return [each.id for each in every if each.education_paused_at is not None]


def _enrollment_of(file: TaskFile) -> int | None:
    if file.todo.enrollment is not None:
        return file.todo.enrollment.id
    return next((each.id for one in file.concerned for each in one.enrollments), None)


def _concerned_said(each: Concerned) -> str:
    ids = ", ".join(str(enrollment.id) for enrollment in each.enrollments)
    return f"{each.patient.name} ({f'enrollment {ids}' if ids else 'no enrollment goes on'})"
