"""How close a patient's steps may come: T7."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drip.core.clinic import Crowding
from drip.core.planner import plan
from drip.core.schedule import Schedule, Step
from drip.core.slots import Slots
from drip.core.window import SendWindow
from tests.core.journeys import (
    ALL_DAY,
    NEW_YORK,
    NINE_TO_EIGHT,
    Enrollment,
    at,
    journey,
    lines,
    said,
    schedule,
    step,
    timeline,
)

WELCOME = step("welcome", "at booking", until="at session")


def planned(
    steps: Schedule, booked: str, session: str, crowding: Crowding | None = None
) -> list[str]:
    whole = journey(booked, session, steps, crowding=crowding or Crowding())
    return timeline(plan(whole, whole.anchors.booking).add)


def lesson(name: str, when: str = "3 days before session at 10:00", **given: Any) -> Step:
    return step(name, when, weight="education", **given)


SHORT = "1 hour before session"

TABLES = [
    (
        "two at one time: the later in the file moves two hours",
        schedule(
            step("first", "3 days before session at 10:00"),
            step("second", "3 days before session at 10:00"),
        ),
        """2026-12-07 10:00 first
           2026-12-07 12:00 second""",
    ),
    (
        "what is due first is placed first, whatever the file says",
        schedule(
            step("later", "3 days before session at 11:00"),
            step("earlier", "3 days before session at 10:00"),
        ),
        """2026-12-07 10:00 earlier
           2026-12-07 12:00 later""",
    ),
    (
        "two hours apart is enough",
        schedule(
            step("first", "3 days before session at 10:00"),
            step("second", "3 days before session at 12:00"),
        ),
        """2026-12-07 10:00 first
           2026-12-07 12:00 second""",
    ),
    (
        "a minute less is not: also before a step that has its slot",
        schedule(
            lesson("lesson", "3 days before session at 10:01"),
            step("reminder", "3 days before session at 12:00"),
        ),
        """2026-12-07 12:00 reminder
           2026-12-07 14:00 lesson""",
    ),
    (
        "a third step goes to the next day",
        schedule(
            step("first", "3 days before session at 10:00"),
            step("second", "3 days before session at 14:00"),
            step("third", "3 days before session at 18:00"),
        ),
        """2026-12-07 10:00 first
           2026-12-07 14:00 second
           2026-12-08 09:00 third""",
    ),
    (
        "what moves past the close goes to the next opening",
        schedule(
            step("first", "3 days before session at 18:30"),
            step("second", "3 days before session at 18:30"),
        ),
        """2026-12-07 18:30 first
           2026-12-08 09:00 second""",
    ),
    (
        "an essential step has its slot before education that is due earlier",
        schedule(
            lesson("lesson", "3 days before session at 09:30"),
            step("reminder", "3 days before session at 10:00"),
        ),
        """2026-12-07 10:00 reminder
           2026-12-07 12:00 lesson""",
    ),
    (
        "education without a slot before `until` is skipped",
        schedule(
            lesson("lesson", until="3 days before session at 11:59"),
            step("reminder", "3 days before session at 10:00"),
        ),
        """2026-12-07 10:00 reminder
           - lesson: crowded""",
    ),
    (
        "a slot at `until` is none",
        schedule(
            lesson("lesson", until="3 days before session at 12:00"),
            step("reminder", "3 days before session at 10:00"),
        ),
        """2026-12-07 10:00 reminder
           - lesson: crowded""",
    ),
    (
        "an essential step without a slot goes at its time, beside the other",
        schedule(
            step("first", "3 days before session at 10:00"),
            step("second", "3 days before session at 10:30", until="70 hours before session"),
        ),
        """2026-12-07 10:00 first
           2026-12-07 10:30 second""",
    ),
    (
        "a third essential step of a day that cannot wait goes all the same",
        schedule(
            step("first", "3 days before session at 10:00"),
            step("second", "3 days before session at 13:00"),
            step("third", "3 days before session at 16:00", until="3 days before session at 19:00"),
        ),
        """2026-12-07 10:00 first
           2026-12-07 13:00 second
           2026-12-07 16:00 third""",
    ),
    (
        "a covered step without a slot is skipped",
        schedule(
            step("ride", "3 days before session at 10:00", until="3 days before session at 11:00"),
            step("again", "3 days before session at 10:30", covers=["ride"]),
        ),
        """2026-12-07 10:30 again
           - ride: covered""",
    ),
    (
        "a covered step with a slot goes",
        schedule(
            step("ride", "3 days before session at 10:00"),
            step("again", "1 day before session at 10:00", covers=["ride"]),
        ),
        """2026-12-07 10:00 ride
           2026-12-09 10:00 again""",
    ),
    (
        "a covered step whose slot is later than its coverer's goes in it",
        schedule(
            step("ride", "3 days before session at 10:00"),
            step("again", "3 days before session at 10:30", covers=["ride"]),
        ),
        """2026-12-07 10:30 again
           2026-12-07 12:30 ride""",
    ),
    (
        "a coverer that goes out after the step's `until` does not cover it",
        schedule(
            step("other", "3 days before session at 10:00"),
            step("ride", "3 days before session at 10:00", until="3 days before session at 11:00"),
            step("again", "3 days before session at 12:00", covers=["ride"]),
        ),
        """2026-12-07 10:00 other
           2026-12-07 10:00 ride
           2026-12-07 12:00 again""",
    ),
    (
        "a coverer that goes out right at the step's `until` covers it",
        schedule(
            step("other", "3 days before session at 10:00"),
            step("ride", "3 days before session at 10:00", until="3 days before session at 12:00"),
            step("again", "3 days before session at 12:00", covers=["ride"]),
        ),
        """2026-12-07 10:00 other
           2026-12-07 12:00 again
           - ride: covered""",
    ),
    (
        "a coverer that is skipped covers nothing",
        schedule(
            step("other", "3 days before session at 10:00"),
            step("ride", "3 days before session at 10:00", until="3 days before session at 11:00"),
            step("again", "3 days before session at 10:00", until="4 days before session",
                 covers=["ride"]),
        ),
        """2026-12-07 10:00 other
           2026-12-07 10:00 ride
           - again: too_late""",
    ),
    (
        "a step that nothing planned covers is placed like any other",
        schedule(
            step("ride", "3 days before session at 10:00"),
            step("other", "3 days before session at 10:30"),
            step("again", "3 days before session at 10:00", until="4 days before session",
                 covers=["ride"]),
        ),
        """2026-12-07 10:00 ride
           2026-12-07 12:00 other
           - again: too_late""",
    ),
    (
        "education that covers is given its slot last and covers nothing that goes before it",
        schedule(
            step("other", "3 days before session at 10:00"),
            step("ride", "3 days before session at 10:00", until="3 days before session at 11:00"),
            lesson("lesson", "3 days before session at 10:00", covers=["ride"]),
        ),
        """2026-12-07 10:00 other
           2026-12-07 10:00 ride
           2026-12-08 09:00 lesson""",
    ),
    (
        "education may be covered in words, but it is crowded or not like any other",
        schedule(
            lesson("lesson", until="3 days before session at 11:00"),
            step("again", "3 days before session at 10:30", covers=["lesson"]),
        ),
        """2026-12-07 10:30 again
           - lesson: crowded""",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "expected"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES]
)
def test_steps_get_slots(steps: Schedule, expected: str) -> None:
    found = planned(steps, "2026-11-20 13:00", "2026-12-10 09:00")
    assert found == lines(expected)


GROUPS = [
    (
        "a follow-up goes with its opener",
        schedule(
            step("opener", "3 days before session at 10:00", group="g"),
            step("follow-up", "2 days before session at 10:00", group="g"),
        ),
        """2026-12-07 10:00 opener
           2026-12-08 10:00 follow-up""",
    ),
    (
        "a follow-up of a late opener is skipped",
        schedule(
            step("opener", "30 days before session at 10:00", group="g", if_late="skip"),
            step("follow-up", "2 days before session at 10:00", group="g"),
        ),
        """- opener: late
           - follow-up: group_skipped""",
    ),
    (
        "unless it starts the group itself",
        schedule(
            step("opener", "30 days before session at 10:00", group="g", if_late="skip"),
            step("follow-up", "2 days before session at 10:00", group="g", start_group=True),
        ),
        """2026-12-08 10:00 follow-up
           - opener: late""",
    ),
    (
        "a skipped follow-up takes no slot",
        schedule(
            step("opener", "30 days before session at 10:00", group="g", if_late="skip"),
            step("follow-up", "2 days before session at 10:00", group="g"),
            lesson("lesson", "2 days before session at 10:00"),
        ),
        """2026-12-08 10:00 lesson
           - opener: late
           - follow-up: group_skipped""",
    ),
    (
        "education that opens a group for an essential step has its slot before it",
        schedule(
            lesson("opener", "3 days before session at 10:00", group="g",
                   until="3 days before session at 11:00"),
            step("follow-up", "3 days before session at 09:30", group="g"),
        ),
        """2026-12-07 10:00 opener
           2026-12-07 12:00 follow-up""",
    ),
    (
        "a follow-up of an opener that is crowded out is skipped",
        schedule(
            step("other", "3 days before session at 10:00"),
            lesson("opener", group="g", until="3 days before session at 11:00"),
            lesson("follow-up", "2 days before session at 10:00", group="g"),
        ),
        """2026-12-07 10:00 other
           - opener: crowded
           - follow-up: group_skipped""",
    ),
    (
        "a follow-up that is too late itself says so",
        schedule(
            step("opener", "30 days before session at 10:00", group="g", if_late="skip"),
            step("follow-up", "2 days before session at 10:00", group="g",
                 until="3 days before session"),
        ),
        """- opener: late
           - follow-up: too_late""",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "expected"), [row[1:] for row in GROUPS], ids=[row[0] for row in GROUPS]
)
def test_a_follow_up_depends_on_its_opener(steps: Schedule, expected: str) -> None:
    assert planned(steps, "2026-11-20 13:00", "2026-12-10 09:00") == lines(expected)


FIRST = [
    (
        "by day: all that is due waits for welcome",
        "2026-12-09 13:00",
        """2026-12-09 13:00 welcome
           2026-12-09 15:00 reminder
           - lesson: crowded""",
    ),
    (
        "at night: welcome in the morning, nothing before it",
        "2026-12-08 21:00",
        """2026-12-09 09:00 welcome
           2026-12-09 11:00 reminder
           - lesson: crowded""",
    ),
    (
        "long before: each at its time",
        "2026-11-20 13:00",
        """2026-11-20 13:00 welcome
           2026-12-07 10:00 lesson
           2026-12-07 12:00 reminder""",
    ),
    (
        "no hour for welcome, none for the others",
        "2026-12-09 21:00",
        """- lesson: no_window
           - welcome: no_window
           - reminder: no_window""",
    ),
]


@pytest.mark.parametrize(
    ("booked", "expected"), [row[1:] for row in FIRST], ids=[row[0] for row in FIRST]
)
def test_nothing_goes_before_welcome(booked: str, expected: str) -> None:
    steps = schedule(
        lesson("lesson"), WELCOME, step("reminder", "3 days before session at 12:00", until=SHORT)
    )
    assert planned(steps, booked, "2026-12-10 09:00") == lines(expected)


def test_of_two_steps_at_booking_the_first_in_the_file_is_the_welcome() -> None:
    steps = schedule(
        WELCOME, lesson("lesson", "at booking"), step("reminder", "3 days before session at 10:00")
    )
    assert planned(steps, "2026-12-08 13:00", "2026-12-10 09:00") == lines(
        """2026-12-08 13:00 welcome
           2026-12-08 15:00 reminder
           2026-12-09 09:00 lesson"""
    )


def test_welcome_is_first_wherever_it_stands_in_the_file() -> None:
    steps = schedule(step("reminder", "3 days before session at 10:00", until=SHORT), WELCOME)
    assert planned(steps, "2026-12-09 13:00", "2026-12-10 09:00") == lines(
        """2026-12-09 13:00 welcome
           2026-12-09 15:00 reminder"""
    )


def test_a_step_that_is_added_later_does_not_go_before_a_welcome_that_still_waits() -> None:
    enrollment = Enrollment(journey("2026-12-08 22:00", "2026-12-10 09:00", schedule(WELCOME)))
    enrollment.plan("2026-12-08 22:00", elsewhere=[at("2026-12-09 09:00")])
    assert enrollment.ahead() == ["2026-12-09 11:00 welcome"]
    reminder = step("reminder", "3 days before session at 10:00", until=SHORT)
    enrollment.journey = replace(enrollment.journey, schedule=schedule(WELCOME, reminder))
    enrollment.plan("2026-12-08 22:30")
    assert enrollment.ahead("reminder") == ["2026-12-09 13:00 reminder"]


def test_what_is_useless_once_welcome_has_found_its_slot_is_too_late() -> None:
    steps = schedule(
        WELCOME, step("reminder", "3 days before session", until="20 hours before session")
    )
    whole = journey("2026-12-09 12:30", "2026-12-10 09:00", steps)
    found = plan(whole, whole.anchors.booking, (), [at("2026-12-09 12:00")])
    assert timeline(found.add) == ["2026-12-09 14:00 welcome", "- reminder: too_late"]


def test_a_late_step_is_not_sent_after_the_anchor_that_it_lies_before() -> None:
    steps = schedule(step("reminder", "1 day before session", until="2 days after session"))
    whole = journey("2026-12-01 12:30", "2026-12-10 09:00", steps)
    assert timeline(plan(whole, at("2026-12-10 09:00")).add) == ["- reminder: too_late"]


def test_a_step_that_would_have_to_go_before_welcome_is_too_late() -> None:
    steps = schedule(WELCOME, step("day-of", "2 hours before session", until=SHORT))
    found = planned(steps, "2026-12-09 19:59", "2026-12-10 09:00")
    assert found == ["2026-12-09 19:59 day-of", "2026-12-09 19:59 welcome"]
    found = planned(steps, "2026-12-09 20:00", "2026-12-10 09:30")
    assert found == ["2026-12-10 09:00 welcome", "- day-of: no_window"]


CLINICS = [
    (
        "one step a day",
        Crowding(steps_per_day=1),
        """2026-12-07 10:00 first
           2026-12-08 09:00 second
           2026-12-09 09:00 third""",
    ),
    (
        "three steps a day",
        Crowding(steps_per_day=3),
        """2026-12-07 10:00 first
           2026-12-07 12:00 second
           2026-12-07 14:00 third""",
    ),
    (
        "half an hour between",
        Crowding(steps_per_day=3, spacing=timedelta(minutes=30)),
        """2026-12-07 10:00 first
           2026-12-07 10:30 second
           2026-12-07 11:00 third""",
    ),
    (
        "nothing between",
        Crowding(steps_per_day=3, spacing=timedelta()),
        """2026-12-07 10:00 first
           2026-12-07 10:00 second
           2026-12-07 10:00 third""",
    ),
    (
        "more than a day between",
        Crowding(spacing=timedelta(hours=30)),
        """2026-12-07 10:00 first
           2026-12-08 16:00 second
           2026-12-10 09:00 third""",
    ),
    (
        "no step a day: all at their time, since they are essential",
        Crowding(steps_per_day=0),
        """2026-12-07 10:00 first
           2026-12-07 10:00 second
           2026-12-07 10:00 third""",
    ),
]


@pytest.mark.parametrize(
    ("crowding", "expected"), [row[1:] for row in CLINICS], ids=[row[0] for row in CLINICS]
)
def test_a_clinic_says_how_close(crowding: Crowding, expected: str) -> None:
    when = "3 days before session at 10:00"
    steps = schedule(step("first", when), step("second", when), step("third", when))
    assert planned(steps, "2026-11-20 13:00", "2026-12-10 19:30", crowding) == lines(expected)


def test_steps_of_the_patients_other_enrollments_count() -> None:
    whole = journey(
        "2026-11-20 13:00",
        "2026-12-10 09:00",
        schedule(step("a", "3 days before session at 10:00")),
    )
    elsewhere = [at("2026-12-07 08:30"), at("2026-12-07 19:00")]
    found = plan(whole, whole.anchors.booking, (), elsewhere)
    assert timeline(found.add) == ["2026-12-08 09:00 a"]


NEXT_FREE = [
    # what, zone, taken, from, free
    ("a free time is kept", NEW_YORK, [], "2026-12-10 10:00", "2026-12-10 10:00"),
    ("past a chain of taken times", NEW_YORK, ["2026-12-10 10:00", "2026-12-09 22:00"],
     "2026-12-10 09:00", "2026-12-10 12:00"),
    ("two hours elapse over fall back", NEW_YORK, ["2026-11-01 00:30"],
     "2026-11-01 00:30", "2026-11-01 01:30 (2nd)"),
    ("two hours elapse over spring forward", NEW_YORK, ["2027-03-14 00:30"],
     "2027-03-14 00:30", "2027-03-14 03:30"),
    ("a full day of 25 hours", NEW_YORK, ["2026-11-01 00:00", "2026-11-01 23:30"],
     "2026-11-01 12:00", "2026-11-02 01:30"),
    ("a full day whose midnight is skipped", "Asia/Beirut",
     ["2026-03-28 10:00", "2026-03-28 12:00"], "2026-03-28 15:00", "2026-03-29 01:00"),
    ("a full day whose evening comes twice", "America/St_Johns",
     ["2010-11-06 10:00", "2010-11-06 12:00"], "2010-11-06 23:30 (2nd)", "2010-11-07 00:00 (2nd)"),
    ("a full day before one that the zone never had", "Pacific/Apia",
     ["2011-12-29 10:00", "2011-12-29 12:00"], "2011-12-29 15:00", "2011-12-31 00:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "taken", "start", "free"),
    [row[1:] for row in NEXT_FREE],
    ids=[row[0] for row in NEXT_FREE],
)
def test_the_next_free_slot(zone: str, taken: list[str], start: str, free: str) -> None:
    slots = Slots(Crowding(), ALL_DAY, ZoneInfo(zone), [at(each, zone) for each in taken])
    found = slots.next_free(at(start, zone), datetime(2060, 1, 1, tzinfo=UTC))
    assert found is not None
    assert said(found, zone) == free


def test_no_slot_is_found_in_a_window_that_does_not_open_in_time() -> None:
    fridays = SendWindow((None, None, None, None, (540, 600), None, None))
    slots = Slots(Crowding(), fridays, ZoneInfo(NEW_YORK))
    assert slots.next_free(at("2026-12-11 10:00"), at("2026-12-18 09:00")) is None
    assert slots.next_free(at("2026-12-11 10:00"), at("2026-12-18 09:01")) is not None


def test_a_moment_may_be_free_outside_the_window() -> None:
    slots = Slots(Crowding(), NINE_TO_EIGHT, ZoneInfo(NEW_YORK), [at("2026-12-10 19:00")])
    assert slots.is_free(at("2026-12-10 21:00"))
    assert not slots.is_free(at("2026-12-10 20:59"))
    assert not slots.is_free(at("2026-12-10 17:01"))
    assert slots.is_free(at("2026-12-10 17:00"))
