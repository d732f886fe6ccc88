"""Answers go out once and at once; what does not arrive, a person hears of."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from drip.core.answers import ASKED_FOR, LEASE
from drip.core.clinic import Texts
from drip.core.inbound import ReceiptWord
from drip.core.outgoing import (
    Accepted,
    EmailContent,
    NotSent,
    Rejected,
    Retry,
    Settlement,
    SmsContent,
    Unknown,
)
from drip.core.pace import LocalPace
from drip.core.schedule import Channel
from drip.services.answers.answering import receipt, say, send_waiting
from drip.store import answers, patients, tasks
from drip.store.engine import reading, writing
from drip.store.schema import Answer
from tests.services.desk import HOUR, MINUTE, NOW, Desk, at

PHONE = "+12125550101"
NIGHT = at("2026-12-01 03:00")


def said(desk: Desk, kind: str = "help", address: str = PHONE, **more: Any) -> int:
    """Something to be said; gives the answer's id."""
    given = {"channel": Channel.SMS, "body": f"About {kind}.", "now": NOW, **more}
    with writing(desk.engine) as session:
        return say(session, desk.scope.clinic_id, kind=kind, address=address, **given)


def send(desk: Desk, now: datetime = NOW, limit: int = 50) -> int:
    return send_waiting(desk.engine, desk.sender.providers, now, limit)


def answer(desk: Desk, answer_id: int) -> Answer:
    with reading(desk.engine) as session:
        found = answers.get(session, answer_id)
    assert found is not None
    return found


def stands(desk: Desk, answer_id: int) -> tuple[str, str | None]:
    found = answer(desk, answer_id)
    return found.status, found.code


def stop(desk: Desk, now: datetime = NOW, address: str = PHONE) -> None:
    with writing(desk.engine) as session:
        patients.suppress(session, desk.scope.clinic_id, Channel.SMS, address, "stop", now)


def says(desk: Desk) -> list[str]:
    return [task.says for task in desk.tasks("answer_astray")]


# --- Out ----------------------------------------------------------------------------------------


def test_an_answer_goes_out_once_at_once_and_at_night(desk: Desk) -> None:
    id_ = said(desk, now=NIGHT, sender="+12125550199")
    assert send(desk, NIGHT) == 1
    assert send(desk, NIGHT) == 0
    ((when, outgoing),) = desk.sms.sent
    assert (when, outgoing.to, outgoing.sender) == (NIGHT, PHONE, "+12125550199")
    assert (outgoing.kind, outgoing.delivery_id) == ("answer", id_)
    assert outgoing.content == SmsContent("About help.")
    assert outgoing.give_up_at == NIGHT + 12 * HOUR
    found = answer(desk, id_)
    assert (found.status, found.attempts, found.sent_at) == ("accepted", 1, NIGHT)
    assert (found.provider, found.provider_id) == ("texts", "texts-1")


def test_an_email_has_a_subject_and_comes_from_the_discreet_name(desk: Desk) -> None:
    said(
        desk,
        "alert",
        "on-call@example.com",
        channel=Channel.EMAIL,
        subject="URGENT",
        body="One <b>\nand two.\n\nThree.",
    )
    send(desk)
    ((_, outgoing),) = desk.email.sent
    assert isinstance(outgoing.content, EmailContent)
    assert (outgoing.content.subject, outgoing.content.from_name) == ("URGENT", "River Clinic")
    assert "<p>One &lt;b&gt;<br>and two.</p>\n<p>Three.</p>" in outgoing.content.html
    assert outgoing.content.text.startswith("One <b>\nand two.\n\nThree.\n\nRiver Clinic, 1 River")
    assert outgoing.content.reply_to == desk.clinic.email


def test_a_crisis_goes_before_what_has_waited_longer(desk: Desk) -> None:
    for number in range(3):
        said(desk, "help", f"+1212555010{number}", now=NOW - HOUR)
    said(desk, "crisis", "+12125550109")
    assert send(desk, limit=1) == 1
    assert [outgoing.to for _, outgoing in desk.sms.sent] == ["+12125550109"]
    while send(desk, limit=2):
        pass
    assert len(desk.sms.sent) == 4


def test_what_is_to_be_said_later_waits(desk: Desk) -> None:
    said(desk, now=NOW + MINUTE)
    assert send(desk) == 0
    assert send(desk, NOW + MINUTE) == 1


