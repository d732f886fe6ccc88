"""What staff look up: which enrollments there are, and what became of one of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from drip.core.delivery import HANDED_OVER, SAID, Reason
from drip.core.schedule import Channel
from drip.errors import InvalidInput, NotFound
from drip.services.journeys import addresses_of, reach_of, zone_of
from drip.services.scope import Scope
from drip.services.staff.conversation import Conversation, by_urgency, conversation_with
from drip.store import attempts, conversations, deliveries, enrollments, patients, tasks
from drip.store.engine import reading
from drip.store.enrollments import Listed
from drip.store.schema import (
    Attempt,
    Consent,
    Delivery,
    Enrollment,
    EnrollmentStatus,
    Patient,
    Receipt,
    Task,
)


@dataclass(frozen=True, slots=True)
class Page:
    """Enrollments, newest first. `next_after` begins the next page; None on the last one."""

    enrollments: tuple[Listed, ...]
    next_after: int | None

    def as_json(self) -> dict[str, Any]:
        """The page as `drip list --json` prints it."""
        return {
            "enrollments": [_listed_json(each) for each in self.enrollments],
            "next_after": self.next_after,
        }


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery with its attempts and the providers' later words, first to last."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]
    receipts: tuple[Receipt, ...] = ()

    @property
    def at(self) -> datetime:
        """When it was handed over; else when it was, or is, to be (UTC)."""
        row = self.delivery
        return row.sent_at if row.sent_at and row.status in HANDED_OVER else row.due_at

    @property
    def why(self) -> str:
        """The reason as staff read it; "" where there is none."""
        return SAID[self.delivery.reason] if self.delivery.reason is not None else ""


@dataclass(frozen=True, slots=True)
class Dossier:
    """One enrollment with all that belongs to it; deliveries in order of time.

    `zone` is the patient's clock. `reach` says for every channel why it cannot be used, None
    where it can; `consents` has the latest word on each channel. `conversation` is with whoever
    has the patient's phone or mailbox, and from phones that were texted before: who shares a phone
    is shown the same one.
    """

    enrollment: Enrollment
    patient: Patient
    zone: ZoneInfo
    reach: dict[Channel, Reason | None]
    consents: dict[Channel, Consent]
    deliveries: tuple[Sent, ...]
    conversation: Conversation
    tasks: tuple[Task, ...]

    def as_json(self) -> dict[str, Any]:
        """The dossier as `drip show --json` prints it; moments on the patient's clock."""
        return {
            "enrollment": self._enrollment_json(),
            "patient": self._patient_json(),
            "deliveries": [_delivery_json(each, self.zone) for each in self.deliveries],
            **self.conversation.as_json(self.zone),
            "tasks": [_task_json(task, self.zone) for task in self.tasks],
        }

    def _enrollment_json(self) -> dict[str, Any]:
        enrollment = self.enrollment
        return {
            "id": enrollment.id,
            "status": enrollment.status,
            "source": enrollment.source,
            "ref": enrollment.reference,
            "schedule": enrollment.schedule,
            "schedule_version": enrollment.schedule_version,
            "route": enrollment.route,
            "session_at": enrollment.session_at.astimezone(ZoneInfo(enrollment.session_zone)),
            "session_timezone": enrollment.session_zone,
            **{
                name: _local(getattr(enrollment, name), self.zone)
                for name in (
                    "booked_at",
                    "confirmed_at",
                    "ride_arranged_at",
                    "no_show_at",
                    "cancelled_at",
                    "education_paused_at",
                )
            },
        }

    def _patient_json(self) -> dict[str, Any]:
        patient = self.patient
        return {
            "id": patient.id,
            "name": patient.name,
            "phone": patient.phone,
            "email": patient.email,
            "language": patient.language,
            "timezone": self.zone.key,
            "wording": patient.wording,
            "channels": {
                channel: {
                    "reachable": why is None,
                    "reason": why,
                    "consent": _consent_json(self.consents.get(channel), self.zone),
                }
                for channel, why in self.reach.items()
            },
        }


def find_enrollment(scope: Scope, id_: int | None, ref: str | None) -> int:
    """The enrollment of this id, or else of the clinic's own id for it (`ref`).

    Raises NotFound, and InvalidInput where several sources use the same `ref`.
    """
    with reading(scope.engine) as session:
        if id_ is not None:
            enrollment = enrollments.get(session, id_)
            if enrollment is None or enrollment.clinic_id != scope.clinic_id:
                raise NotFound(f"There is no enrollment {id_}: `drip list` shows them.")
            return enrollment.id
        found = enrollments.of_reference(session, scope.clinic_id, (ref or "").strip())
    if not found:
        raise NotFound(f"No enrollment has the ref {ref!r}: `drip list --search` finds patients.")
    if len(found) > 1:
        which = ", ".join(f"{each.id} ({each.source})" for each in found)
        raise InvalidInput(f"The ref {ref!r} is that of several enrollments: {which}. Give the ID.")
    return found[0].id


