"""What becomes of the deliveries when the session moves: T8."""

import pytest

from drip.core.delivery import Reason, Status
from drip.core.planner import plan
from tests.core.journeys import Enrollment, booked, journey, lines, said, schedule, step

A = "2026-12-10 09:00"
B = "2026-12-17 09:00"
C = "2026-12-22 19:30"

MOVES = [
    # what, booked, moved, to, what is ahead then, whom to call about
    (
        "before welcome went out: no notice",
        "2026-11-10 22:00",
        "2026-11-10 23:00",
        "2026-12-17 09:00",
        """2026-11-11 09:00 welcome
           2026-11-11 11:00 what-is-ketamine
           2026-11-12 10:00 kinds-of-treatment
           2026-12-07 10:00 what-it-may-help
           2026-12-10 10:00 questions-to-ask
           2026-12-12 10:00 side-effects
           2026-12-14 10:00 arrange-a-ride
           2026-12-16 10:00 day-before
           2026-12-16 19:59 day-of
           2026-12-17 13:00 evening-after
           2026-12-18 10:00 check-in
           2026-12-24 10:00 week-after""",
        "",
    ),
    (
        "between the first lessons, before the window opens",
        "2026-11-10 13:00",
        "2026-11-12 08:00",
        "2026-12-17 09:00",
        """2026-11-12 09:00 rescheduled
           2026-11-12 11:00 kinds-of-treatment
           2026-12-07 10:00 what-it-may-help
           2026-12-10 10:00 questions-to-ask
           2026-12-12 10:00 side-effects
           2026-12-14 10:00 arrange-a-ride
           2026-12-16 10:00 day-before
           2026-12-16 19:59 day-of
           2026-12-17 13:00 evening-after
           2026-12-18 10:00 check-in
           2026-12-24 10:00 week-after""",
        "",
    ),
    (
        "between two lessons, a week later",
        "2026-11-10 13:00",
        "2026-12-04 12:00",
        "2026-12-17 09:00",
        """2026-12-04 12:00 rescheduled
           2026-12-12 10:00 side-effects
           2026-12-14 10:00 arrange-a-ride
           2026-12-16 10:00 day-before
           2026-12-16 19:59 day-of
           2026-12-17 13:00 evening-after
           2026-12-18 10:00 check-in
           2026-12-24 10:00 week-after""",
        "",
    ),
    (
        "between two lessons, two days sooner",
        "2026-11-10 13:00",
        "2026-12-04 12:00",
        "2026-12-08 09:00",
        """2026-12-04 12:00 rescheduled
           2026-12-04 14:00 side-effects
           2026-12-05 10:00 arrange-a-ride
           2026-12-07 10:00 day-before
           2026-12-07 19:59 day-of
           2026-12-08 13:00 evening-after
           2026-12-09 10:00 check-in
           2026-12-15 10:00 week-after""",
        "",
    ),
    (
        "after arrange-a-ride, a week later",
        "2026-11-10 13:00",
        "2026-12-08 12:00",
        "2026-12-17 09:00",
        """2026-12-08 12:00 rescheduled
           2026-12-14 10:00 arrange-a-ride #2
           2026-12-16 10:00 day-before
           2026-12-16 19:59 day-of
           2026-12-17 13:00 evening-after
           2026-12-18 10:00 check-in
           2026-12-24 10:00 week-after""",
        "",
    ),
    (
        "after arrange-a-ride, to tomorrow: day-before covers the ride",
        "2026-11-10 13:00",
        "2026-12-08 12:00",
        "2026-12-09 15:00",
        """2026-12-08 12:00 rescheduled
           2026-12-08 14:00 day-before
           2026-12-09 13:00 day-of
           2026-12-09 19:00 evening-after
           2026-12-10 10:00 check-in
           2026-12-16 10:00 week-after""",
        "",
    ),
    (
        "after day-before, by six hours: two steps went or go out that day already",
        "2026-11-10 13:00",
        "2026-12-09 10:30",
        "2026-12-10 15:00",
        """2026-12-09 10:30 rescheduled
           2026-12-10 09:00 day-before #2
           2026-12-10 13:00 day-of
           2026-12-10 19:00 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after""",
        "",
    ),
    (
        "an hour before the session: the notice comes too late, staff call",
        "2026-11-10 13:00",
        "2026-12-10 08:00",
        "2026-12-11 09:00",
        """2026-12-10 10:00 day-before #2
           2026-12-10 19:59 day-of #2
           2026-12-11 13:00 evening-after
           2026-12-12 10:00 check-in
           2026-12-18 10:00 week-after""",
        "rescheduled",
    ),
    (
        "after a session that did not take place",
        "2026-11-10 13:00",
        "2026-12-10 12:00",
        "2026-12-17 09:00",
        """2026-12-10 12:00 rescheduled
           2026-12-14 10:00 arrange-a-ride #2
           2026-12-16 10:00 day-before #2
           2026-12-16 19:59 day-of #2
           2026-12-17 13:00 evening-after
           2026-12-18 10:00 check-in
           2026-12-24 10:00 week-after""",
        "",
    ),
    (
        "after evening-after",
        "2026-11-10 13:00",
        "2026-12-10 15:00",
        "2026-12-17 09:00",
        """2026-12-10 15:00 rescheduled
           2026-12-14 10:00 arrange-a-ride #2
           2026-12-16 10:00 day-before #2
           2026-12-16 19:59 day-of #2
           2026-12-17 13:00 evening-after #2
           2026-12-18 10:00 check-in
           2026-12-24 10:00 week-after""",
        "",
    ),
    (
        "after check-in",
        "2026-11-10 13:00",
        "2026-12-12 09:00",
        "2026-12-22 19:30",
        """2026-12-12 09:00 rescheduled
           2026-12-19 10:00 arrange-a-ride #2
           2026-12-21 10:00 day-before #2
           2026-12-22 17:30 day-of #2
           2026-12-22 19:59 evening-after #2
           2026-12-23 10:00 check-in #2
           2026-12-29 10:00 week-after""",
        "",
    ),
    (
        "after everything",
        "2026-11-10 13:00",
        "2026-12-25 09:00",
        "2027-01-10 19:30",
        """2026-12-25 09:00 rescheduled
           2027-01-07 10:00 arrange-a-ride #2
           2027-01-09 10:00 day-before #2
           2027-01-10 17:30 day-of #2
           2027-01-10 19:59 evening-after #2
           2027-01-11 10:00 check-in #2
           2027-01-17 10:00 week-after #2""",
        "",
    ),
]


