"""Education that waits from the start: a crisis is open with one of the patient's addresses."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from drip.services.scope import Scope
from drip.store import patients, tasks
from drip.store.schema import Patient


def cases_of(session: Session, scope: Scope, people: Sequence[Patient]) -> dict[int, int]:
    """The open case of each of these patients who has one: its task, by the patient's id.

    A case belongs to a phone. It is also that of who has the same mailbox as somebody with that
    phone: the same patient, who gave another number the second time.
    """
    by_phone = tasks.open_cases(session, scope.clinic_id)
    if not by_phone:
        return {}
    known = patients.by_phones(session, scope.clinic_id, by_phone)
    by_email = {each.email: by_phone[each.phone] for each in known if each.phone and each.email}
    found = {
        each.id: by_phone.get(each.phone or "") or by_email.get(each.email or "") for each in people
    }
    return {patient_id: task_id for patient_id, task_id in found.items() if task_id is not None}


def say_so(session: Session, scope: Scope, task_id: int, enrollment_id: int, now: datetime) -> None:
    """Note on a case that an enrollment's education waits for staff as well; `now` is UTC."""
    tasks.note_by_drip(
        session,
        task_id,
        f"Education of enrollment {enrollment_id} is on hold too, until `drip resume "
        f"{enrollment_id}`.",
        now.astimezone(scope.clinic.zone),
    )
