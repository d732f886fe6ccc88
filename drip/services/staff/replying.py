"""A member of staff answers in a patient's thread: what may be said, when, and that it was."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from drip.content.language_file import load_language
from drip.content.wording import beginnings
from drip.core.answers import STAFF
from drip.core.delivery import Reason
from drip.core.schedule import Channel
from drip.core.sms import Parts, measure, plain_twins
from drip.errors import InvalidInput, NotAllowed, NotFound
from drip.services.answers import answering, crisis
from drip.services.journeys import zone_of
from drip.services.scope import Scope
from drip.services.staff.conversation import why_no_texts
from drip.store import conversations, enrollments, patients, tasks
from drip.store.engine import reading, writing
from drip.store.schema import Enrollment, Patient, Reply

RECENT = timedelta(hours=4)
"""How long after a patient's own text an answer to it may go out at any hour (T4)."""

MOST_PARTS = 10
"""More than that is no text any more; carriers take no more than 1,600 characters."""

_UNSEEN = "\n\u200c\u200d"
"""What has no shape of its own and may stand in a text: a new line, the joiners of emoji."""

_REFUSED = {
    Reason.NO_ADDRESS: "has no phone on record: write an email, or find out a number",
    Reason.NO_CONSENT: "has not consented to texts: call instead",
    Reason.STOPPED: "stopped texts: call instead",
    Reason.SUPPRESSED: "has a phone that a provider says must not be texted: call instead",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A staff answer that may be sent.

    `body` is as it goes out, `parts` what it costs. `answers` is the patient's reply of the last
    hours, if there is one; `task_id` the open task that it belongs to, that of an open crisis
    first. `opens_at` (UTC) is the next decent hour where it is none now; None where it is one,
    or where a fresh reply is answered or a crisis is open.
    """

    enrollment_id: int
    phone: str
    body: str
    parts: Parts
    zone: ZoneInfo
    answers: Reply | None
    task_id: int | None
    until: datetime
    opens_at: datetime | None


@dataclass(frozen=True, slots=True)
class StaffAnswer:
    """A staff answer that is on its way."""

    answer_id: int
    draft: Draft
    by: str

    def as_json(self) -> dict[str, Any]:
        """The answer as `drip reply --json` prints it."""
        draft = self.draft
        return {
            "answer_id": self.answer_id,
            "enrollment_id": draft.enrollment_id,
            "phone": draft.phone,
            "body": draft.body,
            "parts": draft.parts.count,
            "encoding": draft.parts.encoding,
            "by": self.by,
            "reply_id": None if draft.answers is None else draft.answers.id,
            "task_id": draft.task_id,
            "until": draft.until.astimezone(draft.zone),
        }


def draft_answer(scope: Scope, enrollment_id: int, text: str, now: datetime) -> Draft:
    """Look at a text to an enrollment's patient before it is sent. `now` is UTC.

    Raises NotFound; InvalidInput for a text that cannot be sent; NotAllowed where the patient
    may not be texted, or not with such words.
    """
    body = _readable(text)
    with reading(scope.engine) as session:
        return _draft(session, scope, enrollment_id, body, now)


def answer_patient(
    scope: Scope, enrollment_id: int, text: str, by: str, now: datetime, *, at_any_hour: bool
) -> StaffAnswer:
    """Send a text of a member of staff to an enrollment's patient.

    Raises what `draft_answer` raises, and NotAllowed outside of the send window unless it
    answers a reply of the last hours, a crisis is open or `at_any_hour` is true.
    """
    body = _readable(text)
    with writing(scope.engine) as session:
        draft = _draft(session, scope, enrollment_id, body, now)
        if draft.opens_at is not None and not at_any_hour:
            raise NotAllowed(f"{night_said(draft, now)} Add --now to send it all the same.")
        reply = draft.answers
        answer_id = answering.say(
            session,
            scope.clinic_id,
            kind=STAFF,
            channel=Channel.SMS,
            address=draft.phone,
            body=draft.body,
            now=now,
            until=draft.until,
            sender=None if reply is None else reply.sender,
            reply_id=None if reply is None else reply.id,
            task_id=draft.task_id,
            by=by,
        )
    return StaffAnswer(answer_id, draft, by)


def night_said(draft: Draft, now: datetime) -> str:
    """Why a text should wait: how late it is where the patient is, and when it may go."""
    assert draft.opens_at is not None
    opens = f"{draft.opens_at.astimezone(draft.zone):%a %H:%M}"
    return (
        f"It is {now.astimezone(draft.zone):%a %H:%M} for the patient, outside of the hours for "
        f"texts, which begin {opens}."
    )


def _readable(text: str) -> str:
    """The text as it goes out. Raises InvalidInput."""
    body = plain_twins(text).strip()
    if not body:
        raise InvalidInput("The text is empty: write it in quotes after the ID.")
    for letter in body:
        if not letter.isprintable() and letter not in _UNSEEN:
            raise InvalidInput(
                f"The text has a character that cannot be shown (U+{ord(letter):04X}): "
                "type it again."
            )
    parts = measure(body)
    if parts.count > MOST_PARTS:
        raise InvalidInput(
            f"The text takes {parts.count} parts, and at most {MOST_PARTS} can be sent: "
            "shorten it, or call."
        )
    return body


def _draft(session: Session, scope: Scope, enrollment_id: int, body: str, now: datetime) -> Draft:
    enrollment, patient = _whom(session, scope, enrollment_id)
    phone = _phone(session, patient)
    _refuse_indiscreet(scope, patient, body)
    last = conversations.last_reply_from(session, scope.clinic_id, phone)
    fresh = last if last is not None and now - last.received_at <= RECENT else None
    case = crisis.open_case_of(session, scope.clinic_id, phone)
    zone, window = zone_of(patient, scope.clinic), scope.clinic.window
    at_once = fresh is not None or case is not None
    is_open = window.contains(now, zone)
    return Draft(
        enrollment_id=enrollment.id,
        phone=phone,
        body=body,
        parts=measure(body),
        zone=zone,
        answers=fresh,
        task_id=_open_task(session, last) if case is None else case,
        until=window.closing(now, zone) if is_open and not at_once else now + RECENT,
        opens_at=None if is_open or at_once else window.next_opening(now, zone),
    )


def _whom(session: Session, scope: Scope, enrollment_id: int) -> tuple[Enrollment, Patient]:
    enrollment = enrollments.get(session, enrollment_id)
    if enrollment is None or enrollment.clinic_id != scope.clinic_id:
        raise NotFound(f"There is no enrollment {enrollment_id}: `drip list` shows them.")
    patient = patients.get(session, enrollment.patient_id)
    assert patient is not None
    return enrollment, patient


def _phone(session: Session, patient: Patient) -> str:
    """Where the patient may be texted. Raises NotAllowed."""
    why = why_no_texts(session, patient)
    if why is not None:
        raise NotAllowed(f"{patient.name} {_REFUSED[why]}.")
    assert patient.phone is not None
    return patient.phone


def _refuse_indiscreet(scope: Scope, patient: Patient, body: str) -> None:
    """A lock screen is public: only who chose plain wording is texted words of the treatment."""
    if patient.wording == "plain":
        return
    languages = {patient.language, scope.clinic.language}.intersection(scope.content.languages())
    begin = {word for code in languages for word in load_language(scope.content, code).not_discreet}
    found = next(beginnings(body, sorted(begin)), None)
    if found is not None:
        raise NotAllowed(
            f'Texts to {patient.name} are discreet, and "{found.word}" can be read on a locked '
            "phone: say it in other words, or call."
        )


def _open_task(session: Session, last: Reply | None) -> int | None:
    """The task of the last reply, where it is open."""
    task = None if last is None or last.task_id is None else tasks.get(session, last.task_id)
    return task.id if task is not None and task.status == "open" else None
