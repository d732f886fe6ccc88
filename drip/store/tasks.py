"""Tasks: what a member of staff must do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from drip.store.inserting import insert_or
from drip.store.schema import Reply, Task

_FRESH = {"populate_existing": True}


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
    """Note that `by` has done the task. False if it was done already, or is not there.

    The `note` is added to those that the task has.
    """
    task = lock(session, task_id)
    if task is None or task.status != "open":
        return False
    task.status, task.done_by, task.done_at = "done", by, now
    task.note = _with(task.note, note)
    session.flush()
    return True


def lock(session: Session, task_id: int) -> Task | None:
    """One task as it stands, which nobody else may change until the transaction ends."""
    query = select(Task).where(Task.id == task_id).with_for_update()
    return session.scalar(query, execution_options=_FRESH)


def ack(session: Session, task_id: int, by: str, now: datetime) -> bool:
    """Note that `by` has taken the task on. False if it was taken or done, or is not there."""
    task = lock(session, task_id)
    if task is None or task.status != "open" or task.acked_at is not None:
        return False
    task.acked_at, task.acked_by = now, by
    session.flush()
    return True


def add_note(session: Session, task_id: int, note: str) -> bool:
    """Add a line to what is noted of a task, open or done. False if it is not there."""
    task = lock(session, task_id)
    if task is None:
        return False
    task.note = _with(task.note, note)
    session.flush()
    return True


def _with(notes: str | None, note: str | None) -> str | None:
    return "\n".join(filter(None, (notes, note))) or None


# --- Of a crisis --------------------------------------------------------------------------------


def open_about(session: Session, clinic_id: int, kind: str, address: str) -> Task | None:
    """The open task of a kind that a reply from this address (E.164) belongs to, if any."""
    query = (
        select(Task)
        .join(Reply, Reply.task_id == Task.id)
        .where(
            Reply.clinic_id == clinic_id,
            Reply.address == address,
            Task.kind == kind,
            Task.status == "open",
        )
        .order_by(Task.id)
        .limit(1)
    )
    return session.scalar(query, execution_options=_FRESH)


def lock_untaken(session: Session, kind: str, before: datetime) -> list[Task]:
    """Lock the open tasks of a kind that nobody has taken on and that were last raised before then.

    Of all clinics; what another process has locked is left to it.
    """
    query = select(Task).where(
        literal_column("status") == literal_column("'open'"),
        Task.kind == kind,
        Task.acked_at.is_(None),
        Task.raised_at <= before,
    )
    query = query.order_by(Task.id).with_for_update(skip_locked=True)
    return list(session.scalars(query, execution_options=_FRESH))


def count_open(session: Session, kind: str) -> int:
    """How many tasks of a kind are open, of all clinics."""
    query = select(func.count()).select_from(Task).where(Task.kind == kind, Task.status == "open")
    return session.scalar(query) or 0