@pytest.mark.parametrize(
    ("booking", "now", "session", "expected", "calls"),
    [row[1:] for row in MOVES],
    ids=[row[0] for row in MOVES],
)
def test_the_journey_is_planned_anew(
    booking: str, now: str, session: str, expected: str, calls: str
) -> None:
    enrollment = booked(journey(booking, A))
    enrollment.reschedule(session, now)
    assert enrollment.ahead() == lines(expected)
    assert [call.step for call in enrollment.new_calls] == calls.split()


@pytest.mark.parametrize(
    ("booking", "now", "session"), [row[1:4] for row in MOVES], ids=[row[0] for row in MOVES]
)
def test_what_was_handed_over_stays_and_planning_again_changes_nothing(
    booking: str, now: str, session: str
) -> None:
    enrollment = booked(journey(booking, A))
    enrollment.send_until(now)
    before = [row for row in enrollment.existing if row.handed_over]
    enrollment.reschedule(session, now)
    assert [row for row in enrollment.existing if row.handed_over] == before
    for later in (now, "2026-12-16 12:00", "2026-12-30 12:00", "2027-02-01 12:00"):
        enrollment.send_until(later)
        again = plan(enrollment.journey, enrollment.clock(later), enrollment.existing)
        assert again.is_empty


RESENT = "arrange-a-ride", "day-before", "day-of", "rescheduled"


def moved(*moves: tuple[str, str]) -> Enrollment:
    """Booked for A a month ahead, then moved: (when, to which session)."""
    enrollment = booked(journey("2026-11-10 13:00", A))
    for now, session in moves:
        enrollment.reschedule(session, now)
    return enrollment


