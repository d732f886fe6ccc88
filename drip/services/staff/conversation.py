"""What a patient and the clinic said to each other, as staff read it: replies and answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from drip.core.delivery import Reason
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel
from drip.services.inbound.whose import LOOKED_BACK
from drip.services.journeys import addresses_of, reach_of
from drip.services.scope import Scope
from drip.services.staff.tasks import ToDo, open_tasks, show_task
from drip.store import conversations, enrollments, patients
from drip.store.engine import reading
from drip.store.replies import once_theirs
from drip.store.schema import Answer, Enrollment, Patient, Reply, Task
from drip.store.tasks import CRISIS

_LIVE = ("active", "paused")


@dataclass(frozen=True, slots=True)
class Conversation:
    """Replies and answers, each first to last."""

    replies: tuple[Reply, ...] = ()
    answers: tuple[Answer, ...] = ()

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """The conversation as `--json` prints it; moments on the clock of `zone`."""
        return {
            "replies": [_reply_json(reply, zone) for reply in self.replies],
            "answers": [_answer_json(answer, zone) for answer in self.answers],
        }


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open task in a list; `phone` (E.164) and `names` of whoever it is about, if known.

    `wrote_from` is the phone that its replies came from, where that is another one.
    """

    todo: ToDo
    phone: str | None
    names: tuple[str, ...]
    wrote_from: str | None = None

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """The task as `drip tasks --json` prints it; moments on the clock of `zone`."""
        return {
            **self.todo.as_json(zone),
            "phone": self.phone,
            "wrote_from": self.wrote_from,
        }


