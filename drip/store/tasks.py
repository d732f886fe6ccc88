"""Tasks: what a member of staff must do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from drip.store.inserting import insert_or
from drip.store.schema import Task


def open_task(
    session: Session,
    clinic_id: int,
    *,
    key: str,
    kind: str,
    says: str,
    now: datetime,
    urgent: bool = False,
    patient_id: int | None = None,
    enrollment_id: int | None = None,
    delivery_id: int | None = None,
) -> Task:
    """Ask staff to do something; gives the task.

    The same `key` is the same need: its task, open or done, is given and stays as it is.
    """
    values = {
        "clinic_id": clinic_id,
        "key": key,
        "kind": kind,
        "says": says,
        "opened_at": now,
        "urgent": urgent,
        "status": "open",
        "patient_id": patient_id,
        "enrollment_id": enrollment_id,
        "delivery_id": delivery_id,
    }
    session.execute(insert_or(session, Task).values(values).on_conflict_do_nothing())
    return session.scalars(select(Task).where(Task.clinic_id == clinic_id, Task.key == key)).one()


def open_many(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Ask staff to do many things; a row has all that `open_task` takes, `now` as `opened_at`."""
    if rows:
        session.execute(insert_or(session, Task).on_conflict_do_nothing(), list(rows))


def close_of(session: Session, delivery_id: int, kind: str, note: str, now: datetime) -> None:
    """Note that an open task about a delivery needs nobody any more."""
    query = select(Task).where(
        Task.delivery_id == delivery_id, Task.kind == kind, Task.status == "open"
    )
    for task in session.scalars(query.with_for_update()):
        task.status, task.done_by, task.note, task.done_at = "done", "drip", note, now
    session.flush()


def list_open(session: Session, clinic_id: int) -> list[Task]:
    """What is to be done: urgent first, then the longest open."""
    query = select(Task).where(Task.clinic_id == clinic_id, Task.status == "open")
    return list(session.scalars(query.order_by(Task.urgent.desc(), Task.opened_at, Task.id)))


def open_of(session: Session, enrollment_id: int) -> list[Task]:
    """What is to be done for one enrollment, in the same order."""
    query = select(Task).where(Task.enrollment_id == enrollment_id, Task.status == "open")
    return list(session.scalars(query.order_by(Task.urgent.desc(), Task.opened_at, Task.id)))


def get(session: Session, task_id: int) -> Task | None:
    """One task, open or done."""
    return session.get(Task, task_id)


def finish(session: Session, task_id: int, by: str, note: str | None, now: datetime) -> bool:
    """Note that `by` has done the task. False if it was done already, or is not there."""
    query = select(Task).where(Task.id == task_id, Task.status == "open").with_for_update()
    task = session.scalar(query, execution_options={"populate_existing": True})
    if task is None:
        return False
    task.status, task.done_by, task.note, task.done_at = "done", by, note, now
    session.flush()
    return True