TWICE = [
    (
        "A, B, C: nothing sent in between",
        [("2026-12-08 21:00", B), ("2026-12-08 22:00", C)],
        """2026-12-09 09:00 rescheduled
           2026-12-19 10:00 arrange-a-ride #2
           2026-12-21 10:00 day-before
           2026-12-22 17:30 day-of""",
    ),
    (
        "A, B, C: the notice of B sent in between",
        [("2026-12-08 12:00", B), ("2026-12-09 12:00", C)],
        """2026-12-09 12:00 rescheduled #2
           2026-12-19 10:00 arrange-a-ride #2
           2026-12-21 10:00 day-before
           2026-12-22 17:30 day-of""",
    ),
    (
        "A, B, C: the notice and the ride for B sent in between",
        [("2026-12-08 12:00", B), ("2026-12-15 12:00", C)],
        """2026-12-15 12:00 rescheduled #2
           2026-12-19 10:00 arrange-a-ride #3
           2026-12-21 10:00 day-before
           2026-12-22 17:30 day-of""",
    ),
    (
        "A, B, A: nothing sent in between, and the patient hears nothing",
        [("2026-12-08 21:00", B), ("2026-12-08 22:00", A)],
        """2026-12-09 10:00 day-before
           2026-12-09 19:59 day-of""",
    ),
    (
        "A, B, A: the notice of B sent in between, so the ride is asked for again",
        [("2026-12-07 12:00", B), ("2026-12-08 09:30", A)],
        """2026-12-08 09:30 rescheduled #2
           2026-12-08 11:30 arrange-a-ride #2
           2026-12-09 10:00 day-before
           2026-12-09 19:59 day-of""",
    ),
    (
        "A, B, A: moved before anything that is sent again, the notice sent",
        [("2026-12-01 12:00", B), ("2026-12-02 12:00", A)],
        """2026-12-02 12:00 rescheduled #2
           2026-12-07 10:00 arrange-a-ride
           2026-12-09 10:00 day-before
           2026-12-09 19:59 day-of""",
    ),
    (
        "A, B, A, B: back and forth in one night",
        [("2026-12-08 21:00", B), ("2026-12-08 22:00", A), ("2026-12-08 23:00", B)],
        """2026-12-09 09:00 rescheduled
           2026-12-14 10:00 arrange-a-ride #2
           2026-12-16 10:00 day-before
           2026-12-16 19:59 day-of""",
    ),
    (
        "A, A: the same time again",
        [("2026-12-08 12:00", A)],
        """2026-12-09 10:00 day-before
           2026-12-09 19:59 day-of""",
    ),
]


@pytest.mark.parametrize(
    ("moves", "expected"), [row[1:] for row in TWICE], ids=[row[0] for row in TWICE]
)
def test_a_session_that_moves_again(moves: list[tuple[str, str]], expected: str) -> None:
    assert moved(*moves).ahead(*RESENT) == lines(expected)


def test_after_a_to_b_to_a_what_was_planned_for_b_is_cancelled() -> None:
    enrollment = moved(("2026-12-08 21:00", B), ("2026-12-08 22:00", A))
    assert enrollment.why("rescheduled") == ["cancelled already_told"]
    assert enrollment.why("arrange-a-ride") == ["accepted", "cancelled already_told"]


def test_moving_to_the_same_time_under_the_same_revision_changes_nothing() -> None:
    enrollment = booked(journey("2026-11-10 13:00", A))
    enrollment.send_until("2026-12-08 12:00")
    assert enrollment.plan("2026-12-08 12:00").is_empty


KEPT = "questions-to-ask", "side-effects", "welcome", "what-is-ketamine"


def test_what_is_kept_is_not_sent_twice() -> None:
    enrollment = moved(("2026-12-08 12:00", B), ("2026-12-15 12:00", C))
    assert not enrollment.ahead(*KEPT)
    assert len(enrollment.sent(*KEPT)) == len(KEPT)


def test_a_delivery_on_its_way_counts_as_handed_over() -> None:
    for status in (Status.SENDING, Status.UNKNOWN):
        enrollment = booked(journey("2026-11-10 13:00", A))
        enrollment.send_until("2026-12-09 12:00")
        for channel in ("sms", "email"):
            enrollment.mark("day-before", channel, status)
        enrollment.reschedule(B, "2026-12-09 12:00")
        assert enrollment.why("day-before") == [str(status), "scheduled"]
        assert enrollment.ahead("day-before") == ["2026-12-16 10:00 day-before #2"]


def test_a_claimed_delivery_was_not_handed_over() -> None:
    enrollment = booked(journey("2026-11-10 13:00", A))
    enrollment.mark("day-before", "sms", Status.CLAIMED)
    enrollment.reschedule(B, "2026-12-09 10:00")
    assert enrollment.ahead("day-before") == ["2026-12-16 10:00 day-before"]


def test_skipped_steps_and_steps_tied_to_the_booking_are_planned_anew() -> None:
    enrollment = booked(journey("2026-12-08 19:30", "2026-12-10 07:30"))
    assert enrollment.why("questions-to-ask") == ["skipped crowded"]
    assert enrollment.why("kinds-of-treatment") == ["skipped too_late"]
    enrollment.reschedule(C, "2026-12-08 19:45")
    assert enrollment.ahead("questions-to-ask", "kinds-of-treatment", "what-it-may-help") == lines(
        """2026-12-10 10:00 kinds-of-treatment
           2026-12-12 10:00 what-it-may-help
           2026-12-15 10:00 questions-to-ask"""
    )


