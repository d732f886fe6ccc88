"""Cancelling, no-shows, pauses, stops, and the calls that follow: T9, T11 and T12."""

from dataclasses import replace
from typing import Any

import pytest

from drip.core.changes import plan_no_show
from drip.core.delivery import Reason, Status
from drip.core.planner import Plan, Unsendable, plan
from drip.core.schedule import Channel, Schedule
from tests.core.journeys import Enrollment, at, booked, journey, lines, said, schedule, step

A = "2026-12-10 09:00"
B = "2026-12-17 09:00"


def a_month_ahead(**more: Any) -> Enrollment:
    return booked(journey("2026-11-10 13:00", A, **more))


CANCELLED = [
    # what, when, what is ahead then, calls
    ("weeks before", "2026-11-20 12:00", ["2026-11-20 12:00 cancelled"], []),
    ("at night: in the morning", "2026-12-08 22:00", ["2026-12-09 09:00 cancelled"], []),
    ("minutes after the booking", "2026-11-10 13:05", ["2026-11-10 13:05 cancelled"], []),
    ("right before the session, at night: a call", "2026-12-10 08:59", [], ["cancelled"]),
    ("as the session starts: nobody needs to know", "2026-12-10 09:00", [], []),
    ("after the session", "2026-12-11 09:30", [], []),
]


@pytest.mark.parametrize(
    ("now", "ahead", "calls"), [row[1:] for row in CANCELLED], ids=[row[0] for row in CANCELLED]
)
def test_a_cancelled_session(now: str, ahead: list[str], calls: list[str]) -> None:
    enrollment = a_month_ahead()
    found = enrollment.cancel(now)
    assert enrollment.ahead() == ahead
    assert [call.step for call in enrollment.new_calls] == calls
    assert {reason for _, reason in found.cancel} <= {Reason.SESSION_CANCELLED}
    assert enrollment.why("week-after") == ["cancelled session_cancelled"]


def test_a_cancellation_before_the_patient_was_told_of_anything() -> None:
    enrollment = booked(journey("2026-11-10 22:00", A))
    enrollment.cancel("2026-11-10 23:00")
    assert enrollment.ahead() == ["2026-11-11 09:00 cancelled"]


def test_a_notice_that_cannot_go_out_has_the_time_at_which_it_was_planned() -> None:
    enrollment = a_month_ahead()
    enrollment.cancel("2026-12-10 08:59")
    notices = [row for row in enrollment.existing if row.step == "cancelled"]
    assert [said(row.due_at) for row in notices] == ["2026-12-10 08:59"] * 2


def test_a_plan_is_empty_when_there_is_nothing_to_write() -> None:
    row = plan(journey("2026-11-10 13:00", A), at("2026-11-10 13:00")).add[0]
    assert Plan().is_empty
    assert Plan(unsendable=(Unsendable("ride", "ride", Reason.LATE),)).is_empty
    assert not Plan(add=(row,)).is_empty
    assert not Plan(change=((1, row),)).is_empty
    assert not Plan(cancel=((1, Reason.LATE),)).is_empty


def test_a_cancellation_goes_out_beside_anything() -> None:
    enrollment = a_month_ahead()
    enrollment.cancel("2026-12-09 10:01")
    assert enrollment.ahead() == ["2026-12-09 10:01 cancelled"]


def test_a_cancellation_speaks_until_the_earlier_of_the_old_and_the_new_session() -> None:
    enrollment = a_month_ahead()
    enrollment.reschedule(B, "2026-12-08 21:00")
    enrollment.cancel("2026-12-08 22:00")
    notices = [row for row in enrollment.existing if row.step == "cancelled"]
    assert [(said(row.session_at), said(row.until)) for row in notices] == [(B, A), (B, A)]
    assert enrollment.why("rescheduled") == ["cancelled session_cancelled"]


def test_a_cancellation_is_told_once() -> None:
    enrollment = a_month_ahead()
    enrollment.cancel("2026-12-01 12:00")
    enrollment.cancel("2026-12-02 12:00")
    assert enrollment.sent("cancelled") == ["2026-12-01 12:00 cancelled"]
    assert not enrollment.ahead()


