"""The tables, as typed models: plain records, no relationships, nothing loads by itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from drip.core.delivery import Reason, Status
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel, Weight
from drip.store.ledgers import only_added_to
from drip.store.row import BIG
from drip.store.row import AnswerStatus as AnswerStatus
from drip.store.row import EnrollmentStatus as EnrollmentStatus
from drip.store.row import Outcome as Outcome
from drip.store.row import Row as Row
from drip.store.row import TaskStatus as TaskStatus
from drip.store.row import Wording as Wording


class Clinic(Row, kw_only=True):
    """Who sends. `profile` is the content of the clinic's file."""

    __tablename__ = "clinics"

    key: Mapped[str] = mapped_column(unique=True)
    profile: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]


class Patient(Row, kw_only=True):
    """Who receives. `phone` is E.164; without a `timezone` (IANA) the clinic's counts."""

    __tablename__ = "patients"
    __table_args__ = (Index(None, "clinic_id", "phone"), Index(None, "clinic_id", "email"))

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    name: Mapped[str]
    phone: Mapped[str | None] = mapped_column(default=None)
    email: Mapped[str | None] = mapped_column(default=None)
    language: Mapped[str]
    timezone: Mapped[str | None] = mapped_column(default=None)
    wording: Mapped[Wording] = mapped_column(default="discreet")
    created_at: Mapped[datetime]