@pytest.mark.both_databases
def test_many_senders_at_once_say_each_thing_once(desk: Desk) -> None:
    ids = [said(desk, address=f"+1212555{1000 + n}") for n in range(60)]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(10):
            list(threads.map(lambda _: send(desk, limit=7), range(4)))
    assert sorted(outgoing.delivery_id for _, outgoing in desk.sms.tried) == ids
    assert {answer(desk, id_).status for id_ in ids} == {"accepted"}


# --- To a stopped address -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["help", "confirm", "crisis", "staff", "alert", "start"])
def test_a_stopped_address_gets_nothing(desk: Desk, kind: str) -> None:
    stop(desk)
    id_ = said(desk, kind)
    send(desk)
    assert stands(desk, id_) == ("withheld", "stopped")
    assert desk.sms.tried == []
    waited_for = kind in ("crisis", "staff")
    assert len(says(desk)) == waited_for
    assert send(desk, NOW + HOUR) == 0


@pytest.mark.parametrize("kind", ["stop", "crisis_stop"])
def test_a_stopped_address_gets_one_word_that_it_is_stopped(desk: Desk, kind: str) -> None:
    stop(desk)
    first = said(desk, kind)
    second = said(desk, "stop")
    send(desk)
    third = said(desk, "stop", now=NOW + MINUTE)
    send(desk, NOW + MINUTE)
    assert stands(desk, first) == ("accepted", None)
    assert {stands(desk, second), stands(desk, third)} == {("withheld", "stopped")}
    assert len(desk.sms.sent) == 1


def test_who_starts_and_stops_again_is_told_again(desk: Desk) -> None:
    stop(desk)
    said(desk, "stop")
    send(desk)
    with writing(desk.engine) as session:
        patients.lift(session, desk.scope.clinic_id, Channel.SMS, PHONE)
    stop(desk, NOW + HOUR)
    said(desk, "stop", now=NOW + HOUR)
    send(desk, NOW + HOUR)
    assert len(desk.sms.sent) == 2


def test_a_stop_between_two_tries_holds(desk: Desk) -> None:
    desk.sms.answer = lambda _, __: Retry("20429")
    id_ = said(desk)
    send(desk)
    stop(desk)
    desk.sms.answer = None
    send(desk, NOW + HOUR)
    assert stands(desk, id_) == ("withheld", "stopped")
    assert desk.sms.sent == []


# --- Not taken ----------------------------------------------------------------------------------


def test_what_is_not_taken_is_tried_again_a_minute_later(desk: Desk) -> None:
    desk.sms.answer = lambda _, __: Retry("20429")
    id_ = said(desk)
    send(desk)
    assert stands(desk, id_) == ("waiting", "20429")
    assert MINUTE <= answer(desk, id_).due_at - NOW <= 1.25 * MINUTE
    desk.sms.answer = None
    assert send(desk, NOW + 30 * timedelta(seconds=1)) == 0
    assert send(desk, NOW + 2 * MINUTE) == 1
    assert stands(desk, id_) == ("accepted", None)


def test_what_is_never_taken_ends_with_its_time(desk: Desk) -> None:
    desk.sms.answer = lambda _, __: Retry("20429")
    id_ = said(desk, "crisis", until=NOW + 5 * MINUTE)
    now = NOW
    while answer(desk, id_).status == "waiting":
        now = max(now, answer(desk, id_).due_at)
        send(desk, now)
    assert stands(desk, id_) == ("failed", "20429")
    assert len(desk.sms.tried) == 3
    assert says(desk) == ["The answer to a crisis did not arrive (20429): call."]


def test_what_nobody_sent_in_time_is_not_sent_late(desk: Desk) -> None:
    id_ = said(desk, "staff")
    send(desk, NOW + 12 * HOUR)
    assert stands(desk, id_) == ("failed", "too_late")
    assert desk.sms.tried == []
    assert len(says(desk)) == 1


@pytest.mark.parametrize(
    ("kind", "task"), [("crisis", True), ("crisis_stop", True), ("staff", False), ("help", None)]
)
def test_a_refusal_is_final_and_a_task_where_a_person_waits(
    desk: Desk, kind: str, task: bool | None
) -> None:
    desk.sms.answer = lambda _, __: Rejected("21211", address_is_bad=True)
    id_ = said(desk, kind)
    send(desk)
    assert stands(desk, id_) == ("failed", "21211")
    found = desk.tasks("answer_astray")
    assert [each.urgent for each in found] == ([] if task is None else [task])
    assert not any(PHONE in each.says for each in found)
    assert send(desk, NOW + HOUR) == 0


