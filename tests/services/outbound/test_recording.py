"""What providers answered is written down at once, and what follows from it."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from drip.core.delivery import Status
from drip.core.outgoing import Accepted, Answer, Rejected, Retry, Unknown
from drip.core.retry import RetryKind
from drip.services.bookings.changing import cancel, pause, reschedule, resume
from drip.store import clinics
from drip.store.engine import writing
from drip.store.moves import DELIVERIES, moving
from tests.services.desk import HOUR, MINUTE, NOW, Desk, at
from tests.services.flight import fly, land, take_off

SOON = at("2026-12-15 07:05")
"""Just after the text of the day itself, which goes by text only, is due."""

GONE = Rejected("30006", address_is_bad=True)


def _day_of(desk: Desk, answer: Answer = GONE, number: int = 1, **fields: str) -> int:
    """An enrollment whose text on the day of the session came to this."""
    id_ = desk.enroll(number, NOW, session="2026-12-15T11:00", **fields).enrollment_id
    fly(desk, [desk.row(id_, "day-of")], answer, at("2026-12-15 09:05"))
    return id_


def test_answers_of_every_kind_are_written_down_together(desk: Desk) -> None:
    ids = [desk.enroll(number).enrollment_id for number in range(1, 5)]
    rows = [desk.row(id_, "welcome") for id_ in ids]
    answers: list[Answer] = [Accepted("SM1"), Retry("busy"), Rejected("30006"), Unknown("lost")]
    land(desk, rows, take_off(desk, rows, NOW), answers, NOW)
    assert [desk.stands(id_)["welcome/sms"] for id_ in ids] == [
        "accepted",
        "scheduled retrying",
        "failed refused",
        "unknown no_answer",
    ]
    assert desk.row(ids[0], "welcome").provider_id == "SM1"
    ends = [desk.tries(row.id)[0] for row in rows]
    assert [(each.outcome, each.code) for each in ends] == [
        ("accepted", None),
        ("retry", "busy"),
        ("rejected", "30006"),
        ("unknown", "lost"),
    ]


@pytest.mark.parametrize("number", [1, 100])
def test_a_batch_of_any_size_takes_the_same_few_statements(desk: Desk, number: int) -> None:
    ids = desk.enroll_many(range(1, number + 1))
    rows = [row for row in desk.rows() if (row.step, row.channel) == ("welcome", "sms")]
    assert len(rows) == len(ids) == number
    going = take_off(desk, rows, NOW)
    said: list[str] = []
    listen = lambda *args: said.append(args[2])  # noqa: E731
    event.listen(desk.engine, "before_cursor_execute", listen)
    land(desk, rows, going, [Accepted(f"SM{each.id}") for each in rows], NOW)
    event.remove(desk.engine, "before_cursor_execute", listen)
    assert len([each for each in said if not each.startswith("BEGIN")]) == 3
    assert desk.counts()[Status.ACCEPTED] == number


def test_one_delayed_retry_and_then_staff(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    out_of_reach = Retry("30003", kind=RetryKind.RETRY_ONCE)
    fly(desk, [desk.row(id_, "welcome")], Retry("20429", kind=RetryKind.BUSY), NOW)
    fly(desk, [desk.row(id_, "welcome")], out_of_reach, NOW)
    row = desk.row(id_, "welcome")
    assert (row.status, row.due_at >= NOW + HOUR) == (Status.SCHEDULED, True)
    fly(desk, [row], out_of_reach, row.due_at)
    assert desk.stands(id_)["welcome/sms"] == "failed refused"
    assert [task.kind for task in desk.tasks()] == ["call_patient"]


def test_a_daily_limit_waits_for_the_next_day_if_that_is_not_too_late(desk: Desk) -> None:
    used_up = Retry("63038", kind=RetryKind.NEXT_DAY)
    welcomed = desk.enroll(consent="sms").enrollment_id
    fly(desk, [desk.row(welcomed, "welcome")], used_up, NOW)
    row = desk.row(welcomed, "welcome")
    assert timedelta(0) <= row.due_at - at("2026-12-01 19:00") < 15 * MINUTE
    today = _day_of(desk, used_up, number=2, consent="sms")
    assert desk.stands(today)["day-of/sms"] == "failed gave_up"


def test_the_answer_of_an_earlier_attempt_does_not_bring_a_third_one(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    row = desk.row(id_, "welcome")
    slow = take_off(desk, [row], NOW)
    land(desk, [row], slow, [Unknown("lost")], NOW)
    assert desk.row(id_, "welcome").status is Status.UNKNOWN
    _as_if_never_there(desk, row.id)
    second = take_off(desk, [desk.row(id_, "welcome")], NOW + MINUTE)
    land(desk, [row], slow, [Retry("connect", kind=RetryKind.AWAY)], NOW + 2 * MINUTE)
    assert desk.row(id_, "welcome").status is Status.SENDING
    land(desk, [row], second, [Accepted("SM2")], NOW + 3 * MINUTE)
    assert desk.row(id_, "welcome").provider_id == "SM2"


def _as_if_never_there(desk: Desk, id_: int) -> None:
    with writing(desk.engine) as session:
        back = moving(Status.SCHEDULED, NOW, due_at=NOW)
        session.execute(back.where(DELIVERIES.c.id == id_))


# --- By email instead ---------------------------------------------------------------------------


def test_a_text_that_failed_for_good_goes_by_email_and_needs_no_call(desk: Desk) -> None:
    id_ = _day_of(desk)
    email = desk.row(id_, "day-of", "email")
    assert (email.status, email.due_at) == (Status.SCHEDULED, at("2026-12-15 09:05"))
    assert email.until == desk.row(id_, "day-of").until
    assert [task.kind for task in desk.tasks()] == ["fix_address"]


def test_a_text_that_was_given_up_goes_by_email_too(desk: Desk) -> None:
    id_ = _day_of(desk, Retry("21611", after=7200))
    assert desk.stands(id_)["day-of/sms"] == "failed gave_up"
    assert desk.row(id_, "day-of", "email").status is Status.SCHEDULED
    assert desk.tasks() == []


@pytest.mark.parametrize(
    "fields", [{"consent": "sms"}, {"email": ""}], ids=["no consent to email", "no mailbox"]
)
def test_where_email_may_not_go_staff_call(desk: Desk, fields: dict[str, str]) -> None:
    id_ = _day_of(desk, Rejected("30004"), 1, **fields)
    assert "day-of/email" not in desk.stands(id_)
    assert [task.kind for task in desk.tasks()] == ["call_patient"]


def test_a_step_with_an_email_of_its_own_gets_no_second_one(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    before = len(desk.rows(id_))
    fly(desk, [desk.row(id_, "welcome")], GONE, NOW)
    assert len(desk.rows(id_)) == before
    assert desk.tasks("call_patient") == []


def test_where_both_channels_failed_staff_call(desk: Desk) -> None:
    id_ = _day_of(desk)
    fly(desk, [desk.row(id_, "day-of", "email")], Rejected("550"), at("2026-12-15 09:06"))
    assert len(desk.tasks("call_patient")) == 1


def test_a_cancelled_session_gets_no_email_about_it(desk: Desk) -> None:
    id_ = desk.enroll(session="2026-12-15T11:00").enrollment_id
    rows = [desk.row(id_, "day-of")]
    going = take_off(desk, rows, at("2026-12-15 09:05"))
    cancel(desk.scope, id_, at("2026-12-15 09:06"))
    land(desk, rows, going, [GONE], at("2026-12-15 09:07"))
    assert "day-of/email" not in desk.stands(id_)


def test_the_email_outlives_a_pause(desk: Desk) -> None:
    id_ = _day_of(desk)
    pause(desk.scope, id_, at("2026-12-15 09:06"))
    assert desk.stands(id_)["day-of/email"] == "held paused"
    resume(desk.scope, id_, at("2026-12-15 09:20"))
    assert desk.stands(id_)["day-of/email"] == "scheduled"


def test_a_moved_session_takes_the_email_away_and_plans_the_text_again(desk: Desk) -> None:
    id_ = _day_of(desk)
    reschedule(desk.scope, id_, at("2026-12-20 11:00"), at("2026-12-15 09:06"))
    assert desk.row(id_, "day-of", "email").status is Status.CANCELLED
    assert desk.row(id_, "day-of", occurrence=2).status is Status.SCHEDULED


def test_a_broken_clinic_does_not_keep_answers_from_being_recorded(desk: Desk) -> None:
    id_ = desk.enroll(session="2026-12-15T11:00").enrollment_id
    rows = [desk.row(id_, "day-of")]
    going = take_off(desk, rows, SOON)
    with writing(desk.engine) as session:
        clinics.upsert(session, desk.clinic.key, {"zone": "Nowhere"}, NOW)
    land(desk, rows, going, [Rejected("30004")], SOON)
    assert desk.stands(id_)["day-of/sms"] == "failed refused"
    assert [task.kind for task in desk.tasks()] == ["call_patient"]


def test_a_set_up_that_is_refused_for_many_is_said_once(desk: Desk) -> None:
    desk.enroll_many(range(1, 31))
    rows = [row for row in desk.rows() if (row.step, row.channel) == ("welcome", "sms")]
    fly(desk, rows, Rejected("30034", alert="Register the number."), NOW)
    assert [task.says for task in desk.tasks("provider_refuses")] == [
        "texts refuses messages (30034): Register the number."
    ]
