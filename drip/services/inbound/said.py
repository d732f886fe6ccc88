"""What is answered to a reply, and the tasks that bring it to a person."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.orm import Session

from drip.content.answers import Saying, Visit, load_answers
from drip.core.inbound import InboundText
from drip.core.replies import ReplyClass, Understood
from drip.core.schedule import Channel
from drip.errors import ContentError
from drip.services.answers import answering
from drip.services.inbound.whose import JUST_BEGUN, SOON, Whose
from drip.services.scope import Scope
from drip.store import patients, replies, tasks
from drip.store.schema import Enrollment, Task

log = structlog.get_logger(__name__)

RECEIVED: Final = "received"
"""The kind of the automatic answers of which an address gets one in a while."""

_A_WHILE = timedelta(hours=12)
_PHONE = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply that was kept, as what follows from it sees it.

    `asks` is what it asks for, and `stop` whether texts must end as well. `stopped` says whether
    the address was suppressed when it came, and is locked. `now` is UTC.
    """

    reply_id: int
    text: InboundText
    understood: Understood
    asks: ReplyClass
    stop: bool
    whose: Whose
    stopped: bool
    now: datetime

    @property
    def scope(self) -> Scope:
        """The clinic that it counts for."""
        return self.whose.scope

    @property
    def address(self) -> str:
        """Who wrote."""
        return self.text.address

    @property
    def carrier_stopped(self) -> bool:
        """Whether the carrier has answered STOP itself, and blocks all that would follow."""
        return self.text.opted == "STOP"

    @property
    def can_be_answered(self) -> bool:
        """Whether an answer would arrive: not at a number that is none, or that is stopped."""
        return self.is_phone and not (self.stopped or self.carrier_stopped)

    @property
    def is_phone(self) -> bool:
        """Whether a phone wrote, and not some service's short code or name."""
        return _PHONE.fullmatch(self.address) is not None


def say(
    session: Session,
    heard: Heard,
    what: Saying,
    *also: Saying,
    kind: str | None = None,
    visit: Enrollment | None = None,
    task_id: int | None = None,
) -> int | None:
    """Answer, from the number that the reply came to; gives the answer, None where none can be.

    `also` are sentences to add, `kind` is `what` unless said otherwise.
    """
    body = _words(session, heard, (what, *also), visit) if heard.can_be_answered else None
    if body is None:
        return None
    return answering.say(
        session,
        heard.scope.clinic_id,
        kind=kind or what,
        channel=Channel.SMS,
        address=heard.address,
        body=body,
        now=heard.now,
        sender=heard.text.sender or None,
        reply_id=heard.reply_id,
        task_id=task_id,
    )


def say_received(session: Session, heard: Heard, task_id: int, what: Saying = RECEIVED) -> None:
    """Say that a person will read it, to a patient, once in twelve hours."""
    if not heard.scope.clinic.hears_replies:
        what = "cannot_read"
    if heard.whose.people and not said_since(session, heard, (RECEIVED,), _A_WHILE):
        say(session, heard, what, kind=RECEIVED, task_id=task_id)


def said_since(session: Session, heard: Heard, kinds: Sequence[str], span: timedelta) -> bool:
    """Whether the address was answered in one of these kinds within a time."""
    since = heard.now - span
    return replies.answered_since(session, heard.scope.clinic_id, heard.address, kinds, since)


def hand_to_person(
    session: Session, heard: Heard, kind: str, says: str, *, urgent: bool = False
) -> int:
    """Have a task bring the reply to a person; gives the task.

    An open one of the same kind collects the further replies of the same address.
    """
    task = replies.open_task_of(session, heard.scope.clinic_id, heard.address, kind)
    if task is None:
        task = open_task(session, heard, kind, says, urgent=urgent)
    elif not task.says.startswith(says):
        says = f"Read the replies of {who_said(heard)}"
    replies.join_task(session, heard.reply_id, task.id)
    task.says = says + _pictures_said(replies.pictures_of(session, task.id))
    task.urgent = task.urgent or urgent
    session.flush()
    return task.id


def open_task(session: Session, heard: Heard, kind: str, says: str, *, urgent: bool) -> Task:
    """Open a task that this reply led to, about the patient if only one has the phone."""
    visit = heard.whose.near_visit(heard.now) if heard.whose.count == 1 else None
    return tasks.open_task(
        session,
        heard.scope.clinic_id,
        key=task_key(heard, kind),
        kind=kind,
        says=says,
        urgent=urgent,
        patient_id=visit.patient_id if visit else None,
        enrollment_id=visit.id if visit else None,
        now=heard.now,
    )


def task_key(heard: Heard, kind: str) -> str:
    """What makes a task of a kind the one that this reply led to."""
    return f"{kind}:reply:{heard.reply_id}"


def who_said(heard: Heard) -> str:
    """Who wrote, as a task names them: no name, and nothing of what they wrote."""
    count = heard.whose.count
    if count == 1:
        return "the patient"
    if count == 0:
        return f"a number that {was_whose(heard) or 'no patient has'}"
    ids = ", ".join(str(each.id) for each in heard.whose.active or heard.whose.booked)
    return f"one of {count} patients with the same phone (enrollments {ids})"


def was_whose(heard: Heard) -> str:
    """Whose a number was that nobody has now, after "a number that"; "" where it is not known."""
    former = heard.whose.former
    if not former:
        return ""
    count = len({each.patient_id for each in former})
    whose = "a patient" if count == 1 else f"{count} patients"
    shown = [str(each.id) for each in heard.whose.formerly_active or former]
    which = f"enrollment{'' if len(shown) == 1 else 's'} {', '.join(shown)}"
    return f"was that of {whose} ({which}) until it was changed"


def is_near(heard: Heard) -> bool:
    """Whether a visit of who wrote is so near that nobody should wait with the task."""
    visit = heard.whose.near_visit(heard.now)
    return visit is not None and -JUST_BEGUN < visit.session_at - heard.now <= SOON


def is_stopped(session: Session, heard: Heard) -> bool:
    """Whether the address may not be texted, as it stands in this transaction."""
    pair = (Channel.SMS, heard.address)
    return bool(patients.suppressed(session, heard.scope.clinic_id, [pair]))


def _pictures_said(count: int) -> str:
    if not count:
        return ""
    what = "A picture" if count == 1 else f"{count} pictures"
    return f". {what} came with it, which Drip does not fetch"


def _words(
    session: Session, heard: Heard, what: Sequence[Saying], visit: Enrollment | None
) -> str | None:
    """The words of an answer; None, with a task, where somebody broke them."""
    answers, clinic, whose = load_answers(heard.scope.content), heard.scope.clinic, heard.whose
    wanted = whose.language_of(heard.now) or heard.understood.language
    about = None
    if visit is not None:
        zone = whose.zone_name(visit.patient_id)
        about = Visit(visit.session_at, ZoneInfo(zone) if zone else clinic.zone, heard.now)
    try:
        language = answers.language(wanted, clinic)
        return " ".join(answers.say(each, clinic, language, visit=about) for each in what)
    except ContentError:
        log.exception("answer.broken", reply=heard.reply_id)
        says = "An answer to a reply could not be made: run `drip check`, and answer the reply"
        hand_to_person(session, heard, "broken_answer", says, urgent=True)
        return None