@dataclass(frozen=True, slots=True)
class Concerned:
    """A patient whom a task is about, with the enrollments that go on, by session."""

    patient: Patient
    enrollments: tuple[Enrollment, ...]


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A task with all that somebody needs who takes it.

    `phone` (E.164) is the patient's, or where the replies came from; `wrote_from` is where they
    came from, if that is another one. `concerned` are the patient and whoever else has one of
    these phones; in a crisis also who had the latter, where nobody has. `no_texts` is why none who
    has `phone` can be texted, None where one can, or where nobody is known.
    """

    todo: ToDo
    phone: str | None
    no_texts: Reason | None
    concerned: tuple[Concerned, ...]
    conversation: Conversation
    wrote_from: str | None = None

    @property
    def is_crisis(self) -> bool:
        """Whether somebody wrote words of crisis."""
        return any(each.reply_class is ReplyClass.CRISIS for each in self.conversation.replies)

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """The task as `drip tasks show --json` prints it; moments on the clock of `zone`."""
        return {
            **self.todo.as_json(zone),
            "phone": self.phone,
            "wrote_from": self.wrote_from,
            "no_texts": self.no_texts,
            "patients": [
                {
                    "id": each.patient.id,
                    "name": each.patient.name,
                    "enrollments": [enrollment.id for enrollment in each.enrollments],
                }
                for each in self.concerned
            ],
            **self.conversation.as_json(zone),
        }


def conversation_with(session: Session, patient: Patient) -> Conversation:
    """All that was said to and fro with whoever has this patient's phone or mailbox.

    A phone is the patient's where it is the present one, or where it was texted before.
    """
    addresses = {address for _, address in addresses_of([patient])}
    addresses |= conversations.phones_texted(session, patient.id)
    return Conversation(
        tuple(conversations.replies_from(session, patient.clinic_id, addresses)),
        tuple(conversations.answers_to(session, patient.clinic_id, addresses)),
    )


def waiting_tasks(scope: Scope) -> list[Waiting]:
    """What is to be done: first the urgent that nobody has taken, then the other urgent ones.

    Of the same urgency the longest open comes first. A task about replies names everybody who
    has the phone that they came from.
    """
    found = sorted(open_tasks(scope), key=lambda todo: by_urgency(todo.task))
    ids = [todo.task.id for todo in found]
    with reading(scope.engine) as session:
        phones = conversations.phones_of_tasks(session, scope.clinic_id, ids)
        return [_waiting(session, scope, todo, phones.get(todo.task.id)) for todo in found]


def by_urgency(task: Task) -> tuple[int, datetime, int]:
    """How tasks are ordered."""
    urgency = (1 if task.acked_at is not None else 0) if task.urgent else 2
    return urgency, task.opened_at, task.id


def open_task_file(scope: Scope, task_id: int) -> TaskFile:
    """A task, open or done, with its replies, their answers and the patients. Raises NotFound."""
    todo = show_task(scope, task_id)
    with reading(scope.engine) as session:
        replies = conversations.replies_of_task(session, scope.clinic_id, task_id)
        ids = [reply.id for reply in replies]
        answers = conversations.answers_of_task(session, scope.clinic_id, task_id, ids)
        phone = todo.patient.phone if todo.patient is not None else None
        wrote_from = replies[-1] if replies else None
        if phone is None and wrote_from is not None:
            phone = wrote_from.address
        people = _who_have(session, scope, todo, phone)
        blocked = [why_no_texts(session, each) for each in people]
        if wrote_from is not None and wrote_from.address != phone:
            people += _who_had(session, scope, todo, wrote_from, people)
        concerned = tuple(Concerned(who, _going_on(session, who)) for who in people)
        return TaskFile(
            todo,
            phone,
            blocked[0] if blocked and all(blocked) else None,
            concerned,
            Conversation(tuple(replies), tuple(answers)),
            _other(wrote_from.address if wrote_from is not None else None, phone),
        )


def why_no_texts(session: Session, patient: Patient) -> Reason | None:
    """Why a patient cannot be texted; None where a text may go."""
    ledger = patients.consents_of(session, [patient.id])
    given = {channel: entry.given for (_, channel), entry in ledger.items()}
    stopped = patients.suppressed(session, patient.clinic_id, addresses_of([patient]))
    return reach_of(patient, given, stopped)[Channel.SMS]


def _waiting(session: Session, scope: Scope, todo: ToDo, wrote_from: str | None) -> Waiting:
    if todo.patient is not None:
        phone = todo.patient.phone or wrote_from
        return Waiting(todo, phone, (todo.patient.name,), _other(wrote_from, phone))
    if wrote_from is None:
        return Waiting(todo, None, ())
    people = patients.by_phone(session, scope.clinic_id, wrote_from)
    return Waiting(todo, wrote_from, tuple(who.name for who in people))


def _other(wrote_from: str | None, phone: str | None) -> str | None:
    return None if wrote_from == phone else wrote_from


def _who_have(session: Session, scope: Scope, todo: ToDo, phone: str | None) -> list[Patient]:
    """The patient of a task, and whoever has the phone."""
    people = {} if todo.patient is None else {todo.patient.id: todo.patient}
    if phone is not None:
        found = patients.by_phone(session, scope.clinic_id, phone)
        people = {who.id: who for who in found} | people
    return list(people.values())


def _who_had(
    session: Session, scope: Scope, todo: ToDo, reply: Reply, known: list[Patient]
) -> list[Patient]:
    """Who else has the phone of a reply now; else, in a crisis, who else had it then."""
    found = patients.by_phone(session, scope.clinic_id, reply.address)
    if not found and todo.task.kind == CRISIS:
        since = reply.received_at - LOOKED_BACK
        found = once_theirs(session, [scope.clinic_id], reply.address, since)
    ids = {each.id for each in known}
    return [each for each in found if each.id not in ids]


def _going_on(session: Session, patient: Patient) -> tuple[Enrollment, ...]:
    every = enrollments.of_patient(session, patient.id)
    return tuple(enrollment for enrollment in every if enrollment.status in _LIVE)


def _reply_json(reply: Reply, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": reply.id,
        "address": reply.address,
        "received_at": reply.received_at.astimezone(zone),
        "body": reply.body,
        "media": reply.media,
        "class": reply.reply_class,
        "stop": reply.stop,
        "language": reply.language,
        "task_id": reply.task_id,
    }


def _answer_json(answer: Answer, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": answer.id,
        "kind": answer.kind,
        "channel": answer.channel,
        "address": answer.address,
        "by": answer.by_whom,
        "body": answer.body,
        "status": answer.status,
        "code": answer.code,
        "created_at": answer.created_at.astimezone(zone),
        "sent_at": _local(answer.sent_at, zone),
        "provider": answer.provider,
        "provider_id": answer.provider_id,
        "reply_id": answer.reply_id,
        "task_id": answer.task_id,
    }


def _local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if moment is None else moment.astimezone(zone)
