"""Words of crisis, and whatever an address says while its crisis is open."""

from datetime import timedelta

from sqlalchemy.orm import Session

from drip.core.answers import CRISIS, CRISIS_STOP, IN_CRISIS, STAFF
from drip.core.replies import ReplyClass
from drip.services import plans
from drip.services.answers import crisis
from drip.services.bookings import changing
from drip.services.inbound.effects import end_texts
from drip.services.inbound.said import Heard, said_since, say, task_key, was_whose
from drip.store import answers, replies, tasks

_AGAIN = timedelta(minutes=30)
"""After how long words of crisis are answered again."""

_QUIET = timedelta(hours=12)
"""After how long anything else is answered, if no person has written meanwhile."""


def hear_crisis(session: Session, heard: Heard, case: int | None) -> None:
    """Answer at once, have people told, and end the texts where that was asked for too.

    `case` is the task of the open crisis, if there is one: every reply joins it, and only a stop
    does something besides. After a stop no text can be sent: the case says to phone.
    """
    owed = _is_owed(session, heard)
    said = say(session, heard, CRISIS_STOP if heard.stop else CRISIS) if owed else None
    if heard.asks is ReplyClass.CRISIS:
        case = crisis.open_case(
            session,
            heard.scope,
            reply_id=heard.reply_id,
            address=heard.address,
            enrollment_ids=[each.id for each in heard.whose.active or heard.whose.booked],
            stop=heard.stop,
            answered=said is not None or (heard.can_be_answered and not owed),
            now=heard.now,
        )
        _add_former(session, heard, case)
    assert case is not None, "there is one, or it was opened now"
    if said is not None and (answer := answers.get(session, said)) is not None:
        answer.task_id = case
    if heard.stop:
        _stop(session, heard, case)
    replies.join_task(session, heard.reply_id, case)


def _add_former(session: Session, heard: Heard, case: int) -> None:
    """Have the case be about who had the number until it was changed, too: they may well write."""
    whose = was_whose(heard)
    if not whose:
        return
    for each in sorted(heard.whose.formerly_active, key=lambda each: each.id):
        changing.pause_education(session, heard.scope, each.id, heard.now)
    task = tasks.lock(session, case)
    assert task is not None, "tasks are not deleted"
    says = f"The number {whose}."
    if says not in task.says:
        task.says = f"{task.says} {says}"
    if task.patient_id is None:
        first = min(heard.whose.formerly_active or heard.whose.former, key=lambda each: each.id)
        task.patient_id, task.enrollment_id = first.patient_id, first.id
    session.flush()


def _stop(session: Session, heard: Heard, case: int) -> None:
    """End the texts. To call about what waited is part of the case, and no task beside it."""
    clinic_id, booked = heard.scope.clinic_id, [each.id for each in heard.whose.booked]

    def calls() -> set[int]:
        return tasks.open_ids(session, clinic_id, plans.CALL, booked, task_key(heard, plans.CALL))

    before = calls()
    end_texts(session, heard)
    crisis.texts_stopped(session, heard.scope, case, sorted(calls() - before), heard.now)


def _is_owed(session: Session, heard: Heard) -> bool:
    """Whether the lines of help are to be said, and not the same again a moment later."""
    if heard.stop:
        return True
    if heard.asks is ReplyClass.CRISIS:
        return not said_since(session, heard, tuple(IN_CRISIS), _AGAIN)
    return not said_since(session, heard, (*IN_CRISIS, STAFF), _QUIET)