def test_a_number_that_the_carrier_blocked_is_suppressed(desk: Desk) -> None:
    desk.sms.answer = lambda _, __: Rejected("21610", suppress=True)
    said(desk)
    send(desk)
    with reading(desk.engine) as session:
        pairs = [(Channel.SMS, PHONE)]
        found = patients.suppressed(session, desk.scope.clinic_id, pairs)
    assert found == {(Channel.SMS, PHONE): "21610"}


def test_a_set_up_that_is_wrong_is_said_to_staff(desk: Desk) -> None:
    desk.sms.answer = lambda _, __: Rejected("30034", alert="Register the number.")
    said(desk)
    send(desk)
    (task,) = desk.tasks("provider_refuses")
    assert (task.urgent, task.says) == (
        True,
        "texts refuses messages (30034): Register the number.",
    )


# --- Nobody knows -------------------------------------------------------------------------------


def test_what_had_no_answer_is_asked_for_and_never_sent_again_on_a_guess(desk: Desk) -> None:
    desk.sms.answer = lambda _, __: Unknown("silence")
    id_ = said(desk)
    send(desk)
    assert answer(desk, id_).status == "sending"
    assert send(desk, NOW + LEASE - MINUTE) == 0
    desk.sms.knows = lambda each: Accepted(f"found-{each.delivery_id}")
    send(desk, NOW + LEASE)
    ((_, asked),) = desk.sms.asked
    assert (asked.to, asked.body, asked.started_at) == (PHONE, "About help.", NOW)
    assert asked.kind == "answer"
    assert stands(desk, id_) == ("accepted", None)
    assert len(desk.sms.tried) == 1
    assert desk.tasks() == []


def test_what_the_provider_never_had_goes_out_at_once(desk: Desk) -> None:
    desk.sms.answer = lambda _, __: Unknown("silence")
    id_ = said(desk)
    send(desk)
    desk.sms.answer, desk.sms.knows = None, lambda _: NotSent()
    later = NOW + LEASE
    while send(desk, later):
        pass
    assert stands(desk, id_) == ("accepted", None)
    assert len(desk.sms.tried) == 2


@pytest.mark.parametrize(
    ("channel", "kind", "settlement", "task"),
    [
        (Channel.SMS, "help", Unknown("list is away"), True),
        (Channel.SMS, "crisis", Unknown("list is away"), True),
        (Channel.EMAIL, "staff", Unknown("mail cannot be asked"), True),
        (Channel.SMS, "stop", Unknown("list is away"), False),
        (Channel.EMAIL, "alert", Unknown("mail cannot be asked"), False),
    ],
)
def test_what_nobody_can_say_stays_unknown_and_a_person_asks(
    desk: Desk, channel: Channel, kind: str, settlement: Settlement, task: bool
) -> None:
    sink = desk.sms if channel is Channel.SMS else desk.email
    sink.answer, sink.knows = (lambda _, __: Unknown("silence")), (lambda _: settlement)
    address = PHONE if channel is Channel.SMS else "ada@example.com"
    id_ = said(desk, kind, address, channel=channel)
    send(desk)
    ask_on(desk, id_)
    assert stands(desk, id_) == ("unknown", "no_answer")
    assert send(desk, NOW + 2 * ASKED_FOR) == 0
    assert len(sink.tried) == 1
    assert len(says(desk)) == task


def ask_on(desk: Desk, id_: int) -> list[datetime]:
    """Ask until nobody asks any more; gives the times at which the provider was asked."""
    while (found := answer(desk, id_)).status == "sending":
        send(desk, found.due_at)
    return [when for when, _ in desk.sms.asked]


