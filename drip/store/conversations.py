"""What was said to and fro: replies, answers and receipts as staff read them. Only reads."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from drip.core.answers import ALERT
from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.store.moves import DELIVERIES
from drip.store.schema import Answer, Attempt, Enrollment, Patient, Receipt, Reply, Task
from drip.store.types import among

_LOST = (Status.FAILED, Status.UNDELIVERED)


class NotArrived(NamedTuple):
    """A delivery that a provider took or tried, and that did not reach the patient."""

    delivery_id: int
    enrollment_id: int
    name: str
    step: str
    channel: Channel
    status: Status


def phones_texted(session: Session, patient_id: int) -> set[str]:
    """The phones (E.164) to which messages of this patient's enrollments were handed."""
    delivery = DELIVERIES.c
    query = (
        select(Attempt.address)
        .join(DELIVERIES, delivery.id == Attempt.delivery_id)
        .join(Enrollment, Enrollment.id == delivery.enrollment_id)
        .where(Enrollment.patient_id == patient_id, delivery.channel == Channel.SMS)
        .distinct()
    )
    return set(session.scalars(query))


def replies_from(session: Session, clinic_id: int, addresses: Iterable[str]) -> list[Reply]:
    """The replies that came from these phones (E.164), first to last."""
    query = select(Reply).where(Reply.clinic_id == clinic_id, among(Reply.address, addresses))
    return list(session.scalars(query.order_by(Reply.received_at, Reply.id)))


def last_reply_from(session: Session, clinic_id: int, address: str) -> Reply | None:
    """The newest reply that came from a phone (E.164)."""
    query = select(Reply).where(Reply.clinic_id == clinic_id, Reply.address == address)
    return session.scalar(query.order_by(Reply.received_at.desc(), Reply.id.desc()).limit(1))


def answers_to(session: Session, clinic_id: int, addresses: Iterable[str]) -> list[Answer]:
    """The answers to these phones and mailboxes, first to last."""
    query = select(Answer).where(
        Answer.clinic_id == clinic_id, among(Answer.address, addresses), Answer.kind != ALERT
    )
    return list(session.scalars(query.order_by(Answer.created_at, Answer.id)))


def replies_of_task(session: Session, clinic_id: int, task_id: int) -> list[Reply]:
    """The replies that a task brings to a person, first to last."""
    query = select(Reply).where(Reply.clinic_id == clinic_id, Reply.task_id == task_id)
    return list(session.scalars(query.order_by(Reply.received_at, Reply.id)))


def phones_of_tasks(session: Session, clinic_id: int, task_ids: Iterable[int]) -> dict[int, str]:
    """The phone (E.164) that the replies of each of these tasks came from, where there are any."""
    query = (
        select(Reply.task_id, Reply.address)
        .where(Reply.clinic_id == clinic_id, among(Reply.task_id, task_ids))
        .order_by(Reply.received_at, Reply.id)
    )
    return {task_id: address for task_id, address in session.execute(query) if task_id is not None}


def answers_of_task(
    session: Session, clinic_id: int, task_id: int, reply_ids: Sequence[int]
) -> list[Answer]:
    """The answers that belong to a task or answer one of these replies, first to last."""
    query = select(Answer).where(
        Answer.clinic_id == clinic_id,
        Answer.kind != ALERT,
        or_(Answer.task_id == task_id, among(Answer.reply_id, reply_ids)),
    )
    return list(session.scalars(query.order_by(Answer.created_at, Answer.id)))


def receipts_of(session: Session, delivery_ids: Iterable[int]) -> dict[int, list[Receipt]]:
    """The receipts of each of these deliveries as they came; one without any is left out."""
    query = select(Receipt).where(among(Receipt.delivery_id, delivery_ids))
    found: dict[int, list[Receipt]] = {}
    for receipt in session.scalars(query.order_by(Receipt.received_at, Receipt.id)):
        found.setdefault(receipt.delivery_id, []).append(receipt)
    return found


def unread(session: Session, clinic_id: int) -> list[tuple[Reply, Task]]:
    """The replies that wait for a person, first to last, each with the open task it belongs to.

    A task that somebody acknowledged has a reader.
    """
    query = (
        select(Reply, Task)
        .join(Task, Task.id == Reply.task_id)
        .where(Task.clinic_id == clinic_id, Task.status == "open", Task.acked_at.is_(None))
        .order_by(Reply.received_at, Reply.id)
    )
    return [(reply, task) for reply, task in session.execute(query)]


def not_arrived(
    session: Session, clinic_id: int, since: datetime, handed_over_since: datetime
) -> list[NotArrived]:
    """The deliveries handed over since one moment that turned out lost since the other (UTC)."""
    delivery = DELIVERIES.c
    tried = select(Attempt.delivery_id).where(
        Attempt.clinic_id == clinic_id, Attempt.started_at >= handed_over_since
    )
    columns = (delivery.id, delivery.enrollment_id, Patient.name)
    query = (
        select(*columns, delivery.step, delivery.channel, delivery.status)
        .join(Patient, Patient.id == delivery.patient_id)
        .where(delivery.id.in_(tried), delivery.status.in_(_LOST), delivery.updated_at >= since)
    )
    return [NotArrived._make(row) for row in session.execute(query.order_by(delivery.id))]
