"""Whether a claimed delivery may go out this minute."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drip.core.clinic import Crowding
from drip.core.delivery import Reason, Status
from drip.core.policy import Decision, End, Go, Postpone, Situation, decide
from drip.core.slots import Slots
from drip.core.window import SendWindow
from tests.core.journeys import NEW_YORK, NINE_TO_EIGHT, at, said

ZONE = ZoneInfo(NEW_YORK)
TEN_TO_TWELVE_ON_THURSDAYS = SendWindow((None, None, None, (600, 720), None, None, None))


def taken(*moments: str) -> Slots:
    return Slots(Crowding(), NINE_TO_EIGHT, ZONE, [at(moment) for moment in moments])


def in_words(decision: Decision) -> str:
    match decision:
        case Go(give_up_at):
            return f"go until {said(give_up_at)}"
        case Postpone(due_at):
            return f"at {said(due_at)}"
        case End(status, reason):
            return f"{status} {reason}"


USUAL = Situation(
    ended=None,
    blocked=None,
    essential=True,
    until=at("2026-12-11 06:00"),
    last=at("2026-12-11 06:00"),
    told_at=None,
    zone=ZONE,
    window=NINE_TO_EIGHT,
    slots=taken(),
)
TWO_TODAY = {"slots": taken("2026-12-10 09:00", "2026-12-10 12:00")}
ONE_BEFORE = {"slots": taken("2026-12-10 12:30")}
SHORT = {"until": at("2026-12-10 14:00"), "last": at("2026-12-10 14:00")}

DECISIONS = [
    # what, now, what differs, decision
    ("nothing in the way", "2026-12-10 13:00", {}, "go until 2026-12-10 20:00"),
    ("`until` before the close", "2026-12-10 13:00", SHORT, "go until 2026-12-10 14:00"),
    ("the anchor before `until`", "2026-12-10 13:00", {"last": at("2026-12-10 15:00")},
     "go until 2026-12-10 15:00"),
    ("the last minute", "2026-12-10 13:59", SHORT, "go until 2026-12-10 14:00"),
    ("at `until`", "2026-12-10 14:00", SHORT, "expired until_passed"),
    ("after the anchor", "2026-12-10 15:00", {"last": at("2026-12-10 15:00")},
     "expired until_passed"),
    ("the enrollment was cancelled", "2026-12-10 13:00",
     {"ended": (Status.CANCELLED, Reason.SESSION_CANCELLED)}, "cancelled session_cancelled"),
    ("the enrollment is on hold", "2026-12-10 13:00",
     {"ended": (Status.HELD, Reason.PAUSED)}, "held paused"),
    ("the patient stopped", "2026-12-10 13:00", {"blocked": Reason.STOPPED}, "skipped stopped"),
    ("what the enrollment says comes first", "2026-12-10 13:00",
     {"ended": (Status.HELD, Reason.PAUSED), "blocked": Reason.STOPPED}, "held paused"),
    ("a stop comes before `until`", "2026-12-11 07:00", {"blocked": Reason.STOPPED},
     "skipped stopped"),
    ("too early in the day", "2026-12-10 08:59", {}, "at 2026-12-10 09:00"),
    ("too late in the day", "2026-12-10 20:00", {"last": at("2026-12-11 12:00")},
     "at 2026-12-11 09:00"),
    ("too late in the day, and `until` before the morning", "2026-12-10 20:00", {},
     "skipped no_window"),
    ("an opening at `until`", "2026-12-10 20:00", {"last": at("2026-12-11 09:00")},
     "skipped no_window"),
    ("open once a week", "2026-12-10 12:00",
     {"window": TEN_TO_TWELVE_ON_THURSDAYS, "last": at("2026-12-24 12:00")},
     "at 2026-12-17 10:00"),
    ("too close to another step", "2026-12-10 13:00", ONE_BEFORE, "at 2026-12-10 14:30"),
    ("two hours after another step", "2026-12-10 14:30", ONE_BEFORE, "go until 2026-12-10 20:00"),
    ("the third of a day waits for the next", "2026-12-10 15:00",
     {**TWO_TODAY, "last": at("2026-12-11 12:00")}, "at 2026-12-11 09:00"),
    ("an essential step that cannot wait goes beside", "2026-12-10 13:00", {**ONE_BEFORE, **SHORT},
     "go until 2026-12-10 14:00"),
    ("education that cannot wait is skipped", "2026-12-10 13:00",
     {**ONE_BEFORE, **SHORT, "essential": False}, "skipped crowded"),
    ("a covered step that cannot wait is skipped", "2026-12-10 13:00",
     {**ONE_BEFORE, **SHORT, "told_at": at("2026-12-10 14:00")}, "skipped covered"),
    ("a coverer that goes out too late does not count", "2026-12-10 13:00",
     {**ONE_BEFORE, **SHORT, "told_at": at("2026-12-10 14:01")}, "go until 2026-12-10 14:00"),
    ("a covered step with a slot goes in it", "2026-12-10 13:00",
     {**ONE_BEFORE, "told_at": at("2026-12-10 14:00")}, "at 2026-12-10 14:30"),
    ("a notice needs no slot", "2026-12-10 13:00", {"slots": None}, "go until 2026-12-10 20:00"),
    ("a notice keeps to the hours", "2026-12-10 21:00", {"slots": None}, "skipped no_window"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "given", "expected"), [row[1:] for row in DECISIONS], ids=[r[0] for r in DECISIONS]
)
def test_everything_is_asked_again(now: str, given: dict[str, Any], expected: str) -> None:
    assert in_words(decide(replace(USUAL, **given), at(now))) == expected


def test_what_is_postponed_may_go_then() -> None:
    now = at("2026-12-10 05:00")
    situation = replace(
        USUAL,
        last=at("2026-12-20 12:00"),
        slots=taken("2026-12-10 08:30", "2026-12-10 15:00", "2026-12-11 10:00"),
    )
    for _ in range(5):
        decision = decide(situation, now)
        if isinstance(decision, Go):
            break
        assert isinstance(decision, Postpone)
        assert decision.due_at > now
        now = decision.due_at
    assert said(now) == "2026-12-11 12:00"


def test_a_backlog_after_an_outage_goes_out_two_steps_a_day() -> None:
    now = at("2026-12-10 13:00")
    slots = taken()
    went = []
    for _ in range(4):
        situation = replace(USUAL, last=at("2026-12-20 12:00"), slots=slots)
        while isinstance(decision := decide(situation, now), Postpone):
            now = decision.due_at
        assert isinstance(decision, Go)
        slots.take(now)
        went.append(said(now))
        now += timedelta(seconds=1)
    assert went == [
        "2026-12-10 13:00",
        "2026-12-10 15:00",
        "2026-12-11 09:00",
        "2026-12-11 11:00",
    ]
