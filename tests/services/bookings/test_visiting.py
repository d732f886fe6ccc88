"""What a patient says of the visit, by a text or on a page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from drip.content.sources import built_in, content_dir
from drip.core.inbound import ReceiptWord
from drip.core.outgoing import Retry
from drip.core.schedule import Channel
from drip.errors import NotFound
from drip.services.bookings.changing import (
    cancel,
    catch_up,
    pause,
    pause_education,
    reschedule,
    resume,
)
from drip.services.bookings.visiting import Answered, confirm_visit, ride_arranged, ride_lost
from drip.services.consent.consenting import grant, revoke, start_in
from drip.services.consent.stopping import stop_address
from drip.services.receipts.receiving import receive
from drip.store.engine import writing
from drip.store.schema import Delivery
from tests.services.desk import DAY, HOUR, NOW, Desk, at

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
    """Say one of the three things as the patient of the first enrollment."""
    note = {"confirm": confirm_visit, "ride": ride_arranged, "no ride": ride_lost}[what]
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


def asking_twice(engine: Engine, folder: Path, rides: str = TWO_RIDES) -> Desk:
    """A clinic that asks for the ride twice, and a patient."""
    schedule = "schedules/ketamine-first-session.yaml"
    (folder / "schedules").mkdir()
    own = (built_in() / schedule).read_text(encoding="utf-8").replace("version: 1", "version: 2")
    (folder / schedule).write_text(own.rstrip("\n") + "\n" + rides, encoding="utf-8")
    desk = Desk(engine, content=content_dir(folder))
    desk.enroll()
    return desk


@pytest.fixture
def two_rides(engine: Engine, tmp_path: Path) -> Desk:
    """One whose patient has said RIDE."""
    desk = asking_twice(engine, tmp_path)
    assert say(desk, "ride") == "noted"
    return desk


def rides(desk: Desk) -> dict[str, str]:
    """How the step that asks for the ride once more stands."""
    return {name: how for name, how in desk.stands(1).items() if name.startswith("ride-again")}


ANSWERED = {"ride-again/sms": "cancelled answered", "ride-again/email": "cancelled answered"}


def test_a_ride_ends_what_would_only_ask_for_it_again(two_rides: Desk) -> None:
    stands = two_rides.stands(1)
    assert rides(two_rides) == ANSWERED
    assert stands["arrange-a-ride/sms"] == stands["day-before/sms"] == "scheduled"


def _resume(desk: Desk) -> None:
    pause(desk.scope, 1, NOW)
    resume(desk.scope, 1, NOW + HOUR)


def _resume_education(desk: Desk) -> None:
    with writing(desk.engine) as session:
        pause_education(session, desk.scope, 1, NOW)
    resume(desk.scope, 1, NOW + HOUR)


def _start(desk: Desk) -> None:
    phone = (Channel.SMS, "+12125550101")
    stop_address(desk.scope, *phone, "keyword", "patient", NOW)
    with writing(desk.engine) as session:
        assert start_in(session, desk.scope, *phone, "keyword", "patient", NOW + HOUR)


def _grant(desk: Desk) -> None:
    revoke(desk.scope, 1, Channel.EMAIL, "verbal", "desk", NOW)
    grant(desk.scope, 1, Channel.EMAIL, "verbal", "desk", NOW + HOUR)


def _other_phone(desk: Desk) -> None:
    desk.enroll(now=NOW + HOUR, phone="+1 212 555 0177")


def _come_back(desk: Desk) -> None:
    """A text was being handed over while the visit moved to another day and back again."""
    due_at = desk.row(1, "welcome").due_at
    prepared = desk.sender.prepare(desk.sender.claim(due_at), due_at)
    with writing(desk.engine) as session:
        session.query(Delivery).filter_by(step="welcome").update({"session_at": SESSION - DAY})
    desk.sms.answer = desk.email.answer = lambda _, __: Retry("20429")
    desk.sender.record(desk.sender.hand_over(prepared.going, due_at), due_at)
    catch_up(desk.scope, 1, due_at)
    assert desk.enrollment(1).revision > 1


@pytest.mark.parametrize(
    "plan_anew",
    [_resume, _resume_education, _start, _grant, _other_phone, _come_back],
    ids=["resume", "resume education", "start", "consent", "another phone", "came back"],
)
def test_nothing_asks_for_the_ride_again_however_the_visit_is_planned_anew(
    two_rides: Desk, plan_anew: Callable[[Desk], None]
) -> None:
    plan_anew(two_rides)
    assert rides(two_rides) == ANSWERED
    assert two_rides.stands(1)["day-before/sms"] == "scheduled"
    assert two_rides.enrollment(1).ride_arranged_at == NOW
    assert not any("ride-again" in task.says for task in two_rides.tasks())


def test_a_visit_that_moves_needs_its_ride_anew(two_rides: Desk) -> None:
    reschedule(two_rides.scope, 1, at("2026-12-18 11:00"), NOW + HOUR)
    assert two_rides.enrollment(1).ride_arranged_at is None
    assert set(rides(two_rides).values()) == {"scheduled"}


def test_a_ride_that_is_lost_is_asked_for_again(two_rides: Desk) -> None:
    assert say(two_rides, "no ride", NOW + HOUR) == "noted"
    assert two_rides.enrollment(1).ride_arranged_at is None
    assert set(rides(two_rides).values()) == {"scheduled"}
    assert say(two_rides, "ride", NOW + 2 * HOUR) == "noted"
    assert rides(two_rides) == ANSWERED


def test_a_ride_that_was_never_noted_cannot_be_lost(desk: Desk) -> None:
    desk.enroll()
    before = desk.enrollment(1).revision
    assert say(desk, "no ride") == "already"
    assert desk.enrollment(1).revision == before


def test_a_ride_is_lost_for_the_session_that_it_is_about(two_rides: Desk) -> None:
    assert say(two_rides, "no ride", session_at=SESSION + DAY) == "moved"
    assert say(two_rides, "no ride", SESSION) == "past"
    cancel(two_rides.scope, 1, NOW)
    assert say(two_rides, "no ride") == "cancelled"
    assert two_rides.enrollment(1).ride_arranged_at == NOW


@pytest.mark.parametrize("answers", [True, False])
def test_a_text_about_the_ride_that_fails_after_the_answer_does_not_go_by_email(
    engine: Engine, tmp_path: Path, answers: bool
) -> None:
    desk = asking_twice(engine, tmp_path, TWO_RIDES.replace("[sms, email]", "[sms]"))
    sent_at = desk.row(1, "ride-again").due_at
    desk.run_until(sent_at)
    if answers:
        assert say(desk, "ride", sent_at + HOUR) == "noted"
    row = desk.row(1, "ride-again")
    word = ReceiptWord("texts", row.provider_id or "", "undelivered", "30006")
    receive(desk.engine, row.id, word, sent_at + 2 * HOUR)
    assert ("ride-again/email" in desk.stands(1)) is not answers