def test_a_cancellation_that_still_waits_is_not_doubled() -> None:
    enrollment = a_month_ahead()
    enrollment.cancel("2026-12-08 22:00")
    enrollment.cancel("2026-12-08 23:00")
    assert enrollment.ahead() == ["2026-12-09 09:00 cancelled"]


def test_a_cancellation_is_not_held_by_a_pause() -> None:
    enrollment = a_month_ahead()
    enrollment.pause("2026-12-01 12:00")
    enrollment.cancel("2026-12-02 12:00")
    assert enrollment.why("cancelled") == ["scheduled"]


REINSTATED = [
    ("at the same time, after the patient was told", A, "2026-12-01 12:00", "2026-12-02 12:00",
     """2026-12-02 12:00 rescheduled
        2026-12-07 10:00 arrange-a-ride
        2026-12-09 10:00 day-before
        2026-12-09 19:59 day-of"""),
    ("at another time, after the patient was told", B, "2026-12-01 12:00", "2026-12-02 12:00",
     """2026-12-02 12:00 rescheduled
        2026-12-14 10:00 arrange-a-ride
        2026-12-16 10:00 day-before
        2026-12-16 19:59 day-of"""),
    ("at the same time, before the patient was told", A, "2026-12-01 22:00", "2026-12-01 23:00",
     """2026-12-07 10:00 arrange-a-ride
        2026-12-09 10:00 day-before
        2026-12-09 19:59 day-of"""),
    ("at the same time, with the ride asked for before", A, "2026-12-07 12:00", "2026-12-07 15:00",
     """2026-12-07 15:00 rescheduled
        2026-12-08 09:00 arrange-a-ride #2
        2026-12-09 10:00 day-before
        2026-12-09 19:59 day-of"""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("session", "cancelled", "again", "expected"),
    [row[1:] for row in REINSTATED],
    ids=[row[0] for row in REINSTATED],
)
def test_a_cancelled_session_that_takes_place_after_all(
    session: str, cancelled: str, again: str, expected: str
) -> None:
    enrollment = a_month_ahead()
    enrollment.cancel(cancelled)
    enrollment.reschedule(session, again)
    names = "rescheduled", "arrange-a-ride", "day-before", "day-of", "cancelled"
    assert enrollment.ahead(*names) == lines(expected)


def test_a_session_may_be_cancelled_and_taken_back_over_and_over_in_one_night() -> None:
    enrollment = a_month_ahead()
    for hour in (20, 21, 22):
        enrollment.cancel(f"2026-12-01 {hour}:00")
        enrollment.reschedule(A, f"2026-12-01 {hour}:30")
    enrollment.cancel("2026-12-01 23:00")
    assert enrollment.ahead() == ["2026-12-02 09:00 cancelled"]


def test_a_no_show_cancels_what_comes_after_the_session() -> None:
    enrollment = a_month_ahead()
    enrollment.no_show("2026-12-10 11:00")
    assert not enrollment.ahead()
    assert enrollment.why("evening-after") == ["cancelled no_show"]
    assert enrollment.why("week-after") == ["cancelled no_show"]
    assert enrollment.why("day-of") == ["accepted"]


def test_a_no_show_that_is_noticed_late_cancels_what_is_left() -> None:
    enrollment = a_month_ahead()
    enrollment.no_show("2026-12-11 12:00")
    assert enrollment.why("evening-after") == ["accepted"]
    assert enrollment.why("week-after") == ["cancelled no_show"]


def test_a_no_show_cancels_a_step_at_the_session_itself() -> None:
    steps = schedule(step("wait", "at session"))
    enrollment = booked(journey("2026-11-10 13:00", "2026-12-10 08:00", steps))
    enrollment.no_show("2026-12-10 08:30")
    assert enrollment.why("wait") == ["cancelled no_show"]


def test_a_no_show_leaves_what_was_due_before_the_session() -> None:
    enrollment = a_month_ahead()
    enrollment.apply(plan_no_show(enrollment.journey.anchors.session, enrollment.existing))
    assert enrollment.why("day-of") == ["scheduled"]
    assert enrollment.why("evening-after") == ["cancelled no_show"]


def test_a_no_show_that_is_booked_again_gets_all_that_follows() -> None:
    enrollment = a_month_ahead()
    enrollment.no_show("2026-12-10 11:00")
    enrollment.reschedule(B, "2026-12-10 12:00")
    assert enrollment.ahead() == lines(
        """2026-12-10 12:00 rescheduled
           2026-12-14 10:00 arrange-a-ride #2
           2026-12-16 10:00 day-before #2
           2026-12-16 19:59 day-of #2
           2026-12-17 13:00 evening-after
           2026-12-18 10:00 check-in
           2026-12-24 10:00 week-after"""
    )


RESUMED = [
    ("at once: nothing is lost", "2026-11-11 09:00", "2026-11-11 09:30", []),
    ("after a lesson's time: it is late", "2026-11-11 09:00", "2026-11-11 11:00",
     ["what-is-ketamine: skipped late"]),
    ("after a lesson's time, one that may be late", "2026-12-03 09:00", "2026-12-04 12:00", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("paused", "resumed", "lost"), [row[1:] for row in RESUMED], ids=[row[0] for row in RESUMED]
)
def test_a_pause_holds_and_a_resume_plans_again_from_now(
    paused: str, resumed: str, lost: list[str]
) -> None:
    enrollment = a_month_ahead()
    enrollment.pause(paused)
    assert {row.status for row in enrollment.existing if row.waiting} == {Status.HELD}
    before = {row.step for row in enrollment.existing if row.waiting}
    enrollment.resume(resumed)
    after = {row.step for row in enrollment.existing if row.waiting}
    assert not any(row.status is Status.HELD for row in enrollment.existing)
    gone = sorted(before - after)
    assert [f"{name}: {' '.join(enrollment.why(name))}" for name in gone] == lost


def test_after_a_long_pause_the_backlog_keeps_its_distance() -> None:
    enrollment = a_month_ahead()
    enrollment.pause("2026-12-03 09:00")
    enrollment.resume("2026-12-08 12:00")
    assert enrollment.ahead() == lines(
        """2026-12-08 12:00 arrange-a-ride
           2026-12-08 14:00 questions-to-ask
           2026-12-09 10:00 day-before
           2026-12-09 19:59 day-of
           2026-12-10 13:00 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after"""
    )
    assert enrollment.why("side-effects") == ["skipped crowded"]


def test_what_can_no_longer_be_said_after_a_pause_is_a_call() -> None:
    enrollment = a_month_ahead()
    enrollment.pause("2026-12-07 09:00")
    enrollment.resume("2026-12-10 06:30")
    assert [(call.step, call.reason) for call in enrollment.new_calls] == [
        ("arrange-a-ride", Reason.TOO_LATE),
        ("day-before", Reason.TOO_LATE),
        ("day-of", Reason.NO_WINDOW),
    ]


def test_nobody_is_told_after_the_session_when_it_was_to_be() -> None:
    enrollment = a_month_ahead()
    enrollment.reschedule(B, "2026-12-08 21:00")
    enrollment.pause("2026-12-08 22:00")
    enrollment.resume("2026-12-17 09:00")
    assert enrollment.why("rescheduled") == ["cancelled session_moved"]


def test_a_paused_enrollment_that_moves_is_held_at_its_new_times() -> None:
    enrollment = a_month_ahead()
    enrollment.pause("2026-12-01 12:00")
    enrollment.reschedule(B, "2026-12-01 13:00")
    waiting = [row for row in enrollment.existing if row.waiting]
    assert {row.status for row in waiting} == {Status.HELD}
    assert {enrollment.reasons[row.id] for row in waiting} == {Reason.PAUSED}
    assert "2026-12-14 10:00 arrange-a-ride" in enrollment.ahead()
    assert not enrollment.new_calls


def test_a_resume_sends_nothing_twice() -> None:
    enrollment = a_month_ahead()
    enrollment.pause("2026-12-09 12:00")
    before = enrollment.sent()
    enrollment.resume("2026-12-09 12:30")
    assert not {line[17:] for line in enrollment.ahead()} & {line[17:] for line in before}


def test_stopped_texts_go_by_email_where_only_a_text_was_planned() -> None:
    enrollment = a_month_ahead()
    enrollment.stop("sms", "2026-12-08 12:00")
    waiting = {(row.step, str(row.channel)) for row in enrollment.existing if row.waiting}
    assert {channel for _, channel in waiting} == {"email"}
    assert {"day-before", "day-of", "evening-after", "check-in"} <= {name for name, _ in waiting}
    assert enrollment.ahead("day-of") == ["2026-12-09 19:59 day-of"]
    assert not enrollment.new_calls


def test_all_stopped_is_a_call_for_every_essential_step() -> None:
    enrollment = a_month_ahead()
    enrollment.stop("sms", "2026-12-08 12:00")
    enrollment.stop("email", "2026-12-08 12:00")
    assert not enrollment.ahead()
    assert [(call.step, call.reason) for call in enrollment.calls] == [
        (name, Reason.STOPPED) for name in ("day-before", "check-in", "day-of", "evening-after")
    ]


def test_stopped_emails_leave_the_texts_alone() -> None:
    enrollment = a_month_ahead()
    enrollment.stop("email", "2026-12-08 12:00")
    assert enrollment.ahead("day-before", "day-of") == lines(
        """2026-12-09 10:00 day-before
           2026-12-09 19:59 day-of"""
    )
    assert not enrollment.new_calls


def test_a_stop_while_paused_holds_the_email_too() -> None:
    enrollment = a_month_ahead()
    enrollment.pause("2026-12-08 12:00")
    enrollment.stop("sms", "2026-12-08 13:00")
    assert enrollment.why("day-of") == ["cancelled stopped", "held paused"]


def test_a_step_whose_email_failed_before_its_text_was_stopped_is_a_call() -> None:
    enrollment = a_month_ahead()
    enrollment.mark("day-before", "email", Status.FAILED, "2026-12-09 10:00")
    enrollment.stop("sms", "2026-12-09 10:00")
    assert [call.step for call in enrollment.new_calls] == ["day-before"]


def test_a_step_that_went_by_email_before_its_text_was_stopped_is_no_call() -> None:
    enrollment = a_month_ahead()
    enrollment.mark("day-before", "email", Status.ACCEPTED, "2026-12-09 10:00")
    enrollment.stop("sms", "2026-12-09 10:00")
    assert not enrollment.new_calls


def test_a_call_names_the_message() -> None:
    ride = replace(step("ride", "1 day before session at 10:00"), message="arrange-a-ride")
    enrollment = a_month_ahead(steps=schedule(ride))
    enrollment.stop("sms", "2026-12-08 12:00")
    enrollment.stop("email", "2026-12-08 12:00")
    assert [call.message for call in enrollment.new_calls] == ["arrange-a-ride"]


def test_the_email_that_stood_in_for_a_text_is_not_said_to_have_moved_with_the_visit() -> None:
    enrollment = a_month_ahead()
    enrollment.stop("sms", "2026-11-10 12:00")
    enrollment.journey = journey("2026-11-10 13:00", A, revision=2)
    enrollment.plan("2026-11-10 13:00")
    assert enrollment.why("day-of") == ["scheduled", "cancelled needless"]


def test_a_stop_taken_back_and_repeated_finds_the_row_that_is_there() -> None:
    enrollment = a_month_ahead()
    enrollment.stop("sms", "2026-12-08 12:00")
    enrollment.journey = journey("2026-11-10 13:00", A, revision=2)
    enrollment.plan("2026-12-08 13:00")
    assert enrollment.why("day-of") == ["scheduled", "cancelled already_told"]
    enrollment.stop("sms", "2026-12-08 14:00")
    assert enrollment.why("day-of") == ["cancelled stopped", "scheduled"]
    assert not enrollment.new_calls


def test_a_stop_reaches_steps_that_the_schedule_no_longer_has() -> None:
    enrollment = a_month_ahead()
    enrollment.journey = journey("2026-11-10 13:00", A, schedule(step("other", "at booking")))
    enrollment.stop("sms", "2026-12-08 12:00")
    assert not [r for r in enrollment.existing if r.waiting and r.channel is Channel.SMS]
    assert [call.step for call in enrollment.new_calls] == ["day-of", "evening-after"]


def test_a_stop_of_a_notice() -> None:
    enrollment = a_month_ahead()
    enrollment.reschedule(B, "2026-12-08 22:00")
    enrollment.stop("sms", "2026-12-08 22:30")
    enrollment.stop("email", "2026-12-08 22:30")
    assert "rescheduled" in {call.step for call in enrollment.calls}


SMS_ONLY = schedule(step("day-of", "2 hours before session", channels=["sms"]))
BOTH_WAYS = schedule(step("day-before", "1 day before session at 10:00"))
EMAIL_ONLY = schedule(step("letter", "1 day before session at 10:00", channels=["email"]))
LESSON = schedule(step("lesson", "1 day before session", channels=["sms"], weight="education"))
CAN, NO = None, Reason.NO_CONSENT

REACHED = [
    # what, schedule, sms, email, rows, calls
    ("a text, and texts may go", SMS_ONLY, CAN, CAN, ["sms scheduled"], []),
    ("a text, and only email may", SMS_ONLY, NO, CAN,
     ["sms skipped no_consent", "email scheduled"], []),
    ("a text, and nothing may", SMS_ONLY, NO, Reason.NO_ADDRESS,
     ["sms skipped no_consent"], ["day-of no_consent"]),
    ("a text to a bad number", SMS_ONLY, Reason.SUPPRESSED, NO,
     ["sms skipped suppressed"], ["day-of suppressed"]),
    ("a text after a stop", SMS_ONLY, Reason.STOPPED, Reason.STOPPED,
     ["sms skipped stopped"], ["day-of stopped"]),
    ("both, and only texts may", BOTH_WAYS, CAN, NO,
     ["sms scheduled", "email skipped no_consent"], []),
    ("both, and nothing may", BOTH_WAYS, NO, Reason.NO_ADDRESS,
     ["sms skipped no_consent", "email skipped no_address"], ["day-before no_consent"]),
    ("a letter is not sent as a text", EMAIL_ONLY, CAN, NO,
     ["email skipped no_consent"], ["letter no_consent"]),
    ("a letter needs no text where none may go", EMAIL_ONLY, NO, CAN, ["email scheduled"], []),
    ("a lesson by text is not mailed, and nobody calls", LESSON, NO, CAN,
     ["sms skipped no_consent"], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "sms", "email", "rows", "calls"),
    [row[1:] for row in REACHED],
    ids=[row[0] for row in REACHED],
)
def test_who_can_be_reached_how(
    steps: Schedule,
    sms: Reason | None,
    email: Reason | None,
    rows: list[str],
    calls: list[str],
) -> None:
    reach = {Channel.SMS: sms, Channel.EMAIL: email}
    whole = journey("2026-11-10 13:00", "2026-12-10 14:00", steps, reach=reach)
    found = plan(whole, whole.anchors.booking)
    assert [f"{r.channel} {r.status} {r.reason or ''}".strip() for r in found.add] == rows
    assert [f"{call.step} {call.reason}" for call in found.unsendable] == calls


def test_a_step_that_nobody_can_get_takes_no_slot() -> None:
    steps = schedule(
        step("letter", "1 day before session at 10:00", channels=["email"]),
        step("text", "1 day before session at 10:00", channels=["sms"]),
    )
    enrollment = a_month_ahead(steps=steps, reach={Channel.SMS: None, Channel.EMAIL: NO})
    assert enrollment.ahead() == ["2026-12-09 10:00 text"]


CALLS = [
    # what, the step's words, calls
    ("too late", {"until": "2 days before session"}, ["ride too_late"]),
    ("late, and not to be sent then", {"if_late": "skip"}, ["ride late"]),
    ("late, and sent", {}, []),
    ("education is never a call", {"if_late": "skip", "weight": "education"}, []),
]


@pytest.mark.parametrize(("given", "calls"), [row[1:] for row in CALLS], ids=[r[0] for r in CALLS])
def test_an_essential_step_that_does_not_go_out_is_a_call(
    given: dict[str, str], calls: list[str]
) -> None:
    steps = schedule(step("ride", "3 days before session at 10:00", **given))
    whole = journey("2026-12-08 13:00", A, steps)
    found = plan(whole, whole.anchors.booking)
    assert [f"{call.step} {call.reason}" for call in found.unsendable] == calls


def test_an_essential_step_that_is_skipped_with_its_group_is_a_call() -> None:
    steps = schedule(
        step("opener", "3 days before session", group="g", if_late="skip", weight="education"),
        step("follow-up", "1 day before session at 10:00", group="g"),
    )
    whole = journey("2026-12-08 13:00", A, steps)
    found = plan(whole, whole.anchors.booking)
    assert [(call.step, call.reason) for call in found.unsendable] == [
        ("follow-up", Reason.GROUP_SKIPPED)
    ]


def test_a_covered_step_is_no_call() -> None:
    enrollment = booked(journey("2026-12-08 19:30", "2026-12-10 07:30"))
    assert enrollment.why("arrange-a-ride") == ["skipped covered"]
    assert not enrollment.calls


def test_a_covered_step_without_consent_for_texts_is_no_call_either() -> None:
    reach = {Channel.SMS: NO, Channel.EMAIL: None}
    enrollment = booked(journey("2026-12-08 19:30", "2026-12-10 07:30", reach=reach))
    assert enrollment.why("arrange-a-ride") == ["skipped no_consent", "skipped covered"]
    assert not enrollment.calls


def test_calls_are_made_once() -> None:
    enrollment = booked(journey("2026-12-10 10:00", "2026-12-10 11:00"))
    assert [call.step for call in enrollment.new_calls] == [
        "arrange-a-ride",
        "day-before",
        "day-of",
    ]
    enrollment.plan("2026-12-10 10:30")
    assert not enrollment.new_calls


RIDES = schedule(
    step("ask", "3 days before session at 10:00", group="ride", answered_by="RIDE"),
    step("ask-again", "2 days before session at 10:00", group="ride"),
    step("other", "1 day before session at 10:00"),
)


def test_a_reply_makes_the_later_steps_of_its_group_needless_and_no_others() -> None:
    assert RIDES.needless_after("RIDE") == {"ask-again"}
    assert RIDES.needless_after("C") == frozenset()


def test_what_was_answered_is_not_planned_again_nor_called_about() -> None:
    """It came back from a provider after the answer: it is cancelled when all is planned anew."""
    enrollment = booked(journey("2026-12-01 10:00", A, RIDES))
    said_so = replace(enrollment.journey, answered=RIDES.needless_after("RIDE"))
    enrollment.journey = replace(said_so, revision=2)
    enrollment.plan("2026-12-02 10:00")
    assert enrollment.why("ask-again") == ["cancelled answered"]
    assert enrollment.why("ask") == enrollment.why("other") == ["scheduled"]
    assert not enrollment.calls
    assert enrollment.plan("2026-12-02 11:00").is_empty


def test_a_stop_after_an_answer_is_no_call_about_what_was_answered() -> None:
    enrollment = booked(
        journey("2026-12-01 10:00", A, RIDES, reach={Channel.SMS: None, Channel.EMAIL: NO})
    )
    enrollment.journey = replace(enrollment.journey, answered=frozenset({"ask-again"}))
    enrollment.stop("sms", "2026-12-02 10:00")
    assert [call.step for call in enrollment.calls] == ["ask", "other"]