def test_a_lesson_that_waits_for_its_slot_is_not_late_when_the_session_moves() -> None:
    # what-is-ketamine was due at 10:00 and waits until 11:00, two hours after welcome.
    enrollment = booked(journey("2026-11-10 22:00", A))
    assert enrollment.ahead("what-is-ketamine") == ["2026-11-11 11:00 what-is-ketamine"]
    enrollment.reschedule(B, "2026-11-11 10:30")
    # Welcome and the notice fill the day.
    assert enrollment.ahead("what-is-ketamine") == ["2026-11-12 09:00 what-is-ketamine"]


def test_a_lesson_whose_new_time_is_past_is_late() -> None:
    enrollment = booked(journey("2026-11-10 13:00", A))
    enrollment.reschedule("2026-11-20 09:00", "2026-11-13 12:00")
    assert enrollment.why("what-it-may-help") == ["skipped late"]


NOTICES = [
    # what, moved, from A to, until
    ("the new session is later: until the old", "2026-12-01 12:00", B, "2026-12-10 09:00"),
    ("the new session is sooner: until the new", "2026-12-01 12:00", "2026-12-05 09:00",
     "2026-12-05 09:00"),
    ("the old session is past: until the new", "2026-12-12 12:00", B, "2026-12-17 09:00"),
    ("the old session is right now: until the new", "2026-12-10 09:00", B, "2026-12-17 09:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "session", "until"), [row[1:] for row in NOTICES], ids=[row[0] for row in NOTICES]
)
def test_a_notice_lasts_until_the_earlier_session(now: str, session: str, until: str) -> None:
    enrollment = booked(journey("2026-11-10 13:00", A))
    enrollment.reschedule(session, now)
    notices = [row for row in enrollment.existing if row.step == "rescheduled"]
    assert [said(row.until) for row in notices] == [until, until]
    assert [said(row.session_at) for row in notices] == [session, session]
    assert {row.occurrence for row in notices} == {1}


def test_there_is_one_unsent_notice_at_most_and_it_speaks_of_the_newest_session() -> None:
    enrollment = moved(("2026-12-08 21:00", B), ("2026-12-08 22:00", C))
    notices = [row for row in enrollment.existing if row.step == "rescheduled" and row.waiting]
    assert [(row.channel, said(row.session_at)) for row in notices] == [("sms", C), ("email", C)]


def test_a_notice_that_went_by_text_only_is_not_also_mailed_about_the_session_before() -> None:
    enrollment = moved(("2026-12-08 12:00", B))
    enrollment.mark("rescheduled", "sms", Status.ACCEPTED, "2026-12-08 12:00")
    enrollment.journey = journey("2026-11-10 13:00", C, revision=3)
    enrollment.plan("2026-12-08 12:00")
    waiting = [row for row in enrollment.existing if row.step == "rescheduled" and row.waiting]
    assert {(row.occurrence, said(row.session_at)) for row in waiting} == {(2, C)}
    assert enrollment.why("rescheduled") == ["accepted", "cancelled session_moved", "scheduled"]


def test_a_notice_is_not_delayed_but_others_keep_their_distance_from_it() -> None:
    enrollment = booked(journey("2026-11-10 13:00", A))
    enrollment.reschedule("2026-12-11 09:00", "2026-12-08 09:00")
    assert enrollment.ahead("rescheduled", "arrange-a-ride") == lines(
        """2026-12-08 09:00 rescheduled
           2026-12-08 11:00 arrange-a-ride #2"""
    )


def test_others_keep_their_distance_from_a_notice_that_goes_by_email_only() -> None:
    no_texts = {"sms": Reason.NO_CONSENT, "email": None}
    enrollment = booked(journey("2026-11-10 13:00", A, reach=no_texts))
    enrollment.reschedule("2026-12-11 09:00", "2026-12-08 09:00")
    assert enrollment.ahead("rescheduled", "arrange-a-ride") == lines(
        """2026-12-08 09:00 rescheduled
           2026-12-08 11:00 arrange-a-ride #2"""
    )


def test_a_notice_that_was_sent_while_welcome_is_not_is_impossible() -> None:
    enrollment = booked(journey("2026-11-10 22:00", A))
    enrollment.reschedule(B, "2026-11-10 23:00")
    enrollment.reschedule(C, "2026-11-10 23:30")
    assert enrollment.why("rescheduled") == []
    assert {said(row.session_at) for row in enrollment.existing} == {C}


def test_a_step_that_went_out_by_text_is_finished_by_email_about_the_new_session() -> None:
    enrollment = booked(journey("2026-11-10 13:00", A))
    enrollment.send_until("2026-12-03 10:00")
    enrollment.mark("questions-to-ask", "sms", Status.ACCEPTED, "2026-12-03 10:00")
    enrollment.reschedule(B, "2026-12-03 10:00")
    waiting = [row for row in enrollment.existing if row.step == "questions-to-ask" and row.waiting]
    assert [(row.channel, row.occurrence, said(row.session_at)) for row in waiting] == [
        ("email", 1, B)
    ]


def test_a_step_that_went_out_on_one_channel_needs_no_call_where_the_other_cannot() -> None:
    steps = schedule(
        step("hello", "at booking"),
        step("ride", "3 days before session at 10:00", until="2 days before session at 12:00"),
    )
    enrollment = booked(journey("2026-11-10 13:00", A, steps))
    enrollment.send_until("2026-12-07 10:00")
    enrollment.mark("ride", "sms", Status.ACCEPTED, "2026-12-07 10:00")
    enrollment.resume("2026-12-08 12:00")
    assert enrollment.why("ride") == ["accepted", "skipped too_late"]
    assert not enrollment.new_calls


def test_what_went_out_on_one_channel_counts_where_the_other_is_planned_anew() -> None:
    steps = schedule(
        step("hello", "at booking"),
        step("ride", "3 days before session at 10:00", until="3 days before session at 10:30"),
        step("food", "3 days before session at 11:30"),
    )
    enrollment = booked(journey("2026-11-10 13:00", A, steps))
    assert enrollment.ahead("food") == ["2026-12-07 12:00 food"]
    enrollment.send_until("2026-12-07 10:00")
    enrollment.mark("ride", "sms", Status.ACCEPTED, "2026-12-07 10:00")
    enrollment.resume("2026-12-07 10:45")
    assert enrollment.ahead("food") == ["2026-12-07 12:00 food"]


def test_the_other_channel_of_a_step_needs_no_slot() -> None:
    steps = schedule(
        step("ride", "3 days before session at 10:00"),
        step("food", "3 days before session at 12:00"),
    )
    enrollment = booked(journey("2026-11-10 13:00", A, steps))
    enrollment.mark("ride", "sms", Status.ACCEPTED, "2026-12-07 10:00")
    enrollment.resume("2026-12-07 10:30")
    assert enrollment.ahead() == lines(
        """2026-12-07 10:30 ride
           2026-12-07 12:00 food"""
    )


def test_a_step_is_not_covered_by_words_that_were_contradicted() -> None:
    steps = schedule(
        step("welcome", "at booking"),
        step("ride", "1 day before session at 18:00", until="3 hours before session"),
        step(
            "again",
            "1 day before session at 10:00",
            until="20 hours before session",
            covers=["ride"],
            on_reschedule="resend",
        ),
    )
    enrollment = booked(journey("2026-11-10 13:00", A, steps))
    enrollment.reschedule(B, "2026-12-09 11:00")
    enrollment.reschedule(A, "2026-12-09 14:00")
    assert enrollment.why("again") == ["accepted", "skipped too_late"]
    assert enrollment.ahead("ride") == ["2026-12-09 18:00 ride"]


def test_what_reached_nobody_is_not_what_the_patient_knows() -> None:
    enrollment = booked(journey("2026-11-10 13:00", A))
    enrollment.reschedule(B, "2026-12-01 12:00")
    for channel in ("sms", "email"):
        enrollment.mark("rescheduled", channel, Status.UNDELIVERED, "2026-12-01 12:00")
    enrollment.reschedule(A, "2026-12-01 15:00")
    # The patient was last told of A by welcome.
    assert not enrollment.ahead("rescheduled")


def test_a_step_that_waits_under_no_revision_any_more_says_why() -> None:
    enrollment = booked(journey("2026-11-10 13:00", A))
    without = schedule(*(s for s in enrollment.journey.schedule.steps if s.name != "week-after"))
    enrollment.reschedule(B, "2026-11-12 12:00", schedule=without)
    assert enrollment.why("week-after") == ["cancelled session_moved"]