def test_the_provider_is_asked_again_for_hours_less_and_less_often(desk: Desk) -> None:
    desk.sms.answer, desk.sms.knows = (lambda _, __: Unknown("x")), (lambda _: Unknown("y"))
    id_ = said(desk)
    send(desk)
    minutes = [(when - NOW) // MINUTE for when in ask_on(desk, id_)]
    assert minutes == [3, 6, 12, 24, 48, 96, 180]
    assert stands(desk, id_) == ("unknown", "no_answer")
    assert says(desk) == [
        "The help answer may not have arrived, and is not sent again: ask or call."
    ]
    assert len(desk.sms.tried) == 1


@pytest.mark.parametrize("knows", [Accepted("SM9"), NotSent()])
def test_what_the_provider_knows_an_hour_later_is_settled_then(
    desk: Desk, knows: Settlement
) -> None:
    desk.sms.answer, desk.sms.knows = (lambda _, __: Unknown("x")), (lambda _: Unknown("y"))
    id_ = said(desk)
    send(desk)
    while (due_at := answer(desk, id_).due_at) < NOW + HOUR:
        send(desk, due_at)
    desk.sms.answer, desk.sms.knows = None, lambda _: knows
    while send(desk, due_at):
        pass
    assert answer(desk, id_).status == "accepted"
    assert len(desk.sms.sent) == isinstance(knows, NotSent)
    assert desk.tasks() == []


def test_who_waits_for_word_in_a_crisis_is_called_while_the_provider_is_still_asked(
    desk: Desk,
) -> None:
    desk.sms.answer, desk.sms.knows = (lambda _, __: Unknown("x")), (lambda _: Unknown("y"))
    id_ = said(desk, "crisis")
    send(desk)
    send(desk, NOW + LEASE)
    assert answer(desk, id_).status == "sending"
    (task,) = desk.tasks("answer_astray")
    assert task.urgent
    assert task.says == (
        "The answer to a crisis may not have arrived; the provider is asked on. Call."
    )
    receipt(desk.engine, id_, ReceiptWord("texts", "SM9", "delivered"), NOW + 4 * MINUTE)
    assert desk.tasks() == []
    assert answer(desk, id_).status == "delivered"


def test_a_case_takes_back_its_doubt_once_the_provider_has_the_answer(desk: Desk) -> None:
    case = open_case(desk)
    desk.sms.answer, desk.sms.knows = (lambda _, __: Unknown("x")), (lambda _: Unknown("y"))
    id_ = said(desk, "crisis", task_id=case)
    send(desk)
    for _ in range(2):
        send(desk, answer(desk, id_).due_at)
    (task,) = desk.tasks()
    assert (task.id, task.says) == (case, "Call. The answer to it may not have arrived.")
    assert len((task.note or "").splitlines()) == 1
    desk.sms.knows = lambda _: Accepted("SM9")
    send(desk, answer(desk, id_).due_at)
    (task,) = desk.tasks()
    assert task.says == "Call."
    assert (task.note or "").endswith("Drip: The provider has the answer after all.")


def open_case(desk: Desk) -> int:
    with writing(desk.engine) as session:
        return tasks.open_task(
            session, desk.scope.clinic_id, key="crisis:1", kind=tasks.CRISIS, says="Call.", now=NOW
        ).id


# --- Pace ---------------------------------------------------------------------------------------


def test_what_is_not_urgent_waits_for_its_senders_pace_and_a_crisis_waits_for_nothing(
    desk: Desk,
) -> None:
    desk = Desk(desk.engine, replace(desk.clinic, texts=Texts(rate=1)))
    pace = LocalPace()
    for number in range(5):
        said(desk, "confirmed", f"+121255501{number:02}")
    said(desk, "crisis", "+12125550198")
    said(desk, "alert", "+12125550199")
    found = []
    for second in range(5):
        now = NOW + second * timedelta(seconds=1)
        send_waiting(desk.engine, desk.sender.providers, now, pace=pace)
        found.append(len(desk.sms.sent))
    assert found == [4, 5, 6, 7, 7]
    assert [o.to for _, o in desk.sms.sent[:2]] == ["+12125550198", "+12125550199"]


def test_answers_and_deliveries_of_a_number_share_one_pace(desk: Desk) -> None:
    desk = Desk(desk.engine, replace(desk.clinic, texts=Texts(rate=1)))
    desk.enroll()
    for number in range(2):
        said(desk, "confirmed", f"+121255501{number:02}", sender="+12125550100")
    send_waiting(desk.engine, desk.sender.providers, NOW, pace=desk.sender.pace)
    desk.send_all(NOW)
    assert [outgoing.kind for _, outgoing in desk.sms.sent] == ["answer", "answer"]
    desk.send_all(NOW + timedelta(seconds=1))
    assert desk.sms.sent[-1][1].kind == "delivery"


def test_the_same_words_to_the_same_number_are_not_taken_for_another_answer(desk: Desk) -> None:
    said(desk, "crisis")
    send(desk)
    desk.sms.answer = lambda _, __: Unknown("silence")
    second = said(desk, "crisis", now=NOW + MINUTE)
    send(desk, NOW + MINUTE)
    desk.sms.knows = lambda _: Accepted("texts-1")
    ask_on(desk, second)
    assert stands(desk, second) == ("unknown", "no_answer")


def test_what_is_known_after_the_lease_is_kept(desk: Desk) -> None:
    """A hand-over that took longer than its lease, while another sender asked in vain."""
    id_ = said(desk)
    late = NOW + LEASE

    def slow(_: object, __: datetime) -> Accepted:
        desk.sms.knows = lambda _: Unknown("not there yet")
        send(desk, late)
        assert answer(desk, id_).status == "sending"
        return Accepted("texts-slow")

    desk.sms.answer = slow
    send(desk)
    assert answer(desk, id_).status == "accepted"
    assert answer(desk, id_).provider_id == "texts-slow"


# --- Receipts -----------------------------------------------------------------------------------

WORDS: list[tuple[list[str], str]] = [
    (["sent", "delivered"], "delivered"),
    (["delivered", "sent", "queued"], "delivered"),
    (["delivered", "failed"], "delivered"),
    (["undelivered", "delivered"], "undelivered"),
    (["wondered", "sent"], "accepted"),
    (["read", "sent"], "delivered"),
]


@pytest.mark.parametrize(("words", "end"), WORDS)
def test_receipts_come_in_any_order_and_twice(desk: Desk, words: list[str], end: str) -> None:
    id_ = said(desk)
    send(desk)
    for word in [w for w in words for _ in range(2)]:
        receipt(desk.engine, id_, ReceiptWord("texts", "texts-1", word), NOW)
    assert answer(desk, id_).status == end


def test_a_receipt_may_come_before_our_own_record(desk: Desk) -> None:
    id_ = said(desk)

    def early(_: object, now: datetime) -> Accepted:
        receipt(desk.engine, id_, ReceiptWord("texts", "SM1", "delivered"), now)
        return Accepted("SM1")

    desk.sms.answer = early
    send(desk)
    found = answer(desk, id_)
    assert (found.status, found.provider_id) == ("delivered", "SM1")


def test_a_receipt_of_something_else_changes_nothing(desk: Desk) -> None:
    id_ = said(desk)
    send(desk)
    receipt(desk.engine, id_, ReceiptWord("texts", "another", "failed", "30003"), NOW)
    receipt(desk.engine, id_ + 1, ReceiptWord("texts", "texts-1", "failed", "30003"), NOW)
    assert stands(desk, id_) == ("accepted", None)


def test_a_crisis_whose_answer_did_not_arrive_is_called(desk: Desk) -> None:
    id_ = said(desk, "crisis")
    send(desk)
    for _ in range(2):
        receipt(desk.engine, id_, ReceiptWord("texts", "texts-1", "undelivered", "30003"), NOW)
    assert stands(desk, id_) == ("undelivered", "30003")
    assert says(desk) == ["The answer to a crisis did not arrive (30003): call."]


@pytest.mark.parametrize(
    ("end", "says_first", "noted"),
    [
        (Rejected("30003"), "No answer to it arrived.", "did not arrive (30003): call."),
        (Unknown("away"), "may not have arrived.", "the provider is asked on. Call."),
    ],
)
def test_in_an_open_case_it_is_said_in_the_case(
    desk: Desk, end: Any, says_first: str, noted: str
) -> None:
    case = open_case(desk)
    desk.sms.answer, desk.sms.knows = (lambda _, __: end), (lambda _: Unknown("away"))
    id_ = said(desk, "crisis", task_id=case)
    send(desk)
    ask_on(desk, id_)
    (task,) = desk.tasks()
    assert task.id == case
    assert task.says.startswith("Call. ")
    assert task.says.endswith(says_first)
    assert (task.note or "").endswith(noted)
    assert "It belongs to" not in (task.note or "")


# --- Broken -------------------------------------------------------------------------------------


def test_an_answer_of_a_clinic_whose_profile_is_broken_waits_for_it(
    desk: Desk, broken_profile: Callable[[Desk], Callable[[], None]]
) -> None:
    mend = broken_profile(desk)
    id_ = said(desk)
    send(desk)
    assert answer(desk, id_).status == "waiting"
    mend()
    send(desk, NOW + LEASE)
    assert answer(desk, id_).status == "accepted"


@pytest.fixture
def broken_profile() -> Callable[[Desk], Callable[[], None]]:
    from drip.content.clinic_file import profile_of
    from drip.store import clinics

    def break_it(desk: Desk) -> Callable[[], None]:
        whole = profile_of(desk.clinic)

        def write(profile: dict[str, Any]) -> None:
            with writing(desk.engine) as session:
                clinics.upsert(session, desk.clinic.key, profile, NOW)

        write({**whole, "timezone": "Nowhere"})
        return lambda: write(whole)

    return break_it
