"""Tasks: what staff must do, and that they have done it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from drip.errors import NotAllowed, NotFound
from drip.services.scope import Scope
from drip.store import enrollments, patients, tasks
from drip.store.engine import reading, writing
from drip.store.schema import Enrollment, Patient, Task


@dataclass(frozen=True, slots=True)
class ToDo:
    """A task, open or done, with the patient and the enrollment that it is about, if any."""

    task: Task
    patient: Patient | None
    enrollment: Enrollment | None

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """The task as `drip tasks --json` prints it; moments on the clock of `zone`."""
        task, patient, enrollment = self.task, self.patient, self.enrollment
        return {
            "id": task.id,
            "kind": task.kind,
            "urgent": task.urgent,
            "says": task.says,
            "status": task.status,
            "opened_at": task.opened_at.astimezone(zone),
            "acked_at": None if task.acked_at is None else task.acked_at.astimezone(zone),
            "acked_by": task.acked_by,
            "done_at": None if task.done_at is None else task.done_at.astimezone(zone),
            "done_by": task.done_by,
            "note": task.note,
            "enrollment_id": task.enrollment_id,
            "session_at": None if enrollment is None else enrollment.session_at.astimezone(zone),
            "name": None if patient is None else patient.name,
            "phone": None if patient is None else patient.phone,
            "email": None if patient is None else patient.email,
        }


def open_tasks(scope: Scope) -> list[ToDo]:
    """What is to be done: urgent first, then the longest open."""
    with reading(scope.engine) as session:
        return _with_whom(session, tasks.list_open(session, scope.clinic_id))


def show_task(scope: Scope, task_id: int) -> ToDo:
    """One task, open or done. Raises NotFound."""
    with reading(scope.engine) as session:
        task = tasks.get(session, task_id)
        if task is None or task.clinic_id != scope.clinic_id:
            raise NotFound(f"There is no task {task_id}: `drip tasks` lists the open ones.")
        (shown,) = _with_whom(session, [task])
        return shown


def finish_task(scope: Scope, task_id: int, by: str, note: str | None, now: datetime) -> ToDo:
    """Note that `by` has done a task. Raises NotFound, and NotAllowed if it was done already."""
    found = show_task(scope, task_id).task
    with writing(scope.engine) as session:
        if not tasks.finish(session, task_id, by, note, now):
            who = f" by {found.done_by}" if found.done_by else ""
            raise NotAllowed(f"Task {task_id} was done already{who}: `drip tasks show {task_id}`.")
    return show_task(scope, task_id)


def ack_task(scope: Scope, task_id: int, by: str, now: datetime) -> ToDo:
    """Note that `by` has taken a task on: a crisis is not raised again, and stays open.

    Raises NotFound, and NotAllowed if it was done or taken already.
    """
    found = show_task(scope, task_id).task
    with writing(scope.engine) as session:
        taken = tasks.ack(session, task_id, by, now)
    if not taken and found.status == "done":
        raise NotAllowed(f"Task {task_id} was done already: `drip tasks show {task_id}`.")
    if not taken:
        who = f" by {found.acked_by}" if found.acked_by else ""
        raise NotAllowed(f"Task {task_id} was taken already{who}: `drip tasks show {task_id}`.")
    return show_task(scope, task_id)


def note_task(scope: Scope, task_id: int, by: str, note: str, now: datetime) -> ToDo:
    """Add a line to a task, open or done: when (on the clinic's clock), who and what.

    Raises NotFound.
    """
    show_task(scope, task_id)
    at = now.astimezone(scope.clinic.zone)
    with writing(scope.engine) as session:
        tasks.add_note(session, task_id, f"{at:%Y-%m-%d %H:%M} {by}: {note}")
    return show_task(scope, task_id)


def _with_whom(session: Session, found: Sequence[Task]) -> list[ToDo]:
    people = patients.get_many(session, {t.patient_id for t in found if t.patient_id is not None})
    booked = enrollments.get_many(
        session, {t.enrollment_id for t in found if t.enrollment_id is not None}
    )
    return [
        ToDo(task, people.get(task.patient_id or 0), booked.get(task.enrollment_id or 0))
        for task in found
    ]
