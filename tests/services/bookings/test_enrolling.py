"""Bookings become patients, enrollments and plans, or change the ones they name."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest

from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.errors import DripError, InvalidInput
from drip.services.bookings.changing import cancel, no_show
from drip.services.bookings.enrolling import Enrolled, Refused, enroll, enroll_all
from drip.services.consent.consenting import show
from drip.services.consent.stopping import stop_enrollment
from drip.services.pages.link_holders import Holder
from drip.services.pages.preferences import Wishes, choose
from drip.store.schema import Consent, Delivery, Enrollment, Patient, Task
from tests.services.desk import DAY, HOUR, NOW, Desk, at, said


def test_a_booking_becomes_a_patient_an_enrollment_and_a_whole_plan(desk: Desk) -> None:
    made = desk.enroll(ref="A-1")
    assert made.what == "enrolled"
    assert made.plan.unsendable == ()
    rows = desk.rows(made.enrollment_id)
    assert {row.status for row in rows} == {Status.SCHEDULED}
    assert len(rows) == 20
    assert len({row.step for row in rows}) == 12
    assert said(desk.row(made.enrollment_id, "welcome").due_at) == "2026-12-01 10:00"
    assert said(desk.row(made.enrollment_id, "day-before").due_at) == "2026-12-14 10:00"
    enrollment = desk.enrollment(made.enrollment_id)
    assert enrollment.session_at == at("2026-12-15 09:00")
    assert (enrollment.session_local, enrollment.session_zone) == (
        "2026-12-15T09:00",
        "America/New_York",
    )
    assert (desk.count_of(Patient), desk.count_of(Consent), desk.tasks()) == (1, 2, [])


def test_the_same_reference_again_changes_nothing(desk: Desk) -> None:
    first = desk.enroll(ref="A-1")
    before = desk.stands(first.enrollment_id)
    again = desk.enroll(ref="A-1", now=NOW + HOUR)
    assert (again.what, again.enrollment_id) == ("unchanged", first.enrollment_id)
    assert again.plan.is_empty
    assert desk.stands(first.enrollment_id) == before
    assert desk.enrollment(first.enrollment_id).revision == 1
    assert (desk.count_of(Patient), desk.count_of(Consent)) == (1, 2)


def test_the_same_reference_with_another_session_moves_the_plan(desk: Desk) -> None:
    first = desk.enroll(ref="A-1")
    again = desk.enroll(ref="A-1", session="2026-12-20T11:00")
    assert (again.what, again.enrollment_id) == ("changed", first.enrollment_id)
    assert said(desk.row(first.enrollment_id, "day-before").due_at) == "2026-12-19 10:00"
    enrollment = desk.enrollment(first.enrollment_id)
    assert (enrollment.session_local, enrollment.sequence) == ("2026-12-20T11:00", 1)
    assert desk.count_of(Enrollment) == 1


def test_a_new_phone_is_where_the_texts_go(desk: Desk) -> None:
    first = desk.enroll(ref="A-1")
    assert desk.enroll(ref="A-1", phone="+1 212 555 0199").what == "changed"
    desk.send_all(NOW)
    assert [outgoing.to for _, outgoing in desk.sms.sent] == ["+12125550199"]
    assert desk.count_of(Patient) == 1
    assert desk.row(first.enrollment_id, "welcome").status is Status.ACCEPTED


def test_what_a_booking_leaves_out_stays(desk: Desk) -> None:
    first = desk.enroll(ref="A-1", timezone="America/Chicago", route="iv")
    assert desk.enroll(ref="A-1", email="").what == "unchanged"
    patient = desk.patient(first.enrollment_id)
    assert (patient.email, patient.timezone) == ("patient1@example.com", "America/Chicago")
    assert desk.enrollment(first.enrollment_id).route == "iv"


def test_a_consent_that_comes_later_opens_the_channel(desk: Desk) -> None:
    first = desk.enroll(ref="A-1", consent="email")
    assert desk.stands(first.enrollment_id)["day-of/sms"] == "skipped no_consent"
    assert desk.stands(first.enrollment_id)["day-of/email"] == "scheduled"
    desk.enroll(ref="A-1", consent="sms,email")
    stands = desk.stands(first.enrollment_id)
    assert stands["day-of/sms"] == stands["day-before/sms"] == "scheduled"
    assert stands["day-of/email"].startswith("cancelled ")


def test_a_consent_that_was_taken_back_is_not_given_again_by_the_same_booking(desk: Desk) -> None:
    first = desk.enroll(ref="A-1")
    stop_enrollment(desk.scope, first.enrollment_id, [Channel.SMS], "verbal", "desk", NOW)
    assert desk.enroll(ref="A-1").what == "unchanged"
    assert desk.enroll(ref="A-1", session="2026-12-20T11:00").what == "changed"
    desk.run_until(at("2027-01-15 10:00"))
    assert desk.sms.sent == []


def test_the_same_person_without_a_reference_is_the_same_booking(desk: Desk) -> None:
    first = desk.enroll()
    assert desk.enroll(name="PATIENT A").enrollment_id == first.enrollment_id
    by_email_alone = desk.enroll(name="PATIENT A", phone="", consent="email")
    assert (by_email_alone.what, by_email_alone.enrollment_id) == (
        "unchanged",
        first.enrollment_id,
    )
    assert desk.count_of(Enrollment) == 1


def test_the_same_person_with_another_session_is_told_how_to_move_it(desk: Desk) -> None:
    first = desk.enroll()
    with pytest.raises(InvalidInput, match=f"drip reschedule {first.enrollment_id}"):
        desk.enroll(session="2026-12-20T11:00")
    assert desk.count_of(Enrollment) == 1


def test_after_the_session_the_same_person_may_book_again(desk: Desk) -> None:
    first = desk.enroll(session="2026-12-02T12:00")
    second = desk.enroll(now=at("2026-12-03 10:00"), session="2026-12-20T11:00")
    assert (second.what, second.enrollment_id != first.enrollment_id) == ("enrolled", True)


def test_two_people_on_one_phone_are_two_patients(desk: Desk) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com")
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com")
    assert (bob.what, ann.enrollment_id != bob.enrollment_id) == ("enrolled", True)
    desk.send_all(NOW)
    assert [outgoing.to for _, outgoing in desk.sms.sent] == ["+12125550101"] * 2


def test_the_same_booking_twice_in_one_batch_is_taken_once(desk: Desk) -> None:
    twice = desk.booking(1, ref="A-1")
    moved = desk.booking(1, ref="A-1", session="2026-12-20T11:00")
    other = desk.booking(2)
    outcomes = enroll_all(desk.scope, [twice, other, twice, moved], NOW)
    assert [each.what for each in outcomes if isinstance(each, Enrolled)] == [
        "enrolled",
        "enrolled",
        "unchanged",
        "changed",
    ]
    assert desk.count_of(Enrollment) == 2
    assert said(desk.row(1, "day-before").due_at) == "2026-12-19 10:00"


def test_a_refused_booking_leaves_nothing_and_stops_no_other(desk: Desk) -> None:
    past = desk.booking(1, session="2026-11-30T09:00")
    later = desk.booking(2, booked="2026-12-05T09:00")
    after_it = desk.booking(3, booked="2026-12-16T09:00")
    outcomes = enroll_all(desk.scope, [past, desk.booking(4), later, after_it], NOW)
    refused = [place for place, each in enumerate(outcomes) if isinstance(each, Refused)]
    assert refused == [0, 2, 3]
    assert (desk.count_of(Patient), desk.count_of(Consent)) == (1, 2)
    with pytest.raises(InvalidInput, match="in the past"):
        enroll(desk.scope, past, NOW)
    assert desk.count_of(Enrollment) == 1


def test_a_reference_that_was_cancelled_needs_a_new_one(desk: Desk) -> None:
    first = desk.enroll(ref="A-1")
    cancel(desk.scope, first.enrollment_id, NOW)
    with pytest.raises(InvalidInput, match="a new booking needs a new ref"):
        desk.enroll(ref="A-1")
    assert desk.enroll(ref="A-2").what == "enrolled"


def test_a_booking_too_late_for_an_essential_step_asks_for_a_call_at_once(desk: Desk) -> None:
    made = desk.enroll(now=at("2026-12-15 08:30"))
    assert {each.step for each in made.plan.unsendable} >= {"day-before", "day-of"}
    (task,) = desk.tasks("call_patient")
    assert task.urgent
    assert task.enrollment_id == made.enrollment_id
    assert all(each.step in task.says for each in made.plan.unsendable)


def test_without_consent_nothing_is_scheduled_and_staff_call(desk: Desk) -> None:
    made = desk.enroll(consent="", consent_how="")
    assert {row.status for row in desk.rows(made.enrollment_id)} == {Status.SKIPPED}
    assert {str(row.reason) for row in desk.rows(made.enrollment_id)} == {"no_consent"}
    desk.run_until(NOW + 60 * DAY)
    assert desk.sms.tried == desk.email.tried == []
    assert len(desk.tasks("call_patient")) == 1


def test_many_are_enrolled_as_one_would_be(desk: Desk) -> None:
    one = desk.enroll(1)
    many = desk.enroll_many(range(2, 40))
    plan = [(row.step, row.channel, row.due_at, row.until) for row in desk.rows(one.enrollment_id)]
    for enrollment_id in many:
        rows = desk.rows(enrollment_id)
        assert [(row.step, row.channel, row.due_at, row.until) for row in rows] == plan
    assert desk.count_of(Patient) == 39


def test_a_patient_who_is_known_from_a_past_visit_keeps_the_stop(desk: Desk) -> None:
    first = desk.enroll(session="2026-12-02T12:00")
    stop_enrollment(desk.scope, first.enrollment_id, [Channel.SMS], "verbal", "desk", NOW)
    again = desk.enroll(now=at("2026-12-05 10:00"), session="2026-12-20T11:00")
    assert desk.stands(again.enrollment_id)["welcome/sms"] == "skipped stopped"


def test_a_booking_again_after_a_no_show_moves_the_same_enrollment(desk: Desk) -> None:
    first = desk.enroll(ref="A-1")
    desk.run_until(at("2026-12-15 11:00"))
    no_show(desk.scope, first.enrollment_id, at("2026-12-15 11:00"))
    again = desk.enroll(ref="A-1", now=at("2026-12-15 12:00"), session="2026-12-29T09:00")
    assert (again.what, again.enrollment_id) == ("changed", first.enrollment_id)
    assert desk.enrollment(first.enrollment_id).no_show_at is None
    assert said(desk.row(first.enrollment_id, "evening-after").due_at) == "2026-12-29 13:00"


def test_the_same_booking_at_the_same_time_from_two_places_is_enrolled_once(desk: Desk) -> None:
    together = threading.Barrier(4)

    def take(_: int) -> str:
        together.wait(timeout=30)
        try:
            return desk.enroll(ref="A-1").what
        except DripError:
            return "again"

    with ThreadPoolExecutor(4) as pool:
        whats = list(pool.map(take, range(4)))
    assert whats.count("enrolled") == 1
    assert desk.enroll(ref="A-1").what == "unchanged"
    counts = [desk.count_of(table) for table in (Enrollment, Patient, Delivery, Task)]
    assert counts == [1, 1, 20, 0]


# --- The wording ----------------------------------------------------------------------------------


def _choices(desk: Desk, id_: int) -> list[tuple[str, str, str]]:
    return [(each.wording, each.how, each.by_whom) for each in show(desk.scope, id_).wordings]


def test_the_wording_of_a_booking_is_on_record_with_its_time_and_by_whom(desk: Desk) -> None:
    plain = desk.enroll(1, wording="plain").enrollment_id
    silent = desk.enroll(2).enrollment_id
    assert _choices(desk, plain) == [("plain", "csv", "desk")]
    assert show(desk.scope, plain).wordings[0].at == NOW
    assert (_choices(desk, silent), desk.patient(silent).wording) == ([], "discreet")


def test_a_booking_that_chooses_another_wording_is_added_to_the_record(desk: Desk) -> None:
    id_ = desk.enroll(ref="A-1", wording="plain").enrollment_id
    assert desk.enroll(ref="A-1", wording="plain", now=NOW + HOUR).what == "unchanged"
    assert desk.enroll(ref="A-1", now=NOW + HOUR).what == "unchanged", "what is left out stays"
    assert desk.enroll(ref="A-1", wording="discreet", now=NOW + HOUR).what == "changed"
    assert desk.patient(id_).wording == "discreet"
    assert [said for said, *_ in _choices(desk, id_)] == ["plain", "discreet"]


@pytest.mark.parametrize(("booked", "chosen"), [("plain", "discreet"), ("discreet", "plain")])
def test_a_booking_read_once_more_does_not_undo_what_the_patient_chose_since(
    desk: Desk, booked: str, chosen: Literal["discreet", "plain"]
) -> None:
    id_ = desk.enroll(ref="A-1", wording=booked).enrollment_id
    choose(Holder(desk.scope, desk.patient(id_).id, "en"), Wishes(wording=chosen), NOW + HOUR)
    for email in ("", "new@example.com"):
        given: dict[str, Any] = {"email": email} if email else {}
        desk.enroll(ref="A-1", wording=booked, now=NOW + DAY, **given)
        assert desk.patient(id_).wording == chosen
    assert _choices(desk, id_)[1:] == [(chosen, "web", "patient")]
