"""A stop: an address is never messaged again, whatever is under way."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from drip.core.delivery import Status
from drip.core.outgoing import Rejected, Retry
from drip.core.schedule import Channel
from drip.errors import NotFound
from drip.services.bookings.changing import cancel, pause, reschedule
from drip.services.consent.stopping import stop_address, stop_enrollment
from drip.store.engine import reading
from drip.store.schema import Attempt, Consent
from tests.services.desk import DAY, HOUR, NOW, Desk, at

PHONE = "+12125550101"
AFTER_ALL = at("2027-01-15 10:00")


def _stop(desk: Desk, id_: int, *channels: Channel, now: object = NOW) -> None:
    assert not isinstance(now, str)
    stop_enrollment(desk.scope, id_, channels, "verbal", "desk", now)  # type: ignore[arg-type]


def test_a_stop_ends_the_texts_and_emails_go_on(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(at("2026-12-08 10:01"))
    count = len(desk.sms.sent)
    _stop(desk, id_, Channel.SMS, now=at("2026-12-08 11:00"))
    desk.run_until(AFTER_ALL)
    assert len(desk.sms.sent) == count
    assert {"arrange-a-ride/email", "day-before/email", "check-in/email"} <= set(desk.sent_steps())
    stands = desk.stands(id_)
    assert stands["day-before/sms"] == stands["day-of/sms"] == "cancelled stopped"


def test_steps_that_go_by_text_alone_go_by_email_after_a_stop(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(NOW)
    _stop(desk, id_, Channel.SMS, now=NOW + HOUR)
    desk.run_until(AFTER_ALL)
    assert {"day-of/email", "evening-after/email"} <= set(desk.sent_steps())
    assert desk.row(id_, "day-of", "email").sent_at == at("2026-12-15 07:00") or (
        desk.row(id_, "day-of", "email").planned_at == at("2026-12-15 07:00")
    )


def test_a_stop_with_essential_steps_ahead_asks_staff_to_call(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(NOW)
    _stop(desk, id_, Channel.SMS)
    (task,) = desk.tasks("call_patient")
    assert task.urgent
    assert "stopped texts" in task.says
    assert "day-before" in task.says


def test_a_stop_after_everything_went_out_asks_for_nothing(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(AFTER_ALL)
    _stop(desk, id_, Channel.SMS, Channel.EMAIL, now=AFTER_ALL)
    assert desk.tasks() == []


def test_a_stop_holds_for_everybody_on_the_phone(desk: Desk) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    bob = desk.enroll(1, name="Bob Lee", email="", consent="sms").enrollment_id
    cid = desk.enroll(2).enrollment_id
    stopped = stop_address(desk.scope, Channel.SMS, PHONE, "verbal", "desk", NOW)
    assert set(stopped.plans) == {ann, bob}
    desk.run_until(AFTER_ALL)
    assert {outgoing.to for _, outgoing in desk.sms.sent} == {"+12125550102"}
    assert desk.stands(bob)["day-of/sms"] == "cancelled stopped"
    assert desk.stands(cid)["day-of/sms"] == "accepted"
    calls = {task.enrollment_id: task.says for task in desk.tasks("call_patient")}
    assert set(calls) == {ann, bob}
    assert "day-of" in calls[bob]
    assert desk.count_of(Consent) == 2 + 1 + 2 + 2


def test_a_stop_of_an_address_that_nobody_has_holds_for_later(desk: Desk) -> None:
    stop_address(desk.scope, Channel.SMS, PHONE, "verbal", "desk", NOW)
    id_ = desk.enroll().enrollment_id
    assert desk.stands(id_)["welcome/sms"] == "skipped stopped"
    assert desk.stands(id_)["day-of/email"] == "scheduled"


def test_an_email_stop_leaves_the_texts(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, id_, Channel.EMAIL)
    desk.run_until(AFTER_ALL)
    assert desk.email.sent == []
    assert {"welcome/sms", "day-before/sms", "check-in/sms"} <= set(desk.sent_steps())


def test_a_stop_of_both_leaves_only_the_call(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, id_, Channel.SMS, Channel.EMAIL)
    assert desk.waiting(id_) == []
    desk.run_until(AFTER_ALL)
    assert desk.sms.tried == desk.email.tried == []
    said = " ".join(task.says for task in desk.tasks("call_patient"))
    for step in ("welcome", "arrange-a-ride", "day-before", "day-of", "evening-after", "check-in"):
        assert step in said


def test_one_stop_after_the_other_calls_for_what_the_first_had_left(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(NOW)
    _stop(desk, id_, Channel.SMS, now=NOW + HOUR)
    _stop(desk, id_, Channel.EMAIL, now=NOW + 2 * HOUR)
    assert desk.waiting(id_) == []
    said = [task.says for task in desk.tasks() if "(the patient stopped" in task.says]
    assert any("day-of" in each for each in said)


def test_a_stop_holds_through_a_move(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(NOW)
    _stop(desk, id_, Channel.SMS, now=NOW + HOUR)
    reschedule(desk.scope, id_, at("2026-12-22 13:00"), NOW + DAY)
    count = len(desk.sms.sent)
    desk.run_until(AFTER_ALL)
    assert len(desk.sms.sent) == count
    assert "rescheduled/email" in desk.sent_steps()


def test_a_stop_during_a_pause_keeps_what_goes_by_email_on_hold(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    pause(desk.scope, id_, NOW)
    _stop(desk, id_, Channel.SMS)
    assert desk.stands(id_)["day-of/email"] == "held paused"
    assert desk.stands(id_)["day-of/sms"] == "cancelled stopped"


def test_a_stop_ends_the_notice_of_a_cancelled_session_too(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(NOW)
    night = at("2026-12-02 23:00")
    cancel(desk.scope, id_, night)
    _stop(desk, id_, Channel.SMS, now=night + HOUR)
    assert desk.stands(id_)["cancelled/sms"] == "cancelled stopped"
    assert desk.stands(id_)["cancelled/email"] == "scheduled"


def test_a_stop_between_claim_and_sending_wins(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    claim = desk.sender.claim(NOW)
    _stop(desk, id_, Channel.SMS)
    going = desk.sender.prepare(claim, NOW).going
    assert [outgoing.channel for _, outgoing in going] == [Channel.EMAIL]
    desk.send_all(NOW)
    assert desk.sms.tried == []


def test_a_stop_after_the_hand_over_ends_what_the_provider_gives_back(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    going = desk.sender.prepare(desk.sender.claim(NOW), NOW).going
    desk.sms.answer = lambda _outgoing, _now: Retry("busy")
    answers = desk.sender.hand_over(going, NOW)
    _stop(desk, id_, Channel.SMS)
    desk.sender.record(answers, NOW)
    desk.sms.answer = None
    desk.run_until(AFTER_ALL)
    assert desk.sms.sent == []
    assert desk.row(id_, "welcome").status is Status.CANCELLED
    assert desk.row(id_, "welcome").reason == "stopped"


def test_an_address_that_the_provider_forbids_is_treated_like_a_stop(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.sms.answer = lambda _outgoing, _now: Rejected("21610", suppress=True)
    desk.send_all(NOW)
    stands = desk.stands(id_)
    assert stands["welcome/sms"] == "failed refused"
    assert stands["day-before/sms"] == stands["day-of/sms"] == "cancelled suppressed"
    assert stands["day-of/email"] == stands["evening-after/email"] == "scheduled"
    desk.run_until(AFTER_ALL)
    assert len(desk.sms.tried) == 1
    assert desk.tasks() == []


def test_who_shares_a_forbidden_phone_gets_the_texts_by_email_too(desk: Desk) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    desk.send_all(NOW)
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    desk.sms.answer = lambda _outgoing, _now: Rejected("21610", suppress=True)
    desk.send_all(NOW)
    assert desk.stands(bob)["welcome/sms"] == "failed refused"
    desk.run_until(AFTER_ALL)
    assert len(desk.sms.tried) == 2
    for id_ in (ann, bob):
        assert desk.row(id_, "day-of", "email").status is Status.ACCEPTED
    assert desk.tasks() == []


def test_an_enrollment_that_is_not_there_or_has_no_address_cannot_be_stopped(desk: Desk) -> None:
    id_ = desk.enroll(phone="", consent="email").enrollment_id
    with pytest.raises(NotFound, match="name another --channel"):
        _stop(desk, id_, Channel.SMS)
    with pytest.raises(NotFound, match="drip list"):
        _stop(desk, id_ + 1, Channel.SMS)


def test_stops_moves_and_sending_at_once_end_well(desk: Desk) -> None:
    """Locks are taken in one order, so that nobody waits for ever, and no stop is overtaken."""
    ids = desk.enroll_many(range(1, 25))
    senders = [desk.new_sender(batch=7) for _ in range(2)]
    together = threading.Barrier(5)
    tries_at_stop: dict[str, int] = {}

    def at_once(work: Callable[[], None]) -> None:
        together.wait(timeout=30)
        work()

    def stop_all() -> None:
        for id_ in ids[::2]:
            _stop(desk, id_, Channel.SMS, Channel.EMAIL)
            phone = desk.patient(id_).phone or ""
            tries_at_stop[phone] = _tries(desk, phone)

    def move_all() -> None:
        for id_ in reversed(ids):
            reschedule(desk.scope, id_, at("2026-12-22 13:00"), NOW)

    def send(number: int) -> None:
        list(map(senders[number].tick, [NOW] * 8))

    def keep_house() -> None:
        list(map(desk.keep_house, [NOW] * 8))

    works = [stop_all, move_all, lambda: send(0), lambda: send(1), keep_house]
    with ThreadPoolExecutor(len(works)) as pool:
        list(pool.map(at_once, works))
    desk.run_until(AFTER_ALL)
    sent = [outgoing.delivery_id for _, outgoing in desk.sms.sent + desk.email.sent]
    assert len(sent) == len(set(sent))
    assert {phone: _tries(desk, phone) for phone in tries_at_stop} == tries_at_stop


def _tries(desk: Desk, address: str) -> int:
    """How often something was handed over to this address, or is about to be."""
    with reading(desk.engine) as session:
        return session.query(Attempt).where(Attempt.address == address).count()
