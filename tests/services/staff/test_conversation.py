"""What staff read of a conversation, and what they say in it, on each database."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from drip.core.delivery import Reason
from drip.core.inbound import InboundText, ReceiptWord
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel
from drip.errors import NotAllowed, NotFound
from drip.services.answers import answering, crisis
from drip.services.consent.stopping import stop_address
from drip.services.inbound.hearing import hear
from drip.services.scope import open_scope
from drip.services.staff.conversation import open_task_file, waiting_tasks
from drip.services.staff.looking import Dossier, show_enrollment
from drip.services.staff.replying import RECENT, StaffAnswer, answer_patient
from drip.services.staff.tasks import ack_task, finish_task
from drip.store.engine import writing
from drip.store.schema import Receipt
from tests.services.desk import MINUTE, NOW, Desk, at

ANA = "+12125550101"
OURS = "+12125550190"


def write(desk: Desk, body: str, now: datetime = NOW, phone: str = ANA) -> None:
    """A patient writes."""
    text = InboundText("twilio", f"{phone} {now}", phone, OURS, body)
    hear(desk.engine, desk.content, text, now)


def answer(desk: Desk, body: str, now: datetime, **options: Any) -> StaffAnswer:
    """Sam answers the patient of enrollment 1."""
    options = {"at_any_hour": False, **options}
    return answer_patient(desk.scope, 1, body, "Sam", now, **options)


def bodies(dossier: Dossier) -> list[str]:
    """All that was said, replies first."""
    said = dossier.conversation
    return [each.body for each in said.replies] + [each.body for each in said.answers]


def test_a_thread_is_shown_to_everybody_with_the_phone_and_to_nobody_else(desk: Desk) -> None:
    desk.enroll()
    desk.enroll(2, phone=ANA)
    desk.enroll(3)
    write(desk, "can I eat?")
    answer(desk, "Yes.", NOW + MINUTE)
    first, second, third = (show_enrollment(desk.scope, id_) for id_ in (1, 2, 3))
    assert bodies(first) == bodies(second)
    assert bodies(first)[0] == "can I eat?"
    assert bodies(first)[-1] == "Yes."
    assert bodies(third) == []
    assert [task.id for task in second.tasks] == [task.id for task in first.tasks] == [1]


def test_a_task_brings_its_replies_their_answers_and_everybody_with_the_phone(desk: Desk) -> None:
    desk.enroll()
    desk.enroll(2, phone=ANA)
    write(desk, "can I eat?")
    write(desk, "hello?", NOW + MINUTE)
    answer(desk, "Yes.", NOW + 2 * MINUTE)
    write(desk, "who is this?", NOW, "+12125550177")
    ours, strangers = (open_task_file(desk.scope, id_) for id_ in (1, 2))
    assert [reply.body for reply in ours.conversation.replies] == ["can I eat?", "hello?"]
    assert ours.conversation.answers[-1].by_whom == "Sam"
    assert (ours.phone, ours.no_texts) == (ANA, None)
    assert [[each.id for each in who.enrollments] for who in ours.concerned] == [[1], [2]]
    assert (strangers.phone, strangers.concerned) == ("+12125550177", ())
    assert [(each.phone, len(each.names)) for each in waiting_tasks(desk.scope)] == [
        (ANA, 2),
        ("+12125550177", 0),
    ]


def test_another_clinic_sees_neither_the_task_nor_the_thread(desk: Desk) -> None:
    desk.enroll()
    write(desk, "can I eat?")
    other = open_scope(desk.engine, desk.content, replace(desk.clinic, key="lake"), NOW)
    with pytest.raises(NotFound):
        open_task_file(other, 1)
    with pytest.raises(NotFound):
        answer_patient(other, 1, "Yes.", "Sam", NOW, at_any_hour=False)
    assert waiting_tasks(other) == []


def test_after_a_stop_a_task_says_that_no_text_can_go(desk: Desk) -> None:
    desk.enroll()
    write(desk, "can I eat?")
    stop_address(desk.scope, Channel.SMS, ANA, "verbal", "Sam", NOW)
    assert open_task_file(desk.scope, 1).no_texts is Reason.STOPPED
    with pytest.raises(NotAllowed, match="stopped texts"):
        answer(desk, "Yes.", NOW)


def test_a_crisis_is_first_until_somebody_takes_it_and_is_not_raised_after_that(desk: Desk) -> None:
    desk.enroll()
    write(desk, "can I eat?")
    write(desk, "I don't want to live", NOW + MINUTE)
    waiting = waiting_tasks(desk.scope)
    assert [each.todo.task.kind for each in waiting] == ["crisis", "reply"]
    file = open_task_file(desk.scope, waiting[0].todo.task.id)
    assert file.is_crisis
    (reply,) = file.conversation.replies
    assert reply.reply_class is ReplyClass.CRISIS
    assert {each.kind for each in file.conversation.answers} == {"crisis"}
    assert crisis.raise_again(desk.engine, NOW + 17 * MINUTE) == 1
    ack_task(desk.scope, file.todo.task.id, "Sam", NOW + 18 * MINUTE)
    assert crisis.raise_again(desk.engine, NOW + 60 * MINUTE) == 0


def test_an_answer_by_staff_joins_the_crisis_that_is_open_and_no_task_that_is_done(
    desk: Desk,
) -> None:
    desk.enroll()
    write(desk, "I don't want to live")
    case = waiting_tasks(desk.scope)[0].todo.task.id
    assert answer(desk, "I call you now.", NOW + MINUTE).draft.task_id == case
    finish_task(desk.scope, case, "Sam", None, NOW + 2 * MINUTE)
    assert answer(desk, "Good to hear you.", NOW + 3 * MINUTE).draft.task_id is None


def test_an_answer_by_staff_goes_out_once_and_its_receipt_is_shown(desk: Desk) -> None:
    desk.enroll()
    sent = answer(desk, "The side door is open.", NOW)
    for _ in range(2):
        answering.send_waiting(desk.engine, desk.sender.providers, NOW + MINUTE)
    ((_, outgoing),) = desk.sms.sent
    assert outgoing.to == ANA
    shown = show_enrollment(desk.scope, 1).conversation.answers[0]
    assert (shown.id, shown.status, shown.provider) == (sent.answer_id, "accepted", "texts")
    word = ReceiptWord("texts", str(shown.provider_id), "delivered")
    answering.receipt(desk.engine, sent.answer_id, word, NOW + 2 * MINUTE)
    assert show_enrollment(desk.scope, 1).conversation.answers[0].status == "delivered"


def test_a_fresh_answer_is_of_use_for_hours_and_a_text_of_its_own_until_the_window_closes(
    desk: Desk,
) -> None:
    desk.enroll()
    assert answer(desk, "Yes.", NOW).draft.until == at("2026-12-01 20:00")
    write(desk, "can I eat?")
    assert answer(desk, "Yes.", NOW).draft.until == NOW + RECENT
    night = at("2026-12-01 22:00")
    with pytest.raises(NotAllowed, match="outside of the hours"):
        answer(desk, "Yes.", night)
    assert answer(desk, "Yes.", night, at_any_hour=True).draft.until == night + RECENT


def test_receipts_are_shown_with_the_delivery_in_the_order_in_which_they_came(desk: Desk) -> None:
    desk.enroll()
    row = desk.rows(1)[0]
    with writing(desk.engine) as session:
        for minutes, status in enumerate(("delivered", "sent")):
            receipt = Receipt(
                clinic_id=row.clinic_id,
                delivery_id=row.id,
                provider="twilio",
                provider_id="SM1",
                status=status,
                received_at=NOW + minutes * MINUTE,
            )
            session.add(receipt)
    shown = {each.delivery.id: each.receipts for each in show_enrollment(desk.scope, 1).deliveries}
    assert [receipt.status for receipt in shown[row.id]] == ["delivered", "sent"]
    assert sum(map(len, shown.values())) == 2


def test_a_thread_keeps_what_was_said_from_a_phone_that_was_changed(desk: Desk) -> None:
    desk.enroll(ref="A1")
    desk.enroll(3)
    desk.send_all(NOW)
    write(desk, "can I eat?", NOW + MINUTE)
    answer(desk, "Yes.", NOW + 2 * MINUTE)
    desk.enroll(1, NOW + 3 * MINUTE, ref="A1", phone="+1 212 555 0143")
    write(desk, "and drink?", NOW + 4 * MINUTE, "+12125550143")
    shown = show_enrollment(desk.scope, 1)
    assert [each.body for each in shown.conversation.replies] == ["can I eat?", "and drink?"]
    assert "Yes." in bodies(shown)
    assert bodies(show_enrollment(desk.scope, 2)) == []
