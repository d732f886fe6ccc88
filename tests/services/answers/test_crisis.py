"""A crisis: people are told at once and again, education waits, and what is essential goes on."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from drip.content.clinic_file import sample_clinic
from drip.content.sources import built_in, content_dir
from drip.core.clinic import OnCall
from drip.core.delivery import Reason, Status
from drip.core.outgoing import EmailContent, Retry, SmsContent
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel, Weight
from drip.core.sms import measure
from drip.errors import NotAllowed, NotFound
from drip.services.answers import crisis
from drip.services.answers.answering import send_waiting
from drip.services.bookings import changing
from drip.services.consent.stopping import stop_address
from drip.services.scope import scope_of
from drip.services.staff.tasks import ack_task, finish_task, note_task, open_tasks, show_task
from drip.store import replies, tasks
from drip.store.engine import reading, writing
from drip.store.schema import Reply, Task
from tests.services.desk import DAY, MINUTE, NOW, Desk, at, hurried, without_reason

PHONE = "+12125550101"
ON_CALL = OnCall(("on-call@example.com",), ("+12125550190",))
WORDS = "I do not want to be here any more"
EVERY = crisis.RAISED_EVERY


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    """A clinic with somebody on call."""
    desk = Desk(engine, replace(hurried(sample_clinic()), on_call=ON_CALL))
    yield desk
    assert without_reason(desk.rows()) == []


def write(
    desk: Desk,
    *enrollment_ids: int,
    now: datetime = NOW,
    address: str = PHONE,
    stop: bool = False,
    answered: bool = True,
) -> int:
    """A text of crisis comes in; gives the task."""
    with writing(desk.engine) as session:
        reply_id = replies.keep(
            session,
            clinic_id=desk.scope.clinic_id,
            provider="texts",
            provider_id=f"SM{now.timestamp()}{address}",
            address=address,
            sender="+12125550100",
            body=WORDS,
            media=0,
            received_at=now,
            reply_class=ReplyClass.CRISIS,
            stop=stop,
        )
        assert reply_id is not None
        return crisis.open_case(
            session,
            desk.scope,
            reply_id=reply_id,
            address=address,
            enrollment_ids=enrollment_ids,
            stop=stop,
            answered=answered,
            now=now,
        )


def alerted(desk: Desk, now: datetime) -> list[str]:
    """Send what waits; gives who was alerted at this moment."""
    while send_waiting(desk.engine, desk.sender.providers, now):
        pass
    return [
        outgoing.to
        for sink in (desk.sms, desk.email)
        for when, outgoing in sink.sent
        if when == now and outgoing.kind == "answer"
    ]


def task(desk: Desk, task_id: int) -> Task:
    return show_task(desk.scope, task_id).task


# --- The case -----------------------------------------------------------------------------------


def test_a_crisis_is_an_urgent_task_about_the_patient_that_comes_first(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    with writing(desk.engine) as session:
        for number, urgent in enumerate((True, False)):
            tasks.open_task(
                session,
                desk.scope.clinic_id,
                key=f"other:{number}",
                kind="call_patient",
                says="Call.",
                urgent=urgent,
                now=NOW - DAY,
            )
    task_id = write(desk, id_)
    found = task(desk, task_id)
    assert (found.kind, found.urgent, found.opened_at) == ("crisis", True, NOW)
    assert (found.enrollment_id, found.patient_id) == (id_, desk.patient(id_).id)
    assert found.says == "Call now: a text says that somebody may come to harm."
    assert [each.task.urgent for each in open_tasks(desk.scope)] == [True, True, False]
    assert open_tasks(desk.scope)[0].task.id == task_id, "though others have waited longer"


@pytest.mark.parametrize(
    ("many", "stop", "answered", "said"),
    [
        (0, False, True, "The number is not that of an enrolled patient."),
        (2, False, True, "2 enrollments have this number."),
        (1, True, True, "Texts were stopped, too: only a call is left."),
        (1, False, False, "No answer could be sent."),
    ],
)
def test_the_task_says_what_else_staff_must_know(
    desk: Desk, many: int, stop: bool, answered: bool, said: str
) -> None:
    ids = [desk.enroll(n + 1, phone=PHONE).enrollment_id for n in range(many)]
    task_id = write(desk, *ids, stop=stop, answered=answered)
    assert said in task(desk, task_id).says
    assert all(desk.enrollment(id_).education_paused_at == NOW for id_ in ids)


def test_there_is_one_open_case_an_address_and_every_reply_joins_it(desk: Desk) -> None:
    first = write(desk)
    other = write(desk, address="+12125550155")
    assert write(desk, now=NOW + MINUTE) == first != other
    with reading(desk.engine) as session:
        assert crisis.open_case_of(session, desk.scope.clinic_id, PHONE) == first
        assert {row.task_id for row in session.query(Reply).filter_by(address=PHONE)} == {first}
        assert crisis.open_case_of(session, desk.scope.clinic_id + 1, PHONE) is None
        assert crisis.open_case_of(session, desk.scope.clinic_id, "+12125550177") is None
    finish_task(desk.scope, first, "mary", None, NOW + MINUTE)
    with reading(desk.engine) as session:
        assert crisis.open_case_of(session, desk.scope.clinic_id, PHONE) is None
    assert write(desk, now=NOW + 2 * MINUTE) != first


def test_a_stop_in_an_open_case_is_said_in_it(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    first = write(desk, id_)
    stop_address(desk.scope, Channel.SMS, PHONE, "text", "patient", NOW + MINUTE)
    assert write(desk, id_, now=NOW + MINUTE, stop=True, answered=False) == first
    assert "only a call is left" in task(desk, first).says


# --- Alerts -------------------------------------------------------------------------------------


def test_everybody_on_call_is_told_at_once_at_night_without_a_word_of_the_patient(
    desk: Desk,
) -> None:
    night = at("2026-12-01 03:00")
    id_ = desk.enroll(name="Ada Lopez", now=night).enrollment_id
    task_id = write(desk, id_, now=night)
    assert alerted(desk, night) == [*ON_CALL.phones, *ON_CALL.emails]
    text, mail = desk.sms.sent[-1][1].content, desk.email.sent[-1][1].content
    assert isinstance(text, SmsContent)
    assert isinstance(mail, EmailContent)
    assert mail.to_staff
    assert measure(text.body).count <= 2
    everything = f"{text.body} {mail.subject} {mail.text} {mail.html}"
    for command in (f"drip tasks show {task_id}", f"drip tasks ack {task_id} --by NAME"):
        assert command in text.body
        assert command in mail.text
    secrets = ("Ada", "Lopez", PHONE, *WORDS.split(), "ketamine", "harm", "crisis")
    words = set(re.findall(r"\w+", everything.lower()))
    assert not {s.lower() for s in secrets if len(s) > 4} & words


@pytest.mark.parametrize(
    ("on_call", "told"),
    [
        (OnCall(), ["care@river.example.com"]),
        (OnCall(phones=("+12125550190",)), ["+12125550190", "care@river.example.com"]),
        (OnCall(emails=("a@example.com", "b@example.com")), ["a@example.com", "b@example.com"]),
    ],
)
def test_somebody_is_always_told_by_email(desk: Desk, on_call: OnCall, told: list[str]) -> None:
    desk = Desk(desk.engine, replace(desk.clinic, on_call=on_call))
    write(desk)
    assert alerted(desk, NOW) == told


def test_a_phone_on_call_that_stopped_texts_is_reached_by_email(desk: Desk) -> None:
    stop_address(desk.scope, Channel.SMS, ON_CALL.phones[0], "text", "staff", NOW)
    write(desk)
    assert alerted(desk, NOW) == [*ON_CALL.emails]


def test_it_is_raised_every_15_minutes_until_a_person_takes_it(desk: Desk) -> None:
    task_id = write(desk)
    people = alerted(desk, NOW)
    now, rounds = NOW, 0
    while now < NOW + 4 * EVERY:
        now += MINUTE
        rounds += crisis.raise_again(desk.engine, now)
        expected = people if (now - NOW) % EVERY == 0 * MINUTE else []
        assert alerted(desk, now) == expected
    assert rounds == 4
    ack_task(desk.scope, task_id, "mary", now)
    for _ in range(40):
        now += MINUTE
        assert crisis.raise_again(desk.engine, now) == 0
    found = task(desk, task_id)
    assert (found.status, found.acked_by) == ("open", "mary")


def test_what_is_done_is_not_raised_again(desk: Desk) -> None:
    finish_task(desk.scope, write(desk), "mary", "Called, is safe.", NOW)
    assert crisis.raise_again(desk.engine, NOW + EVERY) == 0


def test_two_processes_raise_a_case_once(desk: Desk) -> None:
    write(desk)
    raised = [crisis.raise_again(desk.engine, NOW + EVERY) for _ in range(2)]
    assert raised == [1, 0]


def test_another_text_of_crisis_alerts_again_but_not_each_minute(desk: Desk) -> None:
    task_id = write(desk)
    people = alerted(desk, NOW)
    ack_task(desk.scope, task_id, "mary", NOW)
    found = {}
    for minute in range(1, 9):
        now = NOW + minute * MINUTE
        write(desk, now=now)
        found[minute] = alerted(desk, now)
    assert {minute: told for minute, told in found.items() if told} == {5: people}


def test_an_alert_that_nobody_took_in_time_is_void(desk: Desk) -> None:
    write(desk)
    assert alerted(desk, NOW + EVERY) == []


# --- Education ----------------------------------------------------------------------------------


def weights(desk: Desk, id_: int) -> dict[tuple[Weight, Status, Reason | None], int]:
    found: dict[tuple[Weight, Status, Reason | None], int] = {}
    for row in desk.rows(id_):
        key = row.weight, row.status, row.reason
        found[key] = found.get(key, 0) + 1
    return found


HELD = (Weight.EDUCATION, Status.HELD, Reason.CRISIS)
GOING = (Weight.EDUCATION, Status.SCHEDULED, None)


def test_education_is_held_and_what_is_essential_goes_out(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    before = weights(desk, id_)
    write(desk, id_)
    after = weights(desk, id_)
    assert after[HELD] == before[GOING]
    assert GOING not in after
    desk.run_until(at("2026-12-17 20:00"))
    sent = {row.step: row.weight for row in desk.rows(id_) if row.status is Status.ACCEPTED}
    assert set(sent.values()) == {Weight.ESSENTIAL}
    assert {"welcome", "arrange-a-ride", "day-before", "day-of", "check-in"} <= set(sent)


def test_education_stays_held_whenever_it_is_planned_again(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    write(desk, id_)
    session = at("2026-12-20 09:00").astimezone(desk.clinic.zone)
    changing.reschedule(desk.scope, id_, session, NOW + MINUTE)
    after = weights(desk, id_)
    assert after[HELD] > 0
    assert GOING not in after
    changing.pause(desk.scope, id_, NOW + 2 * MINUTE)
    changing.resume(desk.scope, id_, NOW + 3 * MINUTE)
    assert GOING not in weights(desk, id_), "the end of a pause is not that of the education's"
    changing.resume(desk.scope, id_, NOW + 4 * MINUTE)
    assert GOING in weights(desk, id_)
    assert desk.enrollment(id_).education_paused_at is None


@pytest.mark.parametrize(
    "again",
    [
        {"session": "2026-12-16T09:00", "name": "Ada Lopez"},
        {"session": "2026-12-16T09:00", "email": "other@example.com", "name": "A. Lopez"},
        {"session": "2026-12-16T09:00", "phone": "+1 212 555 0177", "schedule": "other"},
    ],
    ids=["both addresses", "the phone", "the mailbox"],
)
def test_who_is_enrolled_anew_while_their_crisis_is_open_gets_no_education_until_staff_resume(
    engine: Engine, tmp_path: Path, again: dict[str, Any]
) -> None:
    (tmp_path / "schedules").mkdir()
    own = (built_in() / "schedules" / "ketamine-first-session.yaml").read_text(encoding="utf-8")
    own = own.replace("schedule: ketamine-first-session", "schedule: other")
    (tmp_path / "schedules" / "other.yaml").write_text(own, encoding="utf-8")
    desk = Desk(engine, content=content_dir(tmp_path))
    case = write(desk, desk.enroll().enrollment_id)
    new = desk.enroll(**again, now=NOW + MINUTE).enrollment_id
    other = desk.enroll(2, now=NOW + MINUTE).enrollment_id
    assert desk.enrollment(new).education_paused_at == NOW + MINUTE
    assert HELD in weights(desk, new)
    assert GOING not in weights(desk, new)
    assert desk.stands(new)["welcome/sms"] == "scheduled"
    assert HELD not in weights(desk, other)
    assert task(desk, case).note == (
        f"2026-12-01 10:01 Drip: Education of enrollment {new} is on hold too, "
        f"until `drip resume {new}`."
    )
    changing.resume(desk.scope, new, NOW + 2 * MINUTE)
    assert GOING in weights(desk, new)


def test_who_is_enrolled_after_the_case_was_closed_gets_education(desk: Desk) -> None:
    case = write(desk, desk.enroll().enrollment_id)
    finish_task(desk.scope, case, "mary", "Is safe.", NOW)
    new = desk.enroll(name="Ada Lopez", session="2026-12-16T09:00").enrollment_id
    assert HELD not in weights(desk, new)


def test_a_new_phone_whose_crisis_is_open_holds_the_education(desk: Desk) -> None:
    id_ = desk.enroll(phone="").enrollment_id
    case = write(desk)
    assert HELD not in weights(desk, id_)
    desk.enroll(now=NOW + MINUTE)
    assert HELD in weights(desk, id_)
    assert GOING not in weights(desk, id_)
    assert f"enrollment {id_}" in (task(desk, case).note or "")


def test_staff_resume_the_education(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    before = weights(desk, id_)[GOING]
    task_id = write(desk, id_)
    ack_task(desk.scope, task_id, "mary", NOW)
    finish_task(desk.scope, task_id, "mary", None, NOW)
    assert weights(desk, id_)[HELD] == before, "closing the case is not a resume"
    changing.resume(desk.scope, id_, NOW)
    assert weights(desk, id_)[GOING] == before
    with pytest.raises(NotAllowed, match="is not paused"):
        changing.resume(desk.scope, id_, NOW)


def test_education_that_was_claimed_already_is_held_too(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    due_at = desk.row(id_, "what-is-ketamine", "email").due_at
    desk.run_until(due_at - MINUTE)
    claim = desk.sender.claim(due_at)
    assert claim.ids
    write(desk, id_, now=due_at)
    prepared = desk.sender.prepare(claim, due_at)
    assert prepared.going == []
    assert desk.row(id_, "what-is-ketamine", "email").reason is Reason.CRISIS


def test_education_that_comes_back_from_a_provider_is_held(desk: Desk) -> None:
    """It was being handed over when the text came, so that it was not held; nobody took it."""
    id_ = desk.enroll().enrollment_id
    due_at = desk.row(id_, "what-is-ketamine", "email").due_at
    desk.run_until(due_at - MINUTE)
    desk.email.answer = lambda _, __: Retry("451")
    prepared = desk.sender.prepare(desk.sender.claim(due_at), due_at)
    answered = desk.sender.hand_over(prepared.going, due_at)
    write(desk, id_, now=due_at)
    desk.sender.record(answered, due_at)
    assert desk.row(id_, "what-is-ketamine", "email").reason is Reason.RETRYING
    desk.send_all(due_at + 2 * MINUTE)
    assert desk.row(id_, "what-is-ketamine", "email").reason is Reason.CRISIS


def test_a_paused_enrollment_stays_paused(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    changing.pause(desk.scope, id_, NOW)
    before = weights(desk, id_)
    write(desk, id_)
    assert weights(desk, id_) == before
    changing.resume(desk.scope, id_, NOW + MINUTE)
    assert HELD in weights(desk, id_), "the pause has ended, and the crisis is open"
    changing.resume(desk.scope, id_, NOW + 2 * MINUTE)
    assert GOING in weights(desk, id_)


def test_a_cancelled_enrollment_is_left_alone(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    changing.cancel(desk.scope, id_, NOW)
    write(desk, id_)
    assert desk.enrollment(id_).education_paused_at is None
    with pytest.raises(NotAllowed, match="cancelled already"):
        changing.resume(desk.scope, id_, NOW)


# --- What staff do ------------------------------------------------------------------------------


def test_who_takes_a_case_first_has_it(desk: Desk) -> None:
    task_id = write(desk)
    taken = ack_task(desk.scope, task_id, "mary", NOW + MINUTE)
    assert (taken.task.acked_at, taken.task.acked_by) == (NOW + MINUTE, "mary")
    assert taken.as_json(desk.clinic.zone)["acked_by"] == "mary"
    with pytest.raises(NotAllowed, match=f"Task {task_id} was taken already by mary"):
        ack_task(desk.scope, task_id, "john", NOW + 2 * MINUTE)
    finish_task(desk.scope, task_id, "mary", None, NOW + 3 * MINUTE)
    with pytest.raises(NotAllowed, match="was done already"):
        ack_task(desk.scope, task_id, "john", NOW + 4 * MINUTE)
    with pytest.raises(NotFound, match="There is no task 999"):
        ack_task(desk.scope, 999, "john", NOW)


def test_notes_are_kept_in_order_also_when_it_is_done(desk: Desk) -> None:
    task_id = write(desk)
    note_task(desk.scope, task_id, "mary", "No answer.", NOW)
    note_task(desk.scope, task_id, "john", "Her sister is with her.", NOW + 5 * MINUTE)
    finish_task(desk.scope, task_id, "john", "Is safe.", NOW + 6 * MINUTE)
    noted = note_task(desk.scope, task_id, "mary", "Called again.", NOW + 7 * MINUTE).task.note
    assert noted is not None
    assert noted.splitlines() == [
        "2026-12-01 10:00 mary: No answer.",
        "2026-12-01 10:05 john: Her sister is with her.",
        "Is safe.",
        "2026-12-01 10:07 mary: Called again.",
    ]
    with pytest.raises(NotFound):
        note_task(desk.scope, 999, "mary", "Nothing.", NOW)


def test_the_tasks_of_another_clinic_are_not_to_be_taken(desk: Desk) -> None:
    other = Desk(desk.engine, replace(desk.clinic, key="lake"))
    task_id = write(desk)
    with pytest.raises(NotFound):
        ack_task(other.scope, task_id, "mary", NOW)
    with pytest.raises(NotFound):
        note_task(other.scope, task_id, "mary", "x", NOW)
    assert task(desk, task_id).acked_at is None
    assert task(desk, task_id).note is None
    assert scope_of(desk.engine, desk.content, desk.scope.clinic_id).clinic.on_call == ON_CALL
