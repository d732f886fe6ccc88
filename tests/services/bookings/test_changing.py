"""What happens after booking: moved, cancelled, paused, resumed, not come to."""

from collections.abc import Iterable
from datetime import datetime

import pytest

from drip.core.delivery import HANDED_OVER, Status
from drip.core.outgoing import Answer, Outgoing, Retry
from drip.core.schedule import Channel, Weight
from drip.errors import InvalidInput, NotAllowed, NotFound
from drip.services.bookings.changing import cancel, no_show, pause, reschedule, resume
from drip.services.staff.tasks import finish_task
from drip.store import enrollments
from drip.store.engine import writing
from drip.store.schema import Delivery
from tests.services.desk import DAY, HOUR, MINUTE, NOW, Desk, at, said

NEW = at("2026-12-22 13:00")
AFTER_ALL = at("2027-01-15 10:00")

NIGHT = "2026-12-15 08:00"
MOMENTS = [
    "2026-12-01 10:00",  # at booking, before anything went out
    "2026-12-01 10:30",
    "2026-12-03 11:00",
    "2026-12-08 10:01",
    "2026-12-12 10:05",  # between the ride and the day before
    "2026-12-14 15:00",
    NIGHT,  # after day-of, and the window does not open before the old session
    "2026-12-15 14:00",  # after the session
    "2026-12-16 12:00",  # after the check-in
]


def test_a_move_at_any_point_tells_the_patient_all_of_the_new_session(desk: Desk) -> None:
    ids = dict(zip(desk.enroll_many(range(1, len(MOMENTS) + 1)), map(at, MOMENTS), strict=True))
    sent_before: dict[int, set[int]] = {}
    for id_, now in ids.items():
        desk.run_until(now - MINUTE)
        sent_before[id_] = {row.id for row in desk.rows(id_) if row.status in HANDED_OVER}
        reschedule(desk.scope, id_, NEW, now)
        assert {row.session_at for row in desk.waiting(id_)} == {NEW}
    desk.run_until(AFTER_ALL)
    for id_, now in ids.items():
        rows = [row for row in desk.rows(id_) if row.status in HANDED_OVER]
        about_it = [row for row in rows if row.id not in sent_before[id_]]
        assert {row.session_at for row in about_it} == {NEW}, said(now)
        steps = {row.step for row in about_it}
        essential = {"arrange-a-ride", "day-before", "day-of", "evening-after", "check-in"}
        assert essential <= steps, said(now)
        is_told = bool(sent_before[id_]) and now != at(NIGHT)
        assert ("rescheduled" in steps) is is_told, said(now)
        before = {(row.step, row.channel) for row in rows if row.id in sent_before[id_]}
        again = {step for step, channel in before if (step, channel) in _kept(about_it)}
        assert again == set(), said(now)
        assert desk.waiting(id_) == []
    (call,) = desk.tasks()
    assert call.says == "Call the patient: rescheduled (no decent hour left to send it)"


def _kept(rows: Iterable[Delivery]) -> set[tuple[str, Channel]]:
    """Those of the steps that a schedule does not repeat when the session moves."""
    kept = [r for r in rows if r.step == "welcome" or r.weight is Weight.EDUCATION]
    return {(r.step, r.channel) for r in kept if r.step != "week-after"}


