"""Tasks: what a member of staff must do."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, func, literal_column, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import Executable

from drip.store.given import dialect_of
from drip.store.inserting import insert_for, insert_or
from drip.store.schema import Reply, Task
from drip.store.types import among

CRISIS: Final = "crisis"
"""The kind of a case: somebody wrote that they may come to harm."""

_TASKS = cast(Table, Task.__table__)
_GIVEN = (
    *("clinic_id", "key", "kind", "says", "opened_at", "urgent", "status"),
    *("patient_id", "enrollment_id", "delivery_id"),
)
"""The columns of a task that is opened; the others are of its later life."""

_BY_KEY = select(Task).where(Task.clinic_id == bindparam("clinic_id"), Task.key == bindparam("key"))
_AS_THEY_PRESS = ((Task.kind == CRISIS).desc(), Task.urgent.desc(), Task.opened_at, Task.id)
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
    opened: Task | None = session.scalar(_opening(dialect_of(session)), values)
    if opened is not None:
        return opened
    return session.scalars(_BY_KEY, {"clinic_id": clinic_id, "key": key}).one()


@cache
def _opening(dialect: str) -> Executable:
    """Made once: to make it takes longer than to run it."""
    values: dict[str, Any] = {name: bindparam(name) for name in _GIVEN}
    statement = insert_for(dialect, Task).values(values).on_conflict_do_nothing()
    return select(Task).from_statement(statement.returning(*_TASKS.c))


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


def join(session: Session, task_ids: Iterable[int], into: int, now: datetime) -> list[str]:
    """End open tasks that are part of another one; gives what they said, for its notes."""
    said = []
    for task in map(partial(lock, session), sorted(task_ids)):
        if task is not None and task.status == "open":
            task.status, task.done_by, task.done_at = "done", "drip", now
            task.note = _with(task.note, f"It is part of task {into} now.")
            said.append(task.says)
    session.flush()
    return said


def list_open(session: Session, clinic_id: int) -> list[Task]:
    """What is to be done: a crisis before all, urgent first, then the longest open."""
    query = select(Task).where(Task.clinic_id == clinic_id, Task.status == "open")
    return list(session.scalars(query.order_by(*_AS_THEY_PRESS)))


def open_of(session: Session, enrollment_id: int) -> list[Task]:
    """What is to be done for one enrollment, in the same order."""
    query = select(Task).where(Task.enrollment_id == enrollment_id, Task.status == "open")
    return list(session.scalars(query.order_by(*_AS_THEY_PRESS)))


def open_by_key(session: Session, clinic_id: int, key: str) -> Task | None:
    """The task of a need, while it is open."""
    task = session.scalar(_BY_KEY, {"clinic_id": clinic_id, "key": key}, execution_options=_FRESH)
    return task if task is not None and task.status == "open" else None


def open_ids(
    session: Session, clinic_id: int, kind: str, enrollment_ids: Iterable[int], key: str
) -> set[int]:
    """The open tasks of a kind that are about one of these enrollments, or have this key."""
    query = select(Task.id).where(
        Task.clinic_id == clinic_id,
        Task.kind == kind,
        Task.status == "open",
        or_(among(Task.enrollment_id, enrollment_ids), Task.key == key),
    )
    return set(session.scalars(query))


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


def note_by_drip(session: Session, task_id: int, note: str, at: datetime) -> None:
    """Add what Drip itself has to say to a task; `at` is on the clinic's clock."""
    add_note(session, task_id, f"{at:%Y-%m-%d %H:%M} Drip: {note}")


def _with(notes: str | None, note: str | None) -> str | None:
    return "\n".join(filter(None, (notes, note))) or None


# --- Of a crisis --------------------------------------------------------------------------------


def open_cases(session: Session, clinic_id: int) -> dict[str, int]:
    """The phones (E.164) whose crisis is open, each with its task."""
    query = (
        select(Reply.address, func.min(Task.id))
        .join(Task, Reply.task_id == Task.id)
        .where(
            Task.clinic_id == clinic_id,
            Task.kind == CRISIS,
            literal_column("status") == literal_column("'open'"),
        )
        .group_by(Reply.address)
    )
    return dict(session.execute(query).all())


def open_about(session: Session, clinic_id: int, kind: str, address: str) -> Task | None:
    """The open task of a kind that a reply from this address (E.164) belongs to, if any."""
    those = {"clinic_id": clinic_id, "address": address, "kind": kind}
    return session.scalar(_ABOUT, those, execution_options=_FRESH)


_ABOUT = (
    select(Task)
    .join(Reply, Reply.task_id == Task.id)
    .where(
        Reply.clinic_id == bindparam("clinic_id"),
        Reply.address == bindparam("address"),
        Task.kind == bindparam("kind"),
        Task.status == "open",
    )
    .order_by(Task.id)
    .limit(1)
)


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
