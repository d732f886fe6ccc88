"""What a patient and the clinic said to each other, as staff read it: replies and answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from drip.core.delivery import Reason
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel
from drip.services.journeys import addresses_of, reach_of
from drip.services.scope import Scope
from drip.services.staff.tasks import ToDo, open_tasks, show_task
from drip.store import conversations, enrollments, patients
from drip.store.engine import reading
from drip.store.schema import Answer, Enrollment, Patient, Reply, Task

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
    """An open task in a list; `phone` (E.164) and `names` of whoever it is about, if known."""

    todo: ToDo
    phone: str | None
    names: tuple[str, ...]

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """The task as `drip tasks --json` prints it; moments on the clock of `zone`."""
        return {**self.todo.as_json(zone), "phone": self.phone}


@dataclass(frozen=True, slots=True)
class Concerned:
    """A patient whom a task is about, with the enrollments that go on, by session."""

    patient: Patient
    enrollments: tuple[Enrollment, ...]


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A task with all that somebody needs who takes it.

    `phone` (E.164) is the patient's, or where the replies came from. `concerned` are the patient
    and whoever else has this phone. `no_texts` is why none of them can be texted, None where one
    can, or where nobody is known.
    """

    todo: ToDo
    phone: str | None
    no_texts: Reason | None
    concerned: tuple[Concerned, ...]
    conversation: Conversation

    @property
    def is_crisis(self) -> bool:
        """Whether somebody wrote words of crisis."""
        return any(each.reply_class is ReplyClass.CRISIS for each in self.conversation.replies)

    def as_json(self, zone: ZoneInfo) -> dict[str, Any]:
        """The task as `drip tasks show --json` prints it; moments on the clock of `zone`."""
        return {
            **self.todo.as_json(zone),
            "phone": self.phone,
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
    """All that was said to and fro with whoever has this patient's phone or mailbox."""
    addresses = [address for _, address in addresses_of([patient])]
    return Conversation(
        tuple(conversations.replies_from(session, patient.clinic_id, patient.phone)),
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
        if phone is None and replies:
            phone = replies[-1].address
        concerned = _concerned(session, scope, todo, phone)
        blocked = [why_no_texts(session, each.patient) for each in concerned]
        return TaskFile(
            todo,
            phone,
            blocked[0] if blocked and all(blocked) else None,
            concerned,
            Conversation(tuple(replies), tuple(answers)),
        )


def why_no_texts(session: Session, patient: Patient) -> Reason | None:
    """Why a patient cannot be texted; None where a text may go."""
    ledger = patients.consents_of(session, [patient.id])
    given = {channel: entry.given for (_, channel), entry in ledger.items()}
    stopped = patients.suppressed(session, patient.clinic_id, addresses_of([patient]))
    return reach_of(patient, given, stopped)[Channel.SMS]


def _waiting(session: Session, scope: Scope, todo: ToDo, wrote_from: str | None) -> Waiting:
    if todo.patient is not None:
        return Waiting(todo, todo.patient.phone or wrote_from, (todo.patient.name,))
    if wrote_from is None:
        return Waiting(todo, None, ())
    people = patients.by_phone(session, scope.clinic_id, wrote_from)
    return Waiting(todo, wrote_from, tuple(who.name for who in people))


def _concerned(
    session: Session, scope: Scope, todo: ToDo, phone: str | None
) -> tuple[Concerned, ...]:
    people = {} if todo.patient is None else {todo.patient.id: todo.patient}
    if phone is not None:
        found = patients.by_phone(session, scope.clinic_id, phone)
        people = {who.id: who for who in found} | people
    return tuple(Concerned(who, _going_on(session, who)) for who in people.values())


def _going_on(session: Session, patient: Patient) -> tuple[Enrollment, ...]:
    every = enrollments.of_patient(session, patient.id)
    return tuple(enrollment for enrollment in every if enrollment.status in _LIVE)


def _reply_json(reply: Reply, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": reply.id,
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
