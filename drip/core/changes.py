"""What a cancellation, a no-show or a stop does to an enrollment's deliveries (T9, T12)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from drip.core.delivery import Reason, Status
from drip.core.history import Existing, History
from drip.core.planner import (
    Journey,
    Plan,
    PlannedDelivery,
    Unsendable,
    add_or_change,
    calls_for,
    channels_of,
    notice_rows,
    until_of_notice,
)
from drip.core.schedule import CANCELLED, Channel, Step, Weight


def plan_cancelled(journey: Journey, now: datetime, existing: Sequence[Existing]) -> Plan:
    """Cancel what waits and, unless the session is past or the patient knows, say so (T9)."""
    session_at = journey.anchors.session
    history = History(existing, session_at, journey.revision)
    told = history.last_told
    rows: list[PlannedDelivery] = []
    if now < session_at and not (told is not None and told.step == CANCELLED):
        last = until_of_notice(session_at, told, now)
        occurrence = history.next_occurrence(CANCELLED)
        rows = notice_rows(CANCELLED, replace(journey, paused=False), last, occurrence, now)
    add, change = add_or_change(rows, history)
    changed = {id_ for id_, _ in change}
    cancel = tuple(
        (row.id, Reason.SESSION_CANCELLED)
        for row in existing
        if row.waiting and row.id not in changed
    )
    return Plan(add, change, cancel, calls_for(rows))


def plan_no_show(session_at: datetime, existing: Sequence[Existing]) -> Plan:
    """Cancel what waits for after the session (UTC) that the patient did not come to (T9)."""
    return Plan(
        cancel=tuple(
            (row.id, Reason.NO_SHOW)
            for row in existing
            if row.waiting and row.planned_at >= session_at
        )
    )


def plan_stopped(
    channel: Channel, reason: Reason, journey: Journey, existing: Sequence[Existing]
) -> Plan:
    """Cancel what waits on a channel that can no longer be used.

    `journey.reach` says what can still be used. A text-only essential step goes by email where
    email may; any other essential step that has no way left becomes a call (T12).
    """
    history = History(existing, journey.anchors.session, journey.revision)
    stopped = [row for row in existing if row.waiting and row.channel is channel]
    by_email: list[PlannedDelivery] = []
    calls: list[Unsendable] = []
    for row in stopped:
        if row.weight is not Weight.ESSENTIAL or row.step in journey.answered:
            continue
        if _goes_otherwise(row, existing):
            continue
        step = journey.schedule.by_name.get(row.step)
        if step is not None and _may_go_by_email(step, journey):
            by_email.append(_by_email(row, step, journey))
        else:
            # A notice is not in the schedule; it is named after its message.
            calls.append(Unsendable(row.step, step.message if step else row.step, reason))
    add, change = add_or_change(by_email, history)
    return Plan(add, change, tuple((row.id, reason) for row in stopped), tuple(calls))


def _goes_otherwise(row: Existing, existing: Sequence[Existing]) -> bool:
    """Whether the same step goes, or went, out on another channel."""
    return any(
        (other.step, other.occurrence) == (row.step, row.occurrence)
        and other.channel is not row.channel
        and (other.waiting or other.reached_patient)
        for other in existing
    )


def _may_go_by_email(step: Step, journey: Journey) -> bool:
    return Channel.EMAIL not in step.channels and Channel.EMAIL in channels_of(step, journey.reach)


def _by_email(row: Existing, step: Step, journey: Journey) -> PlannedDelivery:
    held = row.status is Status.HELD
    return PlannedDelivery(
        step=step.name,
        message=step.message,
        channel=Channel.EMAIL,
        occurrence=row.occurrence,
        weight=step.weight,
        status=Status.HELD if held else Status.SCHEDULED,
        reason=Reason.PAUSED if held else None,
        planned_at=row.planned_at,
        due_at=row.due_at,
        until=row.until,
        session_at=row.session_at,
        revision=journey.revision,
    )
