"""The daily digest: what a clinic's staff should know in the morning."""

from datetime import date, datetime, timedelta

import pytest

from drip.core.outgoing import Rejected, Retry
from drip.services.digest import digest_day, digest_email, read_digest, send_digests
from tests.services.desk import NOW, Desk, at
from tests.services.flight import fly

MORNING = at("2026-12-14 07:00")


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (at("2026-12-14 06:59"), None),
        (MORNING, date(2026, 12, 14)),
        (at("2026-12-14 11:59"), date(2026, 12, 14)),
        (at("2026-12-14 12:00"), None),
    ],
)
def test_it_goes_out_in_the_morning_of_the_clinic(
    desk: Desk, now: datetime, day: date | None
) -> None:
    assert digest_day(desk.clinic, now) == day


def test_it_says_who_comes_what_failed_and_what_is_to_be_done(desk: Desk) -> None:
    id_ = desk.enroll(name="Ada Lopez", consent="sms").enrollment_id
    desk.enroll(2, session="2026-12-16T09:00")
    fly(desk, [desk.row(id_, "day-before")], Rejected("30004"), MORNING)
    found = read_digest(desk.engine, desk.scope.clinic_id, desk.clinic, MORNING)
    email = digest_email(found, desk.clinic)
    assert email.subject == "Monday: 1 session, 1 task, 1 urgent"
    assert email.text.splitlines() == [
        "Sessions today and tomorrow:",
        f"- Tue 09:00 A.L., enrollment {id_}: not confirmed, no word of a ride",
        "",
        "To do:",
        f"- Urgent: Call the patient: day-before (the provider refused it) (enrollment {id_})",
        "",
        "Messages that a provider did not take since yesterday:",
        "- 1 time texts: rejected 30004",
        "",
        "`drip tasks` and `drip status` show more.",
    ]
    assert email.html.count("<li>") == 3
    assert "Ada" not in email.html + email.text + email.subject
    assert "555" not in email.html + email.text


def test_a_quiet_day_says_so(desk: Desk) -> None:
    email = digest_email(
        read_digest(desk.engine, desk.scope.clinic_id, desk.clinic, NOW), desk.clinic
    )
    assert email.subject == "Tuesday: 0 sessions, 0 tasks"
    assert email.text.count("- none") == 3


def test_a_long_list_is_cut_and_says_how_much_is_left(desk: Desk) -> None:
    desk.enroll_many(range(1, 24), session="2026-12-15T09:00")
    found = read_digest(desk.engine, desk.scope.clinic_id, desk.clinic, MORNING)
    assert "- and 3 more" in digest_email(found, desk.clinic).text


def test_one_goes_out_a_day_whoever_looks_how_often(desk: Desk) -> None:
    desk.enroll(session="2026-12-15T09:00")
    for hour in range(5):
        send_digests(desk.engine, desk.email, MORNING + timedelta(hours=hour))
    (first,) = desk.email.sent
    assert (first[0], first[1].to) == (MORNING, desk.clinic.email)
    send_digests(desk.engine, desk.email, MORNING + timedelta(days=1))
    assert len(desk.email.sent) == 2


def test_nothing_goes_out_where_there_is_nothing_to_know_or_at_another_hour(desk: Desk) -> None:
    assert send_digests(desk.engine, desk.email, MORNING) == 0
    desk.enroll(session="2026-12-16T09:00")
    assert send_digests(desk.engine, desk.email, MORNING + timedelta(hours=20)) == 0
    assert desk.email.tried == []


def test_a_mailbox_out_of_reach_is_tried_again(desk: Desk) -> None:
    desk.enroll(session="2026-12-15T09:00")
    desk.email.answer = lambda _outgoing, _now: Retry("421")
    assert send_digests(desk.engine, desk.email, MORNING) == 0
    desk.email.answer = None
    assert send_digests(desk.engine, desk.email, MORNING + timedelta(minutes=5)) == 1