class Consent(Row, kw_only=True):
    """One entry of the consent ledger, which is only ever added to; it goes with its patient."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "patient_id", "channel", "at"),)

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id", ondelete="CASCADE"))
    channel: Mapped[Channel]
    given: Mapped[bool]
    at: Mapped[datetime]
    how: Mapped[str]
    wording_version: Mapped[str]
    by_whom: Mapped[str]


class WordingChoice(Row, kw_only=True):
    """One entry of the ledger of how patients want to be spoken to, as that of consents.

    `how` is "web" for the patient's own page, else where the booking came from.
    """

    __tablename__ = "wording_choices"
    __table_args__ = (Index(None, "patient_id", "at"),)

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id", ondelete="CASCADE"))
    wording: Mapped[Wording]
    at: Mapped[datetime]
    how: Mapped[str]
    by_whom: Mapped[str]


only_added_to(Consent, WordingChoice)


class Address(Row, kw_only=True):
    """A phone number or mailbox: the row that a STOP and the sender lock."""

    __tablename__ = "addresses"
    __table_args__ = (UniqueConstraint("clinic_id", "channel", "address"),)

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    channel: Mapped[Channel]
    address: Mapped[str]
    suppressed_at: Mapped[datetime | None] = mapped_column(default=None)
    suppressed_because: Mapped[str | None] = mapped_column(default=None)


class ScheduleVersion(Row, kw_only=True):
    """A version of a schedule as enrollments started with it."""

    __tablename__ = "schedule_versions"
    __table_args__ = (UniqueConstraint("clinic_id", "name", "version"),)

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    name: Mapped[str]
    version: Mapped[int]
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Enrollment(Row, kw_only=True):
    """One patient on one schedule with its anchors.

    `session_at` is UTC, `session_local` the same moment as ISO local time in `session_zone`.
    `revision` grows with each planning, `sequence` with each reschedule (iCalendar's SEQUENCE).
    """

    __tablename__ = "enrollments"
    __table_args__ = (
        UniqueConstraint("clinic_id", "source", "reference"),
        Index(None, "patient_id"),
    )

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    source: Mapped[str]
    reference: Mapped[str | None] = mapped_column(default=None)
    schedule: Mapped[str]
    schedule_version: Mapped[int]
    booked_at: Mapped[datetime]
    session_at: Mapped[datetime]
    session_local: Mapped[str]
    session_zone: Mapped[str]
    route: Mapped[str | None] = mapped_column(default=None)
    status: Mapped[EnrollmentStatus] = mapped_column(default="active")
    revision: Mapped[int] = mapped_column(default=1)
    sequence: Mapped[int] = mapped_column(default=0)
    confirmed_at: Mapped[datetime | None] = mapped_column(default=None)
    ride_arranged_at: Mapped[datetime | None] = mapped_column(default=None)
    no_show_at: Mapped[datetime | None] = mapped_column(default=None)
    cancelled_at: Mapped[datetime | None] = mapped_column(default=None)
    education_paused_at: Mapped[datetime | None] = mapped_column(default=None)
    created_at: Mapped[datetime]


def _while(*statuses: str) -> dict[str, Any]:
    """The condition of a partial index; a query meets it with `drip.store.moves.stands`."""
    listed = ", ".join(f"'{status}'" for status in statuses)
    condition = text(f"status = {listed}" if len(statuses) == 1 else f"status IN ({listed})")
    return {"sqlite_where": condition, "postgresql_where": condition}


class Delivery(Row, kw_only=True):
    """One step to one patient on one channel.

    `planned_at` is when the rules want it, `due_at` when it may next be claimed (retries move
    it), `until` when it is too late; all UTC. `session_at` is the session it speaks of,
    `revision` the enrollment's that planned it, `sent_at` when it was last handed over.
    `priority` is one of `drip.core.delivery.Priority`. Only `drip.store.moves` writes `status`.
    A patient's are found by the enrollments: one index less to write with each change of status.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("enrollment_id", "step", "channel", "occurrence"),
        Index(
            "deliveries_due",
            *("clinic_id", "channel", "priority", "due_at", "id"),
            **_while(Status.SCHEDULED),
        ),
        Index("deliveries_until", "until", **_while(Status.SCHEDULED, Status.HELD)),
        Index("deliveries_leased", "lease_until", **_while(Status.CLAIMED, Status.SENDING)),
        Index("deliveries_unknown", "updated_at", **_while(Status.UNKNOWN)),
        Index("deliveries_held", "clinic_id", **_while(Status.HELD)),
    )

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    step: Mapped[str]
    message: Mapped[str]
    channel: Mapped[Channel]
    occurrence: Mapped[int] = mapped_column(default=1)
    weight: Mapped[Weight]
    priority: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[Status]
    reason: Mapped[Reason | None] = mapped_column(default=None)
    planned_at: Mapped[datetime]
    due_at: Mapped[datetime]
    until: Mapped[datetime]
    session_at: Mapped[datetime]
    revision: Mapped[int]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[str | None] = mapped_column(default=None)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    provider: Mapped[str | None] = mapped_column(default=None)
    provider_id: Mapped[str | None] = mapped_column(default=None)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Attempt(Row, kw_only=True):
    """One try to hand a delivery to a provider; without an `outcome` it has not ended.

    `sender` is the number that a text came from, where it is not the installation's own.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("delivery_id", "number"),
        Index(None, "clinic_id", "started_at"),
    )

    clinic_id: Mapped[int] = mapped_column(BIG)  # the delivery's, which is checked
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"))
    number: Mapped[int]
    provider: Mapped[str]
    sender: Mapped[str | None] = mapped_column(default=None)
    address: Mapped[str]
    subject: Mapped[str | None] = mapped_column(default=None)
    body: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    outcome: Mapped[Outcome | None] = mapped_column(default=None)
    code: Mapped[str | None] = mapped_column(default=None)
    provider_id: Mapped[str | None] = mapped_column(default=None)


class Task(Row, kw_only=True):
    """Something a member of staff must do. The same `key` is the same task."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("clinic_id", "key"),
        Index("tasks_open", "clinic_id", **_while("open")),
    )

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"), default=None)
    enrollment_id: Mapped[int | None] = mapped_column(ForeignKey("enrollments.id"), default=None)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"), default=None)
    kind: Mapped[str]
    says: Mapped[str]
    urgent: Mapped[bool]
    key: Mapped[str]
    status: Mapped[TaskStatus] = mapped_column(default="open")
    opened_at: Mapped[datetime]
    done_at: Mapped[datetime | None] = mapped_column(default=None)
    done_by: Mapped[str | None] = mapped_column(default=None)
    note: Mapped[str | None] = mapped_column(default=None)
    acked_at: Mapped[datetime | None] = mapped_column(default=None)
    acked_by: Mapped[str | None] = mapped_column(default=None)
    raised_at: Mapped[datetime | None] = mapped_column(default=None)


