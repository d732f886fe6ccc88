"""Words of crisis: answered at once, brought to a person, and nothing else gets in between."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from drip.content.clinic_file import profile_of
from drip.core.outgoing import SmsContent
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel
from drip.services.answers import answering
from drip.services.consent.stopping import stop_address
from drip.services.inbound.whose import LOOKED_BACK
from drip.services.staff.conversation import open_task_file
from drip.services.staff.tasks import ack_task, note_task
from drip.store import clinics
from drip.store.engine import reading, writing
from drip.store.schema import Task
from tests.services.desk import HOUR, MINUTE, NOW, Desk, at
from tests.services.ear import OURS, PHONE, STRANGER, Ear, hearing_desk

CRISIS = "I don't want to live anymore"
BOTH = "I want to die. stop texting me"
LINES = ("not watched live", "911", "nearest emergency room", "988", "838255", "(212) 555-0100")
NIGHT = at("2026-12-02 03:10")


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    yield from hearing_desk(engine)


@pytest.fixture
def ear(desk: Desk) -> Ear:
    return Ear(desk)


def _case(desk: Desk) -> Task:
    (task,) = desk.tasks("crisis")
    return task


def test_words_of_crisis_are_answered_at_once_with_all_that_helps(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    reply = ear.hears(CRISIS, now=NIGHT)
    (answer,) = ear.answers()
    assert (answer.kind, answer.due_at, answer.sender) == ("crisis", NIGHT, OURS)
    for said in LINES:
        assert said in answer.body
    task = _case(desk)
    assert task.urgent
    assert (reply.task_id, answer.task_id, answer.reply_id) == (task.id, task.id, reply.id)
    assert desk.enrollment(id_).education_paused_at == NIGHT
    assert ear.suppressed() is None


def test_who_writes_in_spanish_is_told_how_to_reach_spanish_lines(desk: Desk, ear: Ear) -> None:
    desk.enroll(language="es")
    ear.hears("ya no quiero vivir")
    for said in ("911", "sala de emergencias", "988 y oprima 2", "AYUDA al 988", "838255"):
        assert said in ear.last()


def test_the_words_of_the_patient_stand_nowhere_but_in_the_reply(desk: Desk, ear: Ear) -> None:
    desk.enroll(name="Ada Lopez")
    ear.hears("I want to die and take my zebra with me")
    said = [task.says for task in desk.tasks()]
    said += [f"{each.subject} {each.body}" for each in ear.answers("crisis", "alert")]
    for word in ("zebra", "die", "Ada", "Lopez"):
        assert word not in " ".join(said)


def test_a_crisis_of_who_has_a_shared_phone_concerns_all_who_have_it(desk: Desk, ear: Ear) -> None:
    ids = [
        desk.enroll(1, name=name, email=email).enrollment_id
        for name, email in (("Ann Lee", "ann@example.com"), ("Bob Lee", "bob@example.com"))
    ]
    ear.hears(CRISIS)
    assert [desk.enrollment(id_).education_paused_at for id_ in ids] == [NOW, NOW]
    assert ear.said() == ["crisis"]


def test_a_crisis_after_the_session_is_one_too(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    night = at("2026-12-15 22:00")
    ear.hears(CRISIS, now=night)
    assert desk.enrollment(id_).education_paused_at == night
    assert _case(desk).urgent


def test_crisis_and_stop_in_one_text_get_one_answer_that_says_both(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    reply = ear.hears(BOTH)
    assert (reply.reply_class, reply.stop) == (ReplyClass.CRISIS, True)
    assert ear.said() == ["crisis_stop"]
    assert "our texts have stopped" in ear.last()
    for said in LINES:
        assert said in ear.last()
    assert ear.suppressed() == "stop"
    assert desk.stands(id_)["day-of/sms"] == "cancelled stopped"
    assert reply.task_id == _case(desk).id
    assert "only a call is left" in _case(desk).says


def test_where_the_carrier_blocked_the_texts_there_is_the_task_alone(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears(BOTH, opted="STOP")
    assert ear.said() == []
    assert _case(desk).urgent
    assert ear.suppressed() == "stop"


def test_who_stopped_before_gets_no_text_and_staff_must_phone(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    stop_address(desk.scope, Channel.SMS, PHONE, "verbal", "desk", NOW)
    ear.hears(CRISIS, now=NOW + HOUR)
    assert ear.said() == []
    assert "No answer could be sent" in _case(desk).says


@pytest.mark.parametrize(
    "body", ["C", "RIDE", "START", "HELP", "running late", "can I eat?", "", "are you there?"]
)
def test_while_a_crisis_is_open_every_reply_joins_it_and_does_nothing_else(
    desk: Desk, ear: Ear, body: str
) -> None:
    id_ = desk.enroll().enrollment_id
    first = ear.hears(CRISIS)
    reply = ear.hears(body, now=NOW + MINUTE)
    assert reply.task_id == first.task_id
    assert [task.kind for task in desk.tasks()] == ["crisis"]
    enrollment = desk.enrollment(id_)
    assert enrollment.confirmed_at is enrollment.ride_arranged_at is None
    assert ear.said() == ["crisis"]


def test_a_stop_works_while_a_crisis_is_open_and_its_answer_says_who_helps(
    desk: Desk, ear: Ear
) -> None:
    desk.enroll()
    first = ear.hears(CRISIS)
    reply = ear.hears("STOP", now=NOW + MINUTE)
    assert ear.suppressed() == "stop"
    assert reply.task_id == first.task_id
    assert ear.said() == ["crisis", "crisis_stop"]
    assert "988" in ear.last()
    ear.hears("STOP", now=NOW + 2 * MINUTE)
    assert ear.said() == ["crisis", "crisis_stop"]


@pytest.mark.parametrize("bodies", [[CRISIS, "STOP"], [CRISIS, "CANCEL"], [BOTH]])
@pytest.mark.parametrize("email", ["ada@example.com", ""], ids=["texts and emails", "texts alone"])
def test_who_stops_in_a_crisis_is_one_case_that_says_all_there_is_to_call_about(
    desk: Desk, ear: Ear, bodies: list[str], email: str
) -> None:
    desk.enroll(email=email, consent="sms,email" if email else "sms")
    replies = [ear.hears(body, now=NOW + n * 10 * MINUTE) for n, body in enumerate(bodies)]
    case = _case(desk)
    assert [task.id for task in desk.tasks() if task.urgent] == [case.id]
    assert {reply.task_id for reply in replies} == {case.id}
    assert "only a call is left" in case.says
    assert "day-of" in (case.note or "")
    assert ("is the visit to be canceled too?" in (case.note or "")) == ("CANCEL" in bodies)
    alerts = {answer.created_at for answer in ear.answers("alert")}
    assert alerts == {NOW + n * 10 * MINUTE for n, _ in enumerate(bodies)}
    with reading(desk.engine) as session:
        joined = session.query(Task).filter_by(kind="call_patient", status="done").all()
    assert (case.note or "").count("the patient stopped these messages") <= 1
    assert {task.note for task in joined} == {f"It is part of task {case.id} now."}
    assert all(task.says in (case.note or "") for task in joined)


def test_who_has_taken_the_case_reads_of_the_stop_in_it(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears(CRISIS)
    ack_task(desk.scope, _case(desk).id, "mary", NOW)
    note_task(desk.scope, _case(desk).id, "mary", "No answer.", NOW + MINUTE)
    ear.hears("STOP", now=NOW + 2 * MINUTE)
    ear.hears("STOP", now=NOW + 3 * MINUTE)
    case = _case(desk)
    assert case.acked_by == "mary"
    assert case.says.count("only a call is left") == 1
    first, second = (case.note or "").splitlines()
    assert first == "2026-12-01 10:01 mary: No answer."
    assert second.startswith("2026-12-01 10:02 Drip: Call the patient, who stopped texts: ")


def test_a_stop_without_a_crisis_stays_a_task_of_its_own(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears("STOP")
    (task,) = desk.tasks("call_patient")
    assert task.note is None


def test_words_of_crisis_again_are_answered_again_after_a_while(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    replies = [ear.hears(CRISIS, now=NOW + after) for after in (0 * MINUTE, MINUTE, 2 * MINUTE)]
    assert ear.said() == ["crisis"]
    replies.append(ear.hears(CRISIS, now=NOW + 40 * MINUTE))
    assert ear.said() == ["crisis", "crisis"]
    assert {reply.task_id for reply in replies} == {_case(desk).id}


def test_who_writes_on_after_a_night_of_silence_is_told_again_who_helps(
    desk: Desk, ear: Ear
) -> None:
    desk.enroll()
    ear.hears(CRISIS)
    ear.hears("is anybody there", now=NOW + 13 * HOUR)
    assert ear.said() == ["crisis", "crisis"]


def test_when_the_case_is_closed_keywords_work_again(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears(CRISIS)
    with writing(desk.engine) as session:
        task = session.get(Task, _case(desk).id)
        assert task is not None
        task.status = "done"
    ear.hears("C", now=NOW + HOUR)
    assert desk.enrollment(id_).confirmed_at == NOW + HOUR


def test_a_crisis_of_a_stranger_is_answered_in_the_language_it_came_in(
    desk: Desk, ear: Ear
) -> None:
    reply = ear.hears("quiero morirme", STRANGER)
    (answer,) = ear.answers()
    assert (answer.kind, answer.address) == ("crisis", STRANGER)
    assert "Usted nos importa" in answer.body
    task = _case(desk)
    assert (task.urgent, task.patient_id, reply.task_id) == (True, None, task.id)


def test_a_crisis_opens_its_case_even_where_our_words_are_broken(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    profile = profile_of(replace(desk.clinic, country="FR"))
    with writing(desk.engine) as session:
        clinics.upsert(session, desk.clinic.key, profile, NOW)
    reply = ear.hears(CRISIS)
    assert ear.said() == []
    assert reply.task_id == _case(desk).id
    assert "No answer could be sent" in _case(desk).says
    assert len(desk.tasks("broken_answer")) == 1


@pytest.mark.parametrize(
    ("bodies", "begin"),
    [
        ([CRISIS], ["Thank you for telling us"]),
        ([BOTH], ["Thank you for telling us"]),
        (["STOP"], ["we have stopped our texts"]),
        (["STOP", CRISIS], ["we have stopped our texts"]),
        ([CRISIS, "STOP"], ["As you asked, our texts have stopped"]),
        (["HELP", "STOP"], ["we have stopped our texts"]),
    ],
    ids=["crisis", "both", "stop", "stop, then crisis", "crisis, then stop", "help, then stop"],
)
def test_what_is_handed_over_at_night_after_all_of_this_was_heard(
    desk: Desk, ear: Ear, bodies: list[str], begin: list[str]
) -> None:
    """Answers go whatever the send window; after a stop the word that texts have stopped alone."""
    desk.enroll()
    for body in bodies:
        ear.hears(body, now=NIGHT)
    providers = {Channel.SMS: desk.sms, Channel.EMAIL: desk.email}
    while answering.send_waiting(desk.engine, providers, NIGHT):
        pass
    sent = [outgoing for _, outgoing in desk.sms.sent]
    assert {(outgoing.to, outgoing.sender) for outgoing in sent} == {(PHONE, OURS)}
    assert len(sent) == len(begin)
    for outgoing, words in zip(sent, begin, strict=True):
        assert isinstance(outgoing.content, SmsContent)
        assert words in outgoing.content.body


# --- From a number that was changed -------------------------------------------------------------


def _changed(desk: Desk, *numbers: int) -> list[int]:
    """Patients who were texted at the first phone, and gave others since; gives enrollments."""
    ids = [desk.enroll(n, ref=f"A{n}", phone=PHONE).enrollment_id for n in numbers]
    desk.send_all(NOW)
    for n in numbers:
        desk.enroll(n, NOW + MINUTE, ref=f"A{n}", phone=f"+1 212 555 {140 + n:04}")
    return ids


def test_a_crisis_from_a_number_that_was_changed_is_also_about_who_had_it(
    desk: Desk, ear: Ear
) -> None:
    (id_,) = _changed(desk, 1)
    ear.hears(CRISIS, now=NOW + HOUR)
    task = _case(desk)
    assert (task.patient_id, task.enrollment_id) == (desk.patient(id_).id, id_)
    says = "The number was that of a patient (enrollment 1) until it was changed."
    assert task.says.endswith(says)
    assert desk.enrollment(id_).education_paused_at == NOW + HOUR
    assert ear.said() == ["crisis"]
    ear.hears(CRISIS, now=NOW + 2 * HOUR)
    assert _case(desk).says.count(says) == 1


def test_a_crisis_from_a_number_that_two_had_holds_the_education_of_both(
    desk: Desk, ear: Ear
) -> None:
    ids = _changed(desk, 1, 2)
    ear.hears(CRISIS, now=NOW + HOUR)
    assert "2 patients (enrollments 1, 2) until it was changed" in _case(desk).says
    assert [desk.enrollment(id_).education_paused_at for id_ in ids] == [NOW + HOUR] * 2
    file = open_task_file(desk.scope, _case(desk).id)
    assert [each.patient.id for each in file.concerned] == [1, 2]
    assert (file.wrote_from, file.phone) == (PHONE, "+12125550141")


def test_a_crisis_from_a_number_that_somebody_else_has_now_is_theirs_alone(
    desk: Desk, ear: Ear
) -> None:
    (id_,) = _changed(desk, 1)
    other = desk.enroll(5, NOW + MINUTE, phone=PHONE).enrollment_id
    ear.hears(CRISIS, now=NOW + HOUR)
    assert _case(desk).enrollment_id == other
    assert desk.enrollment(id_).education_paused_at is None


def test_after_ninety_days_a_number_is_nobodys(desk: Desk, ear: Ear) -> None:
    (id_,) = _changed(desk, 1)
    ear.hears(CRISIS, now=NOW + LOOKED_BACK + HOUR)
    assert _case(desk).patient_id is None
    assert desk.enrollment(id_).education_paused_at is None
