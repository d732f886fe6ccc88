"""Writing a plan's difference: rows added, changed and cancelled, and calls made tasks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from drip.core.delivery import SAID, Reason, Status, priority_of
from drip.core.planner import Plan, PlannedDelivery, Unsendable
from drip.store import deliveries, tasks
from drip.store.claimed import Known
from drip.store.schema import Enrollment

CALL = "call_patient"


def new_row(enrollment: Enrollment, planned: PlannedDelivery, now: datetime) -> dict[str, Any]:
    """A planned delivery as a row to insert."""
    return {
        "clinic_id": enrollment.clinic_id,
        "enrollment_id": enrollment.id,
        "patient_id": enrollment.patient_id,
        "step": planned.step,
        "message": planned.message,
        "channel": planned.channel,
        "occurrence": planned.occurrence,
        "weight": planned.weight,
        "priority": priority_of(planned.weight, planned.planned_at, planned.until),
        "status": planned.status,
        "reason": planned.reason,
        "planned_at": planned.planned_at,
        "due_at": planned.due_at,
        "until": planned.until,
        "session_at": planned.session_at,
        "revision": planned.revision,
        "attempts": 0,
        "created_at": now,
        "updated_at": now,
    }


def write(session: Session, enrollment: Enrollment, plan: Plan, now: datetime) -> None:
    """Make the difference, in the caller's transaction."""
    deliveries.insert(session, [new_row(enrollment, planned, now) for planned in plan.add])
    if plan.change:
        deliveries.replan(session, [_changed(id_, planned) for id_, planned in plan.change], now)
    by_reason: defaultdict[Reason, list[int]] = defaultdict(list)
    for id_, reason in plan.cancel:
        by_reason[reason].append(id_)
    for reason, ids in by_reason.items():
        deliveries.move(session, ids, Status.CANCELLED, now, reason)
    if plan.unsendable:
        tasks.open_many(session, [call_row(enrollment, plan.unsendable, now)])


def _changed(id_: int, planned: PlannedDelivery) -> dict[str, Any]:
    return {
        "id": id_,
        "status": planned.status,
        "reason": planned.reason,
        "planned_at": planned.planned_at,
        "due_at": planned.due_at,
        "until": planned.until,
        "priority": priority_of(planned.weight, planned.planned_at, planned.until),
        "session_at": planned.session_at,
        "revision": planned.revision,
    }


def call_row(enrollment: Enrollment, calls: Sequence[Unsendable], now: datetime) -> dict[str, Any]:
    """The task for the essential steps of a plan that no message can carry (T12)."""
    return {
        "clinic_id": enrollment.clinic_id,
        "patient_id": enrollment.patient_id,
        "enrollment_id": enrollment.id,
        "delivery_id": None,
        "kind": CALL,
        "says": call_says(calls),
        "urgent": enrollment.session_at > now,
        "key": f"call:{enrollment.id}:{enrollment.revision}:{calls[0].step}",
        "status": "open",
        "opened_at": now,
    }


def call_says(calls: Iterable[Unsendable]) -> str:
    """What to call the patient about, in a line: each reason once."""
    steps: defaultdict[Reason, list[str]] = defaultdict(list)
    for call in calls:
        steps[call.reason].append(call.step)
    said = (f"{', '.join(names)} ({SAID[reason]})" for reason, names in steps.items())
    return f"Call the patient: {'; '.join(said)}"


def steps_called(says: str) -> set[str]:
    """The steps that `call_says` names."""
    calls = says.removeprefix("Call the patient: ").split("; ")
    return {step for call in calls for step in call.partition(" (")[0].split(", ")}


def open_call_for(session: Session, delivery: Known, reason: Reason, now: datetime) -> None:
    """Open the task for an essential delivery that could not be sent after all (T12)."""
    tasks.open_task(
        session,
        clinic_id=delivery.clinic_id,
        patient_id=delivery.patient_id,
        enrollment_id=delivery.enrollment_id,
        delivery_id=delivery.id,
        kind=CALL,
        says=f"Call the patient: {delivery.step} ({SAID[reason]})",
        urgent=delivery.session_at > now,
        key=f"call:{delivery.enrollment_id}:{delivery.revision}:{delivery.step}"
        f":{delivery.occurrence}",
        now=now,
    )
