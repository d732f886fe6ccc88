"""What follows when an answer does not arrive, or nobody knows: a person hears of it."""

from datetime import datetime

from sqlalchemy.orm import Session

from drip.core.answers import ALERT, AWAITED, IN_CRISIS, STOP
from drip.store import tasks
from drip.store.schema import Answer

_NOBODY_WAITS = frozenset({ALERT, STOP})
"""An alert is raised again, and a stop holds whether its confirmation came or not."""


def tell_staff(session: Session, answer: Answer, now: datetime) -> None:
    """Open the task for an answer that failed, was withheld, or may or may not have arrived.

    Where it was to a crisis, or a person wrote it, staff call at once; of another whose outcome
    is not known they hear as well. It speaks of the patient that the answer's own task is about.
    """
    unknown = answer.status == "unknown"
    if answer.kind not in AWAITED and (not unknown or answer.kind in _NOBODY_WAITS):
        return
    about = tasks.get(session, answer.task_id) if answer.task_id is not None else None
    tasks.open_task(
        session,
        answer.clinic_id,
        key=f"answer:{answer.id}",
        kind="answer_astray",
        says=_says(answer),
        urgent=answer.kind in IN_CRISIS,
        patient_id=about.patient_id if about else None,
        enrollment_id=about.enrollment_id if about else None,
        now=now,
    )


def _says(answer: Answer) -> str:
    what = "The answer to a crisis" if answer.kind in IN_CRISIS else f"The {answer.kind} answer"
    where = f" It belongs to task {answer.task_id}." if answer.task_id is not None else ""
    if answer.status == "unknown":
        return f"{what} may not have arrived, and is not sent again: ask or call.{where}"
    if answer.status == "withheld":
        return f"{what} was not sent, since this number has stopped: call.{where}"
    return f"{what} did not arrive ({answer.code}): call.{where}"
