"""What follows when an answer does not arrive, or nobody knows: a person hears of it."""

from datetime import datetime

from sqlalchemy.orm import Session

from drip.core.answers import ALERT, AWAITED, IN_CRISIS, STOP
from drip.services.readable import readable_clinics
from drip.store import tasks
from drip.store.schema import Answer, Task

_NOBODY_WAITS = frozenset({ALERT, STOP})
"""An alert is raised again, and a stop holds whether its confirmation came or not."""


_ARRIVED = "The provider has the answer after all."

_IN_DOUBT = frozenset({"sending", "unknown"})
"""It was handed over, and the provider could not say what became of it."""

_LOST, _DOUBTED = "No answer to it arrived.", "The answer to it may not have arrived."
"""What a case says first of all, where the patient has, or may have, no word from us."""


def tell_staff(session: Session, answer: Answer, now: datetime) -> None:
    """Open the task for an answer that failed, was withheld, or may or may not have arrived.

    Where it was to a crisis, or a person wrote it, staff call at once; of another whose outcome
    is not known they hear as well. It speaks of the patient that the answer's own task is about.
    While that is the open case of a crisis, the case itself says so: there is one task to read.
    """
    unknown = answer.status in _IN_DOUBT
    if answer.kind not in AWAITED and (not unknown or answer.kind in _NOBODY_WAITS):
        return
    case = _case_of(session, answer)
    if case is not None:
        _say_in_case(session, answer, case, now)
        return
    about = tasks.get(session, answer.task_id) if answer.task_id is not None else None
    tasks.open_task(
        session,
        answer.clinic_id,
        key=_key(answer),
        kind="answer_astray",
        says=_says(answer),
        urgent=answer.kind in IN_CRISIS,
        patient_id=about.patient_id if about else None,
        enrollment_id=about.enrollment_id if about else None,
        now=now,
    )


def say_arrived(session: Session, answer: Answer, now: datetime) -> None:
    """Take back what staff were told of an answer in doubt: the provider has it after all."""
    told = tasks.open_by_key(session, answer.clinic_id, _key(answer))
    if told is not None:
        tasks.finish(session, told.id, "drip", _ARRIVED, now)
    case = _case_of(session, answer)
    if case is not None and _DOUBTED in case.says:
        case.says = case.says.replace(f" {_DOUBTED}", "")
        _note(session, answer, case, _ARRIVED, now)


def _case_of(session: Session, answer: Answer) -> Task | None:
    """The open case of a crisis that an answer belongs to."""
    about = tasks.lock(session, answer.task_id) if answer.task_id is not None else None
    is_case = about is not None and about.kind == tasks.CRISIS and about.status == "open"
    return about if is_case else None


def _say_in_case(session: Session, answer: Answer, case: Task, now: datetime) -> None:
    first = _DOUBTED if answer.status in _IN_DOUBT else _LOST
    if answer.kind in IN_CRISIS and answer.status != "withheld":
        if first in case.says:
            return
        case.says = f"{case.says.replace(f' {_DOUBTED}', '')} {first}"
    _note(session, answer, case, _says(answer, in_case=True), now)


def _note(session: Session, answer: Answer, case: Task, note: str, now: datetime) -> None:
    clinic = readable_clinics(session, {answer.clinic_id})[answer.clinic_id]
    at = now if clinic is None else now.astimezone(clinic.zone)
    tasks.note_by_drip(session, case.id, note, at)


def _key(answer: Answer) -> str:
    return f"answer:{answer.id}"


def _says(answer: Answer, *, in_case: bool = False) -> str:
    what = "The answer to a crisis" if answer.kind in IN_CRISIS else f"The {answer.kind} answer"
    where = ""
    if answer.task_id is not None and not in_case:
        where = f" It belongs to task {answer.task_id}."
    if answer.status == "sending":
        return f"{what} may not have arrived; the provider is asked on. Call.{where}"
    if answer.status == "unknown":
        return f"{what} may not have arrived, and is not sent again: ask or call.{where}"
    if answer.status == "withheld":
        return f"{what} was not sent, since this number has stopped: call.{where}"
    return f"{what} did not arrive ({answer.code}): call.{where}"