def list_enrollments(
    scope: Scope,
    *,
    status: EnrollmentStatus | None = None,
    search: str = "",
    limit: int = 50,
    after: int | None = None,
) -> Page:
    """A page of enrollments, newest first, that come after the id `after` in that order.

    `search` is a part of the patient's name, phone or email, or of the reference.
    """
    with reading(scope.engine) as session:
        found = enrollments.list_page(
            session,
            scope.clinic_id,
            status=status,
            search=search.strip(),
            limit=limit + 1,
            after_id=after,
        )
    page = tuple(found[:limit])
    return Page(page, page[-1].enrollment.id if len(found) > limit else None)


def show_enrollment(scope: Scope, enrollment_id: int) -> Dossier:
    """One enrollment of the clinic with all that belongs to it. Raises NotFound."""
    with reading(scope.engine) as session:
        enrollment = enrollments.get(session, enrollment_id)
        if enrollment is None or enrollment.clinic_id != scope.clinic_id:
            raise NotFound(f"There is no enrollment {enrollment_id}: `drip list` shows them.")
        patient = patients.get(session, enrollment.patient_id)
        assert patient is not None
        rows = deliveries.of_enrollment(session, enrollment_id)
        tries = attempts.of_deliveries(session, [row.id for row in rows])
        receipts = conversations.receipts_of(session, [row.id for row in rows])
        ledger = patients.consents_of(session, [patient.id])
        stopped = patients.suppressed(session, scope.clinic_id, addresses_of([patient]))
        conversation = conversation_with(session, patient)
        to_do = _to_do(session, enrollment_id, conversation)
    consents = {channel: entry for (_, channel), entry in ledger.items()}
    given = {channel: entry.given for channel, entry in consents.items()}
    sent = [
        Sent(row, tuple(tries.get(row.id, ())), tuple(receipts.get(row.id, ()))) for row in rows
    ]
    return Dossier(
        enrollment=enrollment,
        patient=patient,
        zone=zone_of(patient, scope.clinic),
        reach=reach_of(patient, given, stopped),
        consents=consents,
        deliveries=tuple(sorted(sent, key=lambda each: (each.at, each.delivery.id))),
        conversation=conversation,
        tasks=tuple(to_do),
    )


def _to_do(session: Session, enrollment_id: int, conversation: Conversation) -> list[Task]:
    """The open tasks of an enrollment, and those that the replies shown with it belong to."""
    found = {task.id: task for task in tasks.open_of(session, enrollment_id)}
    of_replies = {reply.task_id for reply in conversation.replies if reply.task_id is not None}
    for task_id in of_replies.difference(found):
        task = tasks.get(session, task_id)
        if task is not None and task.status == "open":
            found[task_id] = task
    return sorted(found.values(), key=by_urgency)


def _listed_json(listed: Listed) -> dict[str, Any]:
    enrollment, patient = listed.enrollment, listed.patient
    zone = ZoneInfo(enrollment.session_zone)
    return {
        "id": enrollment.id,
        "status": enrollment.status,
        "source": enrollment.source,
        "ref": enrollment.reference,
        "name": patient.name,
        "phone": patient.phone,
        "email": patient.email,
        "session_at": enrollment.session_at.astimezone(zone),
        "next_due_at": _local(listed.next_due_at, zone),
        "deliveries": {status.value: count for status, count in sorted(listed.counts.items())},
    }


def _delivery_json(sent: Sent, zone: ZoneInfo) -> dict[str, Any]:
    row = sent.delivery
    return {
        "id": row.id,
        "step": row.step,
        "message": row.message,
        "channel": row.channel,
        "occurrence": row.occurrence,
        "status": row.status,
        "reason": row.reason,
        "due_at": _local(row.due_at, zone),
        "until": _local(row.until, zone),
        "sent_at": _local(row.sent_at, zone),
        "provider": row.provider,
        "provider_id": row.provider_id,
        "attempts": [_attempt_json(attempt, zone) for attempt in sent.attempts],
        "receipts": [_receipt_json(receipt, zone) for receipt in sent.receipts],
    }


def _attempt_json(attempt: Attempt, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "provider": attempt.provider,
        "address": attempt.address,
        "started_at": _local(attempt.started_at, zone),
        "finished_at": _local(attempt.finished_at, zone),
        "outcome": attempt.outcome,
        "code": attempt.code,
        "provider_id": attempt.provider_id,
    }


def _receipt_json(receipt: Receipt, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "status": receipt.status,
        "code": receipt.code,
        "received_at": _local(receipt.received_at, zone),
        "provider_id": receipt.provider_id,
    }


def _consent_json(consent: Consent | None, zone: ZoneInfo) -> dict[str, Any] | None:
    if consent is None:
        return None
    return {
        "given": consent.given,
        "at": _local(consent.at, zone),
        "how": consent.how,
        "by": consent.by_whom,
    }


def _task_json(task: Task, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": task.id,
        "kind": task.kind,
        "urgent": task.urgent,
        "says": task.says,
        "opened_at": _local(task.opened_at, zone),
        "acked_at": _local(task.acked_at, zone),
        "acked_by": task.acked_by,
    }


def _local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if moment is None else moment.astimezone(zone)