def test_a_move_there_and_back_before_anybody_heard_of_it_says_nothing(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    old = desk.enrollment(id_).session_at
    desk.run_until(at("2026-12-03 19:59"))
    before = {(r.step, r.channel, r.due_at) for r in desk.waiting(id_)}
    night = at("2026-12-03 23:00")
    reschedule(desk.scope, id_, NEW, night)
    assert desk.stands(id_)["rescheduled/sms"] == "scheduled"
    reschedule(desk.scope, id_, old, night + MINUTE)
    assert desk.stands(id_)["rescheduled/sms"] == "cancelled already_told"
    assert {(r.step, r.channel, r.due_at) for r in desk.waiting(id_)} == before
    assert desk.enrollment(id_).sequence == 2


def test_a_move_there_and_back_is_told_both_times_once_the_patient_heard(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    old = desk.enrollment(id_).session_at
    desk.run_until(at("2026-12-14 15:00"))
    reschedule(desk.scope, id_, NEW, at("2026-12-14 15:00"))
    desk.run_until(at("2026-12-14 15:01"))
    reschedule(desk.scope, id_, old, at("2026-12-14 15:10"))
    desk.run_until(AFTER_ALL)
    notices = [row for row in desk.rows(id_) if row.step == "rescheduled"]
    assert [(r.occurrence, r.session_at) for r in notices if r.channel is Channel.SMS] == [
        (1, NEW),
        (2, old),
    ]
    again = desk.row(id_, "day-before", occurrence=2)
    assert (again.session_at, again.status) == (old, Status.ACCEPTED)


def test_a_move_to_the_same_time_changes_nothing(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    assert reschedule(desk.scope, id_, desk.enrollment(id_).session_at, NOW).is_empty
    assert desk.enrollment(id_).sequence == 0


def test_a_move_into_the_past_or_of_what_was_cancelled_is_refused(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    with pytest.raises(InvalidInput, match="in the past"):
        reschedule(desk.scope, id_, NOW - HOUR, NOW)
    with pytest.raises(NotFound):
        reschedule(desk.scope, id_ + 1, NEW, NOW)
    cancel(desk.scope, id_, NOW)
    with pytest.raises(NotAllowed, match="enroll the patient again"):
        reschedule(desk.scope, id_, NEW, NOW)
    assert desk.enrollment(id_).session_at == at("2026-12-15 09:00")


def test_a_move_clears_what_was_answered_of_the_old_session(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    with writing(desk.engine) as session:
        enrollment = enrollments.lock(session, id_)
        assert enrollment is not None
        enrollment.confirmed_at = enrollment.ride_arranged_at = NOW
    reschedule(desk.scope, id_, NEW, NOW)
    moved = desk.enrollment(id_)
    assert (moved.confirmed_at, moved.ride_arranged_at, moved.sequence) == (None, None, 1)
    assert (moved.session_local, moved.session_zone) == ("2026-12-22T13:00", "America/New_York")


def test_only_the_newest_of_several_moves_is_told(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(NOW)
    night = at("2026-12-03 22:00")
    for number in range(4):
        reschedule(desk.scope, id_, NEW + number * DAY, night + number * MINUTE)
    desk.run_until(at("2026-12-05 19:00"))
    notices = [r for r in desk.rows(id_) if (r.step, r.channel) == ("rescheduled", Channel.SMS)]
    assert [(r.status, r.session_at) for r in notices] == [(Status.ACCEPTED, NEW + 3 * DAY)]


def test_a_cancellation_ends_what_waits_and_tells_the_patient(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(at("2026-12-08 10:01"))
    cancel(desk.scope, id_, at("2026-12-08 11:00"))
    assert {(row.step, str(row.channel)) for row in desk.waiting(id_)} == {
        ("cancelled", "sms"),
        ("cancelled", "email"),
    }
    count = len(desk.sms.sent)
    desk.run_until(AFTER_ALL)
    assert sorted(desk.sent_steps()[-2:]) == ["cancelled/email", "cancelled/sms"]
    assert len(desk.sms.sent) == count + 1
    with pytest.raises(NotAllowed):
        cancel(desk.scope, id_, at("2026-12-08 12:00"))


def test_a_cancellation_after_the_session_tells_nobody(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(at("2026-12-15 13:30"))
    cancel(desk.scope, id_, at("2026-12-15 14:00"))
    assert desk.waiting(id_) == []


def test_a_pause_holds_everything_and_names_the_essential(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(at("2026-12-08 10:01"))
    held = pause(desk.scope, id_, at("2026-12-08 11:00"))
    assert {row.step for row in held} == {
        "arrange-a-ride",
        "day-before",
        "day-of",
        "evening-after",
        "check-in",
    }
    assert {row.status for row in desk.waiting(id_)} == {Status.HELD}
    count = len(desk.sent_steps())
    desk.run_until(at("2026-12-13 10:00"))
    assert len(desk.sent_steps()) == count
    with pytest.raises(NotAllowed, match="drip resume"):
        pause(desk.scope, id_, at("2026-12-13 10:00"))


def test_after_a_pause_the_rest_is_planned_again_from_now(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(at("2026-12-08 10:01"))
    pause(desk.scope, id_, at("2026-12-08 11:00"))
    now = at("2026-12-13 09:30")
    resume(desk.scope, id_, now)
    stands = desk.stands(id_)
    assert stands["side-effects/email"] in ("scheduled", "skipped crowded")
    assert stands["arrange-a-ride/sms"] == "scheduled"
    desk.run_until(AFTER_ALL)
    late = desk.row(id_, "arrange-a-ride")
    assert late.sent_at is not None
    assert late.sent_at >= now
    assert desk.waiting(id_) == []
    with pytest.raises(NotAllowed, match="not paused"):
        resume(desk.scope, id_, AFTER_ALL)


def test_what_is_held_past_its_until_expires_with_a_task(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(at("2026-12-08 10:01"))
    pause(desk.scope, id_, at("2026-12-08 11:00"))
    desk.keep_house(at("2026-12-15 06:30"))
    stands = desk.stands(id_)
    assert stands["day-before/sms"] == stands["day-before/email"] == "expired until_passed"
    assert stands["day-of/sms"] == "held paused"
    said_of = [task.says for task in desk.tasks("call_patient")]
    assert [text for text in said_of if "day-before" in text] == [
        "Call the patient: day-before (could not be sent in time)"
    ]
    assert not any("day-of" in text for text in said_of)


def test_a_move_during_a_pause_stays_on_hold(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(NOW)
    pause(desk.scope, id_, NOW + HOUR)
    reschedule(desk.scope, id_, NEW, NOW + 2 * HOUR)
    assert {row.status for row in desk.waiting(id_)} == {Status.HELD}
    resume(desk.scope, id_, NOW + 3 * HOUR)
    desk.run_until(AFTER_ALL)
    assert desk.row(id_, "rescheduled").status is Status.ACCEPTED
    assert desk.row(id_, "day-before").session_at == NEW


def test_a_no_show_ends_the_steps_after_the_session(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    with pytest.raises(NotAllowed, match="still to come"):
        no_show(desk.scope, id_, NOW)
    desk.run_until(at("2026-12-15 11:00"))
    no_show(desk.scope, id_, at("2026-12-15 11:00"))
    desk.run_until(AFTER_ALL)
    stands = desk.stands(id_)
    for step in ("evening-after/sms", "check-in/sms", "check-in/email", "week-after/email"):
        assert stands[step] == "cancelled no_show"
    assert desk.tasks() == []


def test_a_no_show_holds_through_a_pause_and_a_resume(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(at("2026-12-14 09:00"))
    pause(desk.scope, id_, at("2026-12-14 09:00"))
    no_show(desk.scope, id_, at("2026-12-15 11:00"))
    resume(desk.scope, id_, at("2026-12-15 11:01"))
    open_before = len(desk.tasks())
    for moment in (None, AFTER_ALL):
        if moment is not None:
            desk.run_until(moment)
        stands = desk.stands(id_)
        for step in ("evening-after/sms", "check-in/sms", "check-in/email", "week-after/email"):
            assert stands[step] == "skipped no_show"
    assert len(desk.tasks()) == open_before


def test_a_move_takes_a_claimed_delivery_from_its_worker(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    claim = desk.sender.claim(NOW)
    reschedule(desk.scope, id_, NEW, NOW)
    assert desk.sender.prepare(claim, NOW).going == []
    desk.send_all(NOW)
    assert {outgoing.to for _, outgoing in desk.sms.sent} == {"+12125550101"}
    assert desk.row(id_, "welcome").session_at == NEW


@pytest.mark.parametrize("change", [cancel, pause])
def test_a_change_between_claim_and_sending_wins(desk: Desk, change: object) -> None:
    id_ = desk.enroll().enrollment_id
    claim = desk.sender.claim(NOW)
    change(desk.scope, id_, NOW)  # type: ignore[operator]
    assert desk.sender.prepare(claim, NOW).going == []
    assert desk.sms.tried == desk.email.tried == []


def test_what_the_provider_gives_back_after_a_move_speaks_of_the_new_session(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    claim = desk.sender.claim(NOW)
    going = desk.sender.prepare(claim, NOW).going
    desk.sms.answer = desk.email.answer = _busy
    answers = desk.sender.hand_over(going, NOW)
    reschedule(desk.scope, id_, NEW, NOW)  # while the provider is thinking
    desk.sender.record(answers, NOW)
    desk.sms.answer = desk.email.answer = None
    desk.run_until(AFTER_ALL)
    welcome = desk.row(id_, "welcome")
    assert (welcome.status, welcome.session_at) == (Status.ACCEPTED, NEW)
    assert desk.sent_steps().count("welcome/sms") == 1
    assert desk.sent_steps().count("day-before/sms") == 1
    assert desk.tasks() == []


def test_what_the_provider_gives_back_after_a_pause_is_held(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    going = desk.sender.prepare(desk.sender.claim(NOW), NOW).going
    desk.sms.answer = desk.email.answer = _busy
    answers = desk.sender.hand_over(going, NOW)
    pause(desk.scope, id_, NOW)
    desk.sender.record(answers, NOW)
    desk.sms.answer = desk.email.answer = None
    desk.run_until(NOW + DAY)
    assert desk.stands(id_)["welcome/sms"] == "held paused"
    resume(desk.scope, id_, NOW + DAY)
    desk.run_until(NOW + 2 * DAY)
    assert desk.row(id_, "welcome").status is Status.ACCEPTED


def test_a_call_that_was_made_is_asked_for_again_after_a_move(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    pause(desk.scope, id_, NOW)
    desk.keep_house(at("2026-12-15 06:30"))
    (first,) = (task for task in desk.tasks("call_patient") if "day-before" in task.says)
    finish_task(desk.scope, first.id, "ann", None, NOW)
    reschedule(desk.scope, id_, NEW, at("2026-12-15 06:40"))
    desk.keep_house(NEW - HOUR)
    again = [task for task in desk.tasks("call_patient") if "day-before" in task.says]
    assert len(again) == 1


def test_an_email_only_patient_has_the_whole_journey_by_email(desk: Desk) -> None:
    id_ = desk.enroll(phone="", consent="email").enrollment_id
    desk.run_until(AFTER_ALL)
    sent = {row.step for row in desk.rows(id_) if row.status is Status.ACCEPTED}
    assert {"day-of", "evening-after", "check-in"} <= sent
    assert desk.sms.tried == []


def test_the_zone_of_the_patient_moves_the_hours(desk: Desk) -> None:
    id_ = desk.enroll(timezone="America/Los_Angeles").enrollment_id
    assert said(desk.row(id_, "questions-to-ask").due_at) == "2026-12-08 13:00"
    reschedule(desk.scope, id_, NEW, NOW)
    assert said(desk.row(id_, "day-before").due_at) == "2026-12-21 13:00"


def _busy(_outgoing: Outgoing, _now: datetime) -> Answer:
    return Retry("busy")