class Reply(Row, kw_only=True):
    """A text from a patient, or from a number that nobody knows, as it came.

    Whose it is, is found by the `address` (E.164): a family may share one. `media` counts the
    pictures that came with it, which are not fetched. `reply_class` and `stop` say how it was
    understood; `task_id` is the task that brings it to a person, if one does.
    """

    __tablename__ = "replies"
    __table_args__ = (
        UniqueConstraint("provider", "provider_id"),
        Index(None, "clinic_id", "address", "received_at"),
        Index(
            "replies_of_task",
            "task_id",
            sqlite_where=text("task_id IS NOT NULL"),
            postgresql_where=text("task_id IS NOT NULL"),
        ),
    )

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    provider: Mapped[str]
    provider_id: Mapped[str]
    address: Mapped[str]
    sender: Mapped[str]
    body: Mapped[str]
    media: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime]
    reply_class: Mapped[ReplyClass]
    stop: Mapped[bool]
    language: Mapped[str | None] = mapped_column(default=None)
    task_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id"), default=None)


class Answer(Row, kw_only=True):
    """What is said to somebody who wrote, or to the clinic's own staff: no step of a schedule.

    `kind` says what for ("stop", "help", "crisis", "staff", "alert", ...), `by_whom` is "drip" or
    the member of staff. It goes out at once, whatever the send window, until `until` (UTC).
    `sender` is the number that a text comes from, where it is not the installation's own.
    """

    __tablename__ = "answers"
    __table_args__ = (
        Index(None, "clinic_id", "address", "created_at"),
        Index("answers_waiting", "due_at", **_while("waiting", "sending")),
    )

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    reply_id: Mapped[int | None] = mapped_column(ForeignKey("replies.id"), default=None)
    task_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id"), default=None)
    kind: Mapped[str]
    channel: Mapped[Channel]
    address: Mapped[str]
    sender: Mapped[str | None] = mapped_column(default=None)
    subject: Mapped[str | None] = mapped_column(default=None)
    body: Mapped[str]
    by_whom: Mapped[str]
    status: Mapped[AnswerStatus] = mapped_column(default="waiting")
    code: Mapped[str | None] = mapped_column(default=None)
    provider: Mapped[str | None] = mapped_column(default=None)
    provider_id: Mapped[str | None] = mapped_column(default=None)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    until: Mapped[datetime]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None] = mapped_column(default=None)


class Receipt(Row, kw_only=True):
    """A provider's later word about a delivery, as it came; each once."""

    __tablename__ = "receipts"
    __table_args__ = (UniqueConstraint("delivery_id", "provider_id", "status"),)

    clinic_id: Mapped[int] = mapped_column(BIG)  # the delivery's, which is checked
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"))
    provider: Mapped[str]
    provider_id: Mapped[str]
    status: Mapped[str]
    code: Mapped[str | None] = mapped_column(default=None)
    received_at: Mapped[datetime]


class Suppression(Row, kw_only=True):
    """An address that must not be messaged, known by a keyed hash alone.

    It outlives the records of its patients: who enrols the address again finds it.
    """

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("clinic_id", "channel", "digest"),)

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    channel: Mapped[Channel]
    digest: Mapped[str]
    because: Mapped[str]
    at: Mapped[datetime]


class Digest(Row, kw_only=True):
    """A clinic's daily digest that went out; `day` is the clinic's local date in ISO 8601."""

    __tablename__ = "digests"
    __table_args__ = (UniqueConstraint("clinic_id", "day"),)

    clinic_id: Mapped[int] = mapped_column(ForeignKey("clinics.id"))
    day: Mapped[str]
    sent_at: Mapped[datetime]
