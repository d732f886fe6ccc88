"""What a patient says of the visit, by a text or on a page."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from drip.content.sources import built_in, content_dir
from drip.errors import NotFound
from drip.services.bookings.changing import cancel, reschedule
from drip.services.bookings.visiting import Answered, confirm_visit, ride_arranged
from drip.store.engine import writing
from tests.services.desk import HOUR, NOW, Desk, at

SESSION = at("2026-12-15 09:00")
TWO_RIDES = """\
  - step: ride-again
    message: arrange-a-ride
    when: 2 days before session at 10:00
    channels: [sms, email]
    weight: essential
    if_late: send
    group: ride
"""


def say(desk: Desk, what: str, now: object = NOW, **also: object) -> Answered:
    """Say one of the two things as the patient of the first enrollment."""
    note = {"confirm": confirm_visit, "ride": ride_arranged}[what]
    with writing(desk.engine) as session:
        return note(session, desk.scope, 1, "text", "patient", now, **also)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "column"), [("confirm", "confirmed_at"), ("ride", "ride_arranged_at")]
)
def test_an_answer_is_noted_once_and_may_be_given_again(desk: Desk, what: str, column: str) -> None:
    desk.enroll()
    assert say(desk, what) == "noted"
    assert say(desk, what, NOW + HOUR) == "already"
    assert getattr(desk.enrollment(1), column) == NOW


@pytest.mark.parametrize("what", ["confirm", "ride"])
def test_an_answer_counts_for_the_session_that_it_is_about(desk: Desk, what: str) -> None:
    desk.enroll()
    assert say(desk, what, session_at=SESSION) == "noted"
    reschedule(desk.scope, 1, at("2026-12-18 11:00"), NOW)
    assert say(desk, what, session_at=SESSION) == "moved"
    enrollment = desk.enrollment(1)
    assert (enrollment.confirmed_at, enrollment.ride_arranged_at) == (None, None)
    assert say(desk, what, session_at=at("2026-12-18 11:00")) == "noted"


@pytest.mark.parametrize("what", ["confirm", "ride"])
def test_from_the_session_on_nothing_is_noted(desk: Desk, what: str) -> None:
    desk.enroll()
    assert say(desk, what, SESSION) == "past"
    enrollment = desk.enrollment(1)
    assert (enrollment.confirmed_at, enrollment.ride_arranged_at) == (None, None)


@pytest.mark.parametrize("what", ["confirm", "ride"])
def test_for_a_cancelled_visit_nothing_is_noted(desk: Desk, what: str) -> None:
    desk.enroll()
    cancel(desk.scope, 1, NOW)
    assert say(desk, what) == "cancelled"
    assert desk.enrollment(1).confirmed_at is None


def test_an_enrollment_of_another_clinic_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        say(desk, "confirm")


def test_a_ride_ends_what_would_only_ask_for_it_again(engine: Engine, tmp_path: Path) -> None:
    schedule = "schedules/ketamine-first-session.yaml"
    (tmp_path / "schedules").mkdir()
    own = (built_in() / schedule).read_text(encoding="utf-8").replace("version: 1", "version: 2")
    (tmp_path / schedule).write_text(own.rstrip("\n") + "\n" + TWO_RIDES, encoding="utf-8")
    desk = Desk(engine, content=content_dir(tmp_path))
    desk.enroll()
    assert say(desk, "ride") == "noted"
    stands = desk.stands(1)
    assert stands["ride-again/sms"] == stands["ride-again/email"] == "cancelled answered"
    assert stands["arrange-a-ride/sms"] == stands["day-before/sms"] == "scheduled"
