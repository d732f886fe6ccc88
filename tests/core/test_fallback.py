"""A text that failed for good: the same step by email, where email may (T12)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from drip.core.delivery import Reason, Status
from drip.core.fallback import Mailbox, by_email
from drip.core.planner import Plan, PlannedDelivery
from drip.core.schedule import Channel, Weight
from tests.core.journeys import Enrollment, at, booked, journey, schedule, step

SESSION = "2026-12-15 13:00"
DUE = "2026-12-15 11:00"
SOON = "2026-12-15 11:05"


def failing() -> Enrollment:
    """An enrollment whose text on the day of the session has just failed."""
    enrollment = booked(journey("2026-12-01 10:00", SESSION))
    enrollment.send_until(SOON)
    enrollment.mark("day-of", "sms", Status.FAILED)
    return enrollment


def mailbox(enrollment: Enrollment, **more: Any) -> Mailbox:
    whole = enrollment.journey
    known = Mailbox(
        whole.reach[Channel.EMAIL],
        whole.zone,
        whole.window,
        whole.anchors.session,
        whole.revision,
        whole.paused,
    )
    return replace(known, **more)


def fall_back(
    enrollment: Enrollment, now: str = SOON, name: str = "day-of", **more: Any
) -> PlannedDelivery | None:
    (text,) = (row for row in enrollment.existing if (row.step, row.channel) == (name, Channel.SMS))
    box = mailbox(enrollment, **more)
    planned = by_email(text, name, enrollment.existing, box, at(now))
    if planned is not None:
        enrollment.apply(Plan(add=(planned,)))
    return planned


def test_it_is_due_now_and_as_useful_as_the_text_was() -> None:
    planned = fall_back(failing())
    assert planned is not None
    assert (planned.channel, planned.status, planned.due_at) == (
        Channel.EMAIL,
        Status.SCHEDULED,
        at(SOON),
    )
    assert (planned.planned_at, planned.until) == (at(DUE), at("2026-12-15 12:00"))


def test_in_a_crisis_it_is_held_where_it_is_education_alone() -> None:
    held = fall_back(failing(), education_paused=True, paused=True)
    assert held is not None
    assert (held.status, held.reason) == (Status.HELD, Reason.PAUSED)
    essential = fall_back(failing(), education_paused=True)
    assert essential is not None
    assert essential.status is Status.SCHEDULED
    only_text = step("lesson", "3 days before session", channels=("sms",), weight="education")
    enrollment = booked(journey("2026-12-01 10:00", SESSION, schedule(only_text)))
    enrollment.send_until(SOON)
    enrollment.mark("lesson", "sms", Status.FAILED)
    lesson = fall_back(enrollment, "2026-12-12 14:00", "lesson", education_paused=True)
    assert lesson is not None
    assert (lesson.status, lesson.reason) == (Status.HELD, Reason.CRISIS)


def test_there_is_one_and_no_more() -> None:
    enrollment = failing()
    assert fall_back(enrollment) is not None
    assert fall_back(enrollment) is None
    enrollment.mark("day-of", "email", Status.FAILED)
    assert fall_back(enrollment) is None


def test_a_step_with_an_email_of_its_own_needs_none() -> None:
    enrollment = failing()
    enrollment.mark("day-before", "sms", Status.FAILED)
    assert fall_back(enrollment, name="day-before") is None


@pytest.mark.parametrize(
    "more",
    [
        {"blocked": Reason.NO_CONSENT},
        {"blocked": Reason.NO_ADDRESS},
        {"session_at": at("2026-12-16 13:00")},
    ],
    ids=["no consent", "no address", "the session moved"],
)
def test_where_email_may_not_go_there_is_none(more: dict[str, Any]) -> None:
    assert fall_back(failing(), **more) is None


def test_after_its_until_it_is_of_no_use() -> None:
    assert fall_back(failing(), now="2026-12-15 12:00") is None


def test_outside_the_window_it_waits_for_the_opening_if_that_is_early_enough() -> None:
    enrollment = booked(journey("2026-12-01 10:00", "2026-12-15 16:00"))
    enrollment.send_until("2026-12-15 20:05")
    enrollment.mark("evening-after", "sms", Status.FAILED)
    assert fall_back(enrollment, now="2026-12-15 20:05", name="evening-after") is None
    lesson = schedule(step("lesson", "1 day after booking at 10:00", channels=["sms"]))
    enrollment = booked(journey("2026-12-01 10:00", SESSION, lesson))
    enrollment.send_until("2026-12-02 20:05")
    enrollment.mark("lesson", "sms", Status.FAILED)
    planned = fall_back(enrollment, now="2026-12-02 20:05", name="lesson")
    assert planned is not None
    assert planned.due_at == at("2026-12-03 09:00")


def test_a_lesson_that_goes_by_text_only_goes_by_email_too() -> None:
    lesson = schedule(
        step("lesson", "1 day after booking at 10:00", channels=["sms"], weight="education")
    )
    enrollment = booked(journey("2026-12-01 10:00", SESSION, lesson))
    enrollment.send_until("2026-12-02 10:05")
    enrollment.mark("lesson", "sms", Status.FAILED)
    planned = fall_back(enrollment, now="2026-12-02 10:05", name="lesson")
    assert planned is not None
    assert planned.weight is Weight.EDUCATION


def test_planning_again_changes_nothing() -> None:
    enrollment = failing()
    fall_back(enrollment)
    for minutes in (0, 10, 54):
        assert enrollment.plan(at(SOON) + timedelta(minutes=minutes)) == Plan()


def test_it_outlives_a_pause_that_ends_in_time() -> None:
    enrollment = failing()
    fall_back(enrollment)
    enrollment.pause("2026-12-15 11:05")
    enrollment.resume("2026-12-15 11:20")
    assert enrollment.ahead("day-of") == ["2026-12-15 11:20 day-of"]
    (email,) = (r for r in enrollment.existing if (r.step, r.channel) == ("day-of", Channel.EMAIL))
    assert email.waiting
    assert enrollment.plan("2026-12-15 11:30") == Plan()


def test_it_becomes_a_call_where_the_pause_ends_too_late() -> None:
    enrollment = failing()
    fall_back(enrollment)
    enrollment.pause("2026-12-15 11:05")
    enrollment.resume("2026-12-15 12:30")
    assert enrollment.ahead("day-of") == []
    assert [(call.step, call.reason) for call in enrollment.new_calls] == [
        ("day-of", Reason.TOO_LATE)
    ]


def test_it_becomes_a_call_where_email_is_stopped() -> None:
    enrollment = failing()
    fall_back(enrollment)
    enrollment.stop("email", "2026-12-15 11:05")
    assert "day-of" in [call.step for call in enrollment.new_calls]


def test_after_a_reschedule_the_step_is_a_text_again() -> None:
    enrollment = failing()
    fall_back(enrollment)
    enrollment.reschedule("2026-12-20 13:00", SOON)
    waiting = [
        (row.channel, row.occurrence)
        for row in enrollment.existing
        if row.step == "day-of" and row.waiting
    ]
    assert waiting == [(Channel.SMS, 2)]


def test_what_the_patient_has_answered_meanwhile_is_not_asked_by_email() -> None:
    assert fall_back(failing(), answered=frozenset({"day-of"})) is None
