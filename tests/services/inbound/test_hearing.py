"""A text that somebody sends is kept, understood, and followed by what it asks for."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from drip.content.clinic_file import profile_of
from drip.content.sources import content_dir
from drip.core.replies import ReplyClass
from drip.services.bookings.changing import cancel, reschedule
from drip.services.inbound.hearing import hear
from drip.store import clinics
from drip.store.engine import writing
from drip.store.schema import Answer, Consent, Reply, Task
from tests.services.desk import DAY, HOUR, MINUTE, NOW, Desk, at
from tests.services.ear import OURS, PHONE, STRANGER, Ear, hearing_clinic, hearing_desk

CALL = "(212) 555-0100"
BEFORE_VISIT = at("2026-12-14 12:00")


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    yield from hearing_desk(engine)


@pytest.fixture
def ear(desk: Desk) -> Ear:
    return Ear(desk)


# --- Kept ---------------------------------------------------------------------------------------


def test_a_reply_is_kept_as_it_came_with_how_it_was_understood(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    reply = ear.hears("  Stop!! 🛑 ")
    assert (reply.address, reply.sender, reply.body) == (PHONE, OURS, "  Stop!! 🛑 ")
    assert (reply.reply_class, reply.stop, reply.language) == (ReplyClass.STOP, True, "en")
    assert (reply.received_at, reply.media, reply.clinic_id) == (NOW, 0, desk.scope.clinic_id)


@pytest.mark.parametrize("body", ["STOP", "C", "RIDE", "I want to die", "can I eat?", "START"])
def test_the_same_text_a_second_time_changes_nothing_at_all(
    desk: Desk, ear: Ear, body: str
) -> None:
    desk.enroll()
    text = ear.text(body)
    ear.hears_text(text)
    before = [desk.count_of(table) for table in (Reply, Answer, Task, Consent)]
    hear(desk.engine, desk.content, text, NOW + DAY)
    assert [desk.count_of(table) for table in (Reply, Answer, Task, Consent)] == before


@pytest.mark.parametrize("body", ["", "   ", "\x00", "a\x00b", "\ud83d", "🙏" * 800, "\n\t"])
def test_any_body_at_all_is_kept_and_read_by_a_person(desk: Desk, ear: Ear, body: str) -> None:
    desk.enroll()
    reply = ear.hears(body)
    (task,) = desk.tasks()
    assert (task.kind, task.urgent, reply.task_id) == ("reply", False, task.id)
    assert ear.said() == ["received"]


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "\x00" * 9000},
        {"address": "+1" + "2" * 9000},
        {"sender": "\udc00" * 9000},
        {"media": 10**12},
        {"media": -1},
    ],
)
def test_no_field_is_too_odd_to_be_kept(desk: Desk, ear: Ear, fields: dict[str, Any]) -> None:
    desk.enroll()
    reply = ear.hears("hello", **fields)
    assert reply.task_id is not None
    assert len(reply.address) <= 100
    assert 0 <= reply.media <= 100


# --- Stop and start -----------------------------------------------------------------------------


def test_a_stop_ends_the_texts_with_one_confirmation(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears("Please stop texting me")
    assert ear.suppressed() == "stop"
    assert desk.stands(id_)["day-of/sms"] == "cancelled stopped"
    assert desk.stands(id_)["day-before/email"] == "scheduled"
    (answer,) = ear.answers()
    assert (answer.kind, answer.address, answer.sender) == ("stop", PHONE, OURS)
    assert "stopped our texts" in answer.body
    assert CALL in answer.body
    assert "visit" not in answer.body
    assert len(desk.tasks("call_patient")) == 1


def test_a_second_stop_is_not_confirmed_again(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    for _ in range(3):
        ear.hears("STOP")
    assert ear.said() == ["stop"]


def test_where_the_carrier_answers_a_stop_we_do_not_answer_too(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears("STOP", opted="STOP")
    assert ear.suppressed() == "stop"
    assert ear.said() == []


def test_a_stop_that_only_the_carrier_understood_counts(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    reply = ear.hears("arrêt", opted="STOP")
    assert (reply.reply_class, reply.stop) == (ReplyClass.STOP, True)
    assert ear.suppressed() == "stop"


@pytest.mark.parametrize(("body", "language"), [("CANCEL", "en"), ("cancelar", "es")])
def test_who_texts_cancel_is_told_that_the_visit_stands(
    desk: Desk, ear: Ear, body: str, language: str
) -> None:
    desk.enroll(language=language)
    reply = ear.hears(body)
    assert ear.said() == ["stop"]
    told = "does not cancel your visit" if language == "en" else "no cancela su cita"
    assert told in ear.last()
    assert CALL in ear.last()
    tasks = [task for task in desk.tasks("call_patient") if "canceled too?" in task.says]
    assert [task.id for task in tasks] == [reply.task_id]
    assert tasks[0].urgent


def test_who_texts_cancel_to_the_carrier_opens_the_task_all_the_same(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears("CANCEL", opted="STOP")
    assert ear.said() == []
    assert any("canceled too?" in task.says for task in desk.tasks("call_patient"))


def test_a_wrong_number_is_marked_and_staff_mend_it(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    reply = ear.hears("Sorry, wrong number")
    assert ear.suppressed() == "wrong_number"
    (task,) = desk.tasks("fix_address")
    assert (task.enrollment_id, reply.task_id) == (id_, task.id)
    assert ear.said() == ["stop"]
    assert "sorry" in ear.last()
    assert "Clinic" not in ear.last()
    ear.hears("START")
    assert ear.suppressed() == "wrong_number"


def test_a_start_lifts_the_stop_and_is_confirmed(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears("STOP")
    ear.hears("start", now=NOW + HOUR)
    assert ear.suppressed() is None
    assert desk.stands(id_)["day-of/sms"] == "scheduled"
    assert ear.said() == ["stop", "start"]


def test_where_the_carrier_answers_a_start_we_trust_it_and_say_nothing(
    desk: Desk, ear: Ear
) -> None:
    desk.enroll()
    ear.hears("STOP", opted="STOP")
    ear.hears("YES", opted="START")
    assert ear.suppressed() is None
    assert ear.said() == []


def test_a_bare_yes_is_for_a_person(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears("STOP")
    ear.hears("yes")
    assert ear.suppressed() == "stop"
    assert len(desk.tasks("reply")) == 1
    assert ear.said() == ["stop"]


def test_nothing_is_answered_to_a_stopped_phone_and_staff_are_told(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears("STOP")
    for body in ("HELP", "C", "RIDE", "can I eat?", "running late"):
        ear.hears(body)
    assert ear.said() == ["stop"]
    assert {task.kind for task in desk.tasks()} >= {"reply", "late"}


# --- Help ---------------------------------------------------------------------------------------


def test_help_says_who_we_are_what_this_is_whom_to_call_and_how_to_stop(
    desk: Desk, ear: Ear
) -> None:
    desk.enroll()
    ear.hears("HELP")
    for said in ("River Clinic", "texts about your visit", CALL, "STOP", "911", "988"):
        assert said in ear.last()
    assert desk.tasks() == []


def test_where_the_carrier_answers_help_we_do_not(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears("HELP", opted="HELP")
    assert ear.said() == []


# --- Confirmed, a ride --------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["C", "1", "c!", "Confirmed 👍"])
def test_a_confirmation_counts_for_the_next_visit_and_is_thanked_for(
    desk: Desk, ear: Ear, body: str
) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears(body, now=BEFORE_VISIT)
    assert desk.enrollment(id_).confirmed_at == BEFORE_VISIT
    assert ear.said() == ["confirmed"]
    assert "tomorrow, Tuesday, December 15 at 9:00 AM" in ear.last()
    assert desk.tasks() == []


def test_a_visit_is_named_on_the_clinics_clock_with_its_zone_to_who_lives_elsewhere(
    desk: Desk, ear: Ear
) -> None:
    desk.enroll(timezone="America/Los_Angeles", language="es")
    ear.hears("C")
    assert "a las 9:00 a. m. (hora oriental)" in ear.last()


def test_a_ride_is_noted_and_thanked_for(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears("RIDE")
    assert desk.enrollment(id_).ride_arranged_at == NOW
    assert ear.said() == ["ride"]
    assert "Tuesday, December 15" in ear.last()


@pytest.mark.parametrize(
    "body",
    ["my ride cancelled", "No ride", "ya no tengo quien me lleve", "my driver can't make it"],
)
def test_a_ride_that_is_lost_is_not_noted_any_more(desk: Desk, ear: Ear, body: str) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears("RIDE")
    ear.hears(body, now=NOW + HOUR)
    assert desk.enrollment(id_).ride_arranged_at is None
    ear.hears("RIDE", now=NOW + 2 * HOUR)
    assert desk.enrollment(id_).ride_arranged_at == NOW + 2 * HOUR


@pytest.mark.parametrize("body", ["what if my ride cancels?", "do I need a ride?", "can I eat?"])
def test_a_question_about_the_ride_leaves_it_noted(desk: Desk, ear: Ear, body: str) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears("RIDE")
    ear.hears(body, now=NOW + HOUR)
    assert desk.enrollment(id_).ride_arranged_at == NOW
    assert [task.kind for task in desk.tasks()] == ["reply"]


@pytest.mark.parametrize("first", ["RIDE", "C"], ids=["noted before", "never noted"])
@pytest.mark.parametrize(
    ("now", "urgent"), [(NOW + HOUR, False), (BEFORE_VISIT, True)], ids=["weeks ahead", "near"]
)
def test_staff_call_who_has_lost_the_ride_at_once_when_the_visit_is_near(
    desk: Desk, ear: Ear, first: str, now: datetime, *, urgent: bool
) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears(first)
    reply = ear.hears("my ride cancelled", now=now)
    assert reply.reply_class is ReplyClass.OTHER
    (task,) = desk.tasks()
    assert (task.kind, task.urgent, task.enrollment_id) == ("no_ride", urgent, id_)
    assert task.says == "The ride home is lost: call the patient"
    assert reply.task_id == task.id


def test_what_was_confirmed_is_not_confirmed_for_another_date(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears("C")
    reschedule(desk.scope, id_, at("2026-12-22 13:00"), NOW + HOUR)
    assert desk.enrollment(id_).confirmed_at is None
    ear.hears("C", now=NOW + 2 * HOUR)
    assert desk.enrollment(id_).confirmed_at == NOW + 2 * HOUR
    assert "December 22" in ear.last()


@pytest.mark.parametrize("body", ["C", "RIDE"])
def test_nothing_is_noted_of_a_visit_that_is_past(desk: Desk, ear: Ear, body: str) -> None:
    id_ = desk.enroll().enrollment_id
    ear.hears(body, now=at("2026-12-15 09:01"))
    enrollment = desk.enrollment(id_)
    assert enrollment.confirmed_at is enrollment.ride_arranged_at is None
    (task,) = desk.tasks("reply")
    assert "there is no visit to come" in task.says
    assert ear.said() == ["received"]
    assert "could not tell which visit" in ear.last()


def test_nothing_is_noted_of_a_visit_that_is_cancelled(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    cancel(desk.scope, id_, NOW)
    ear.hears("C")
    assert desk.enrollment(id_).confirmed_at is None
    assert len(desk.tasks("reply")) == 1


# --- Two patients on a phone --------------------------------------------------------------------


def test_a_stop_is_for_all_who_have_the_phone(desk: Desk, ear: Ear) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    ear.hears("STOP")
    for id_ in (ann, bob):
        assert desk.stands(id_)["day-of/sms"] == "cancelled stopped"
    assert ear.said() == ["stop"]


def test_a_confirmation_counts_for_who_alone_has_a_visit_to_come(desk: Desk, ear: Ear) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com", language="es").enrollment_id
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    cancel(desk.scope, bob, NOW)
    ear.hears("C")
    assert desk.enrollment(ann).confirmed_at == NOW
    assert desk.enrollment(bob).confirmed_at is None
    assert "Le esperamos" in ear.last()


def test_a_person_finds_out_which_of_two_visits_is_meant(desk: Desk, ear: Ear) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    ear.hears("C")
    assert desk.enrollment(ann).confirmed_at is desk.enrollment(bob).confirmed_at is None
    (task,) = desk.tasks("reply")
    assert f"enrollments {ann}, {bob}" in task.says
    assert task.patient_id is None
    assert "Ann" not in task.says
    assert ear.said() == ["received"]


def test_nobodys_ride_is_lost_while_it_is_not_clear_whose(desk: Desk, ear: Ear) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    ear.hears("RIDE")
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    ear.hears("my ride cancelled", now=NOW + HOUR)
    assert desk.enrollment(ann).ride_arranged_at == NOW
    (task,) = desk.tasks("no_ride")
    assert f"enrollments {ann}, {bob}" in task.says


def test_who_comes_for_a_second_course_is_one_patient(desk: Desk, ear: Ear) -> None:
    first = desk.enroll().enrollment_id
    later = at("2027-02-01 10:00")
    second = desk.enroll(now=later, session="2027-02-20T09:00").enrollment_id
    ear.hears("C", now=later)
    assert desk.enrollment(first).confirmed_at is None
    assert desk.enrollment(second).confirmed_at == later
    ear.hears("can I eat?", now=later)
    (task,) = desk.tasks("reply")
    assert (task.enrollment_id, task.patient_id) == (second, desk.patient(second).id)
    assert task.says == "Read the reply of the patient"


# --- To a person --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"), [("I'm running late", "late"), ("can we reschedule?", "reschedule")]
)
@pytest.mark.parametrize(
    ("now", "urgent"),
    [(NOW, False), (BEFORE_VISIT, True), (at("2026-12-15 09:20"), True)],
    ids=["weeks ahead", "the day before", "after it began"],
)
def test_who_is_late_or_wants_another_time_is_a_task_that_is_urgent_when_the_visit_is_near(
    desk: Desk, ear: Ear, body: str, kind: str, now: datetime, *, urgent: bool
) -> None:
    id_ = desk.enroll().enrollment_id
    reply = ear.hears(body, now=now)
    (task,) = desk.tasks()
    assert (task.kind, task.urgent, task.enrollment_id) == (kind, urgent, id_)
    assert reply.task_id == task.id
    assert ear.said() == ["received"]


def test_a_task_becomes_urgent_as_the_visit_comes_near(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears("can we reschedule?")
    ear.hears("can we reschedule?", now=BEFORE_VISIT)
    (task,) = desk.tasks()
    assert task.urgent


def test_one_task_collects_what_an_address_says_until_it_is_done(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    desk.enroll(2)
    kept = [ear.hears(body) for body in ("can I eat?", "and coffee?", "hello?")]
    other = ear.hears("can I eat?", "+12125550102")
    assert len({reply.task_id for reply in kept}) == 1
    assert other.task_id != kept[0].task_id
    with writing(desk.engine) as session:
        task = session.get(Task, kept[0].task_id)
        assert task is not None
        task.status = "done"
    assert ear.hears("thanks, and water?").task_id not in (kept[0].task_id, other.task_id)


def test_an_address_is_told_once_in_twelve_hours_that_a_person_will_read_it(
    desk: Desk, ear: Ear
) -> None:
    desk.enroll()
    for after in (0 * HOUR, MINUTE, 11 * HOUR):
        ear.hears("can I eat?", now=NOW + after)
    ear.hears("running late", now=NOW + 11 * HOUR)
    assert ear.said() == ["received"]
    assert "Someone on our team will read this" in ear.last()
    assert CALL in ear.last()
    ear.hears("can I eat?", now=NOW + 12 * HOUR)
    assert ear.said() == ["received", "received"]


def test_pictures_are_for_a_person_and_the_task_counts_them(desk: Desk, ear: Ear) -> None:
    id_ = desk.enroll().enrollment_id
    reply = ear.hears("C", media=1)
    assert reply.media == 1
    assert desk.enrollment(id_).confirmed_at is None
    assert "A picture came with it" in desk.tasks("reply")[0].says
    ear.hears("", media=2)
    (task,) = desk.tasks("reply")
    assert "3 pictures" in task.says


def test_a_stop_with_a_picture_is_a_stop(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    ear.hears("STOP", media=1)
    assert ear.suppressed() == "stop"


def test_no_task_says_what_the_patient_wrote_or_who_it_is(desk: Desk, ear: Ear) -> None:
    desk.enroll(name="Ada Lopez")
    for body in ("my zebra is ill", "late because of a zebra", "wrong number, zebra"):
        ear.hears(body)
    said = " ".join(task.says for task in desk.tasks())
    for word in ("zebra", "Ada", "Lopez", PHONE):
        assert word not in said


# --- A clinic that does not hear replies --------------------------------------------------------


def test_who_writes_to_a_clinic_that_reads_no_replies_is_told_to_call(engine: Engine) -> None:
    desk = Desk(engine, replace(hearing_clinic(), hears_replies=False))
    ear = Ear(desk)
    id_ = desk.enroll().enrollment_id
    for body in ("C", "RIDE", "can I eat?", "running late"):
        ear.hears(body)
    assert desk.enrollment(id_).confirmed_at is None
    assert ear.said() == ["received"]
    assert "cannot read replies" in ear.last()
    assert {task.kind for task in desk.tasks()} == {"reply", "late"}


def test_a_clinic_that_reads_no_replies_hears_stop_start_help_and_crisis(engine: Engine) -> None:
    desk = Desk(engine, replace(hearing_clinic(), hears_replies=False))
    ear = Ear(desk)
    desk.enroll()
    for body in ("HELP", "STOP", "START", "I want to die"):
        ear.hears(body)
    assert ear.said() == ["help", "stop", "start", "crisis"]


# --- Unknown numbers ----------------------------------------------------------------------------


def test_a_stranger_is_answered_to_help_and_stop(desk: Desk, ear: Ear) -> None:
    ear.hears("HELP", STRANGER)
    assert "do not know this number" in ear.last()
    ear.hears("ALTO", STRANGER)
    assert ear.last().startswith("River Clinic: ya no le")
    assert ear.suppressed(STRANGER) == "stop"
    assert ear.said() == ["help", "stop"]
    assert desk.tasks() == []


@pytest.mark.parametrize("body", ["C", "RIDE", "who is this?", "running late", "START", ""])
def test_anything_else_of_a_stranger_is_a_task_without_a_patient(
    desk: Desk, ear: Ear, body: str
) -> None:
    ear.hears(body, STRANGER)
    (task,) = desk.tasks()
    assert (task.kind, task.patient_id, task.urgent) == ("reply", None, False)
    assert "no patient" in task.says
    assert ear.said() == []


@pytest.mark.parametrize("address", ["22395", "T-Mobile", "", "whatsapp:+12125550101", "+1"])
def test_what_is_no_phone_is_never_answered(desk: Desk, ear: Ear, address: str) -> None:
    for body in ("HELP", "STOP", "hello", "I want to die"):
        ear.hears(body, address)
    assert ear.said() == []


def test_a_stranger_who_says_wrong_number_gives_staff_nothing_to_do(desk: Desk, ear: Ear) -> None:
    ear.hears("wrong number", STRANGER)
    assert ear.suppressed(STRANGER) == "wrong_number"
    assert ear.said() == ["stop"]
    assert desk.tasks() == []


# --- Several clinics ----------------------------------------------------------------------------


def _another(desk: Desk, key: str, number: str | None = None) -> Desk:
    clinic = replace(desk.clinic, key=key, public_name=key.title())
    clinic = replace(clinic, texts=replace(clinic.texts, sender=number))
    return Desk(desk.engine, clinic)


def test_a_reply_is_the_clinics_whose_own_number_received_it(desk: Desk, ear: Ear) -> None:
    own = "+12125550177"
    lake = _another(desk, "lake", own)
    desk.enroll()
    lake.enroll()
    assert ear.hears("C", sender=own).clinic_id == lake.scope.clinic_id
    assert ear.last().startswith("Lake:")
    ear.hears("STOP", sender=own)
    ear.hears("HELP", sender=own, address=STRANGER)
    assert ear.last().startswith("Lake:")
    assert desk.stands(1)["day-of/sms"] == "scheduled"
    assert lake.tasks("call_patient")
    assert desk.tasks() == []


def test_a_reply_to_a_shared_number_is_the_clinics_that_has_the_patient(
    desk: Desk, ear: Ear
) -> None:
    lake = _another(desk, "lake")
    lake.enroll()
    assert ear.hears("C").clinic_id == lake.scope.clinic_id
    assert ear.hears("hello", STRANGER).clinic_id == desk.scope.clinic_id


def test_of_two_clinics_with_the_patient_it_is_the_one_that_messaged_last(
    desk: Desk, ear: Ear
) -> None:
    lake = _another(desk, "lake")
    desk.enroll()
    lake.enroll(now=NOW + HOUR)
    desk.send_all(NOW)
    assert ear.hears("can I eat?", now=NOW + MINUTE).clinic_id == desk.scope.clinic_id
    lake.send_all(NOW + HOUR)
    assert ear.hears("can I eat?", now=NOW + 2 * HOUR).clinic_id == lake.scope.clinic_id


def test_a_stop_to_a_shared_number_stops_the_texts_of_every_clinic_on_it(
    desk: Desk, ear: Ear
) -> None:
    lake, pond = _another(desk, "lake"), _another(desk, "pond", "+12125550177")
    ids = [each.enroll().enrollment_id for each in (desk, lake, pond)]
    ear.hears("STOP")
    stands = [desk.stands(id_)["day-of/sms"] for id_ in ids]
    assert stands == ["cancelled stopped", "cancelled stopped", "scheduled"]
    assert ear.said() == ["stop"]
    ear.hears("START", now=NOW + HOUR)
    assert [desk.stands(id_)["day-of/sms"] for id_ in ids] == ["scheduled"] * 3


# --- Words --------------------------------------------------------------------------------------


def test_a_patient_is_answered_in_the_patients_language(desk: Desk, ear: Ear) -> None:
    desk.enroll(language="es")
    ear.hears("stop")
    assert "ya no le mandaremos mensajes" in ear.last()


def test_a_broken_word_of_ours_loses_no_reply_and_staff_answer_it(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    profile = profile_of(replace(desk.clinic, country="FR"))
    with writing(desk.engine) as session:
        clinics.upsert(session, desk.clinic.key, profile, NOW)
    ear.hears("STOP")
    assert ear.suppressed() == "stop"
    assert ear.said() == []
    (task,) = desk.tasks("broken_answer")
    assert task.urgent


def test_rules_that_a_clinic_broke_lose_no_cry_for_help(
    desk: Desk, ear: Ear, tmp_path: Path
) -> None:
    own = tmp_path / "messages" / "_replies"
    own.mkdir(parents=True)
    (own / "en.yaml").write_text("crisis: [")
    desk.content = content_dir(tmp_path)
    desk.enroll()
    assert ear.hears("I want to die").reply_class == ReplyClass.CRISIS
    assert ear.hears("stop").stop
    assert len(desk.tasks("crisis")) == 1


@pytest.mark.parametrize("body", ["C", "RIDE", "can I eat?", "STOP", "STOP I have moved"])
def test_what_a_number_says_that_was_changed_does_nothing_for_who_had_it(
    desk: Desk, ear: Ear, body: str
) -> None:
    id_ = desk.enroll(ref="A1").enrollment_id
    desk.send_all(NOW)
    desk.enroll(1, NOW + MINUTE, ref="A1", phone="+1 212 555 0143")
    before = desk.stands(id_)
    ear.hears(body, now=NOW + HOUR)
    enrollment = desk.enrollment(id_)
    assert (enrollment.confirmed_at, enrollment.ride_arranged_at) == (None, None)
    assert desk.stands(id_) == before
    said = [task.says for task in desk.tasks("reply")]
    if "STOP" not in body:
        was = "a number that was that of a patient (enrollment 1) until it was changed"
        assert said == [f"Read the reply of {was}"]
        assert (desk.tasks("reply")[0].patient_id, ear.answers()) == (None, [])
