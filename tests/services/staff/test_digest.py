"""The daily digest: what a clinic's staff should know in the morning."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from drip.core.delivery import Reason, Status
from drip.core.outgoing import Accepted, EmailContent, Rejected, Retry
from drip.core.replies import ReplyClass
from drip.services.staff.digest import digest_day, digest_email, read_digest, send_digests
from drip.services.staff.tasks import ack_task, finish_task
from drip.store import tasks
from drip.store.engine import writing
from drip.store.moves import DELIVERIES, moving
from drip.store.schema import Enrollment, Reply
from tests.services.desk import NOW, Desk, at
from tests.services.flight import fly

pytestmark = pytest.mark.both_databases

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


def digest_of(desk: Desk, now: datetime = MORNING) -> EmailContent:
    """The digest of a desk in words."""
    return digest_email(
        read_digest(desk.engine, desk.scope.clinic_id, desk.clinic, now), desk.clinic
    )


def part_of(email: EmailContent, title: str) -> list[str]:
    """The lines below a title."""
    (part,) = (part for part in email.text.split("\n\n") if part.startswith(f"{title}:"))
    return part.splitlines()[1:]


def ask(desk: Desk, says: str, now: datetime, **columns: Any) -> int:
    """A task of the desk's clinic; gives the id."""
    with writing(desk.engine) as session:
        clinic_id = desk.scope.clinic_id
        made = tasks.open_task(
            session, clinic_id, key=says, kind="reply", says=says, now=now, **columns
        )
        return made.id


def hear(desk: Desk, task_id: int | None, now: datetime, phone: str = "+12125550101") -> None:
    """A reply came that a task brings to a person, or none."""
    reply = Reply(
        clinic_id=desk.scope.clinic_id,
        provider="twilio",
        provider_id=f"{phone} {now}",
        address=phone,
        sender="+12125550190",
        body="Is my secret safe with you?",
        received_at=now,
        reply_class=ReplyClass.OTHER,
        stop=False,
        task_id=task_id,
    )
    with writing(desk.engine) as session:
        session.add(reply)


def test_it_says_who_comes_what_failed_and_what_is_to_be_done(desk: Desk) -> None:
    id_ = desk.enroll(name="Ada Lopez", consent="sms").enrollment_id
    desk.enroll(2, session="2026-12-16T09:00")
    fly(desk, [desk.row(id_, "day-before")], Rejected("30004"), MORNING)
    email = digest_of(desk)
    assert email.to_staff
    assert email.subject == "Monday: 1 session, 1 task, 1 urgent"
    assert email.text.splitlines() == [
        "Sessions today and tomorrow:",
        f"- Tue 09:00 A.L., enrollment {id_}: not confirmed, no word of a ride",
        "",
        "Replies that nobody has read:",
        "- none",
        "",
        "To do:",
        f"- Urgent: Call the patient: day-before (the provider refused it) (now, enrollment {id_})",
        "",
        "Messages that did not arrive since yesterday:",
        f"- A.L., enrollment {id_}: day-before by sms, failed",
        "",
        "What providers did not take since yesterday:",
        "- 1 time texts: rejected 30004",
        "",
        "`drip tasks` and `drip status` show more.",
    ]
    assert email.html.count("<li>") == 5
    assert "Ada" not in email.html + email.text + email.subject
    assert "555" not in email.html + email.text


def test_it_says_who_confirmed_who_has_a_ride_and_whose_messages_are_held(desk: Desk) -> None:
    for number in (1, 2, 3):
        desk.enroll(number, session=f"2026-12-15T{8 + number:02}:00")
    with writing(desk.engine) as session:
        first, second, third = session.query(Enrollment).order_by(Enrollment.id)
        first.confirmed_at = first.ride_arranged_at = NOW
        second.ride_arranged_at = second.education_paused_at = NOW
        third.confirmed_at, third.status = NOW, "paused"
    assert part_of(digest_of(desk), "Sessions today and tomorrow") == [
        "- Tue 09:00 P.A., enrollment 1: confirmed, ride arranged",
        "- Tue 10:00 P.B., enrollment 2: not confirmed, ride arranged, education on hold",
        "- Tue 11:00 P.C., enrollment 3: confirmed, no word of a ride, messages on hold",
    ]


def test_unread_replies_are_counted_by_phone_with_their_age_and_no_word_of_them(
    desk: Desk,
) -> None:
    desk.enroll(name="Ada Lopez", session="2026-12-20T09:00")
    desk.enroll(2, name="Ben Ode", phone="+1 212 555 0101", session="2026-12-21T09:00")
    known = ask(desk, "Read the replies and answer", MORNING)
    hear(desk, known, MORNING - timedelta(hours=15))
    hear(desk, known, MORNING - timedelta(minutes=5))
    stranger = ask(desk, "Read a reply from a phone that nobody has", MORNING)
    hear(desk, stranger, MORNING - timedelta(minutes=12), "+12125550177")
    email = digest_of(desk)
    assert part_of(email, "Replies that nobody has read") == [
        f"- A.L. and B.O.: 2 replies, 15 h old (task {known})",
        f"- a phone that nobody has: 1 reply, 12 min old (task {stranger})",
    ]
    assert email.subject == "Monday: 0 sessions, 3 unread replies, 2 tasks"
    for word in ("secret", "555", "Ada", "Ben"):
        assert word not in email.html + email.text + email.subject


def test_a_reply_is_read_once_its_task_was_taken_or_done_or_needs_nobody(desk: Desk) -> None:
    desk.enroll(session="2026-12-20T09:00")
    taken = ask(desk, "Taken", MORNING - timedelta(days=2, hours=3), urgent=True)
    done = ask(desk, "Done", MORNING)
    hear(desk, taken, MORNING)
    hear(desk, done, MORNING - timedelta(minutes=1))
    hear(desk, None, MORNING - timedelta(minutes=2))
    ack_task(desk.scope, taken, "Sam", MORNING)
    finish_task(desk.scope, done, "Sam", None, MORNING)
    email = digest_of(desk)
    assert part_of(email, "Replies that nobody has read") == ["- none"]
    assert part_of(email, "To do") == ["- Urgent: Taken (2 days, Sam has it)"]


def test_what_is_to_be_done_begins_with_the_urgent_that_nobody_has_taken(desk: Desk) -> None:
    ask(desk, "Old", MORNING - timedelta(days=9))
    ask(desk, "Urgent and taken", MORNING - timedelta(days=1), urgent=True)
    ask(desk, "Urgent and new", MORNING - timedelta(minutes=59), urgent=True)
    ack_task(desk.scope, 2, "Sam", MORNING)
    assert part_of(digest_of(desk), "To do") == [
        "- Urgent: Urgent and new (59 min)",
        "- Urgent: Urgent and taken (1 day, Sam has it)",
        "- Old (9 days)",
    ]


def test_a_message_that_a_receipt_says_is_lost_is_named_for_a_day(desk: Desk) -> None:
    id_ = desk.enroll(name="Ada Lopez").enrollment_id
    row = desk.row(id_, "arrange-a-ride")
    fly(desk, [row], Accepted("SM1"), MORNING - timedelta(days=2))
    with writing(desk.engine) as session:
        lost = moving(Status.UNDELIVERED, MORNING - timedelta(hours=1), reason=Reason.REFUSED)
        session.execute(lost.where(DELIVERIES.c.id == row.id))
    title = "Messages that did not arrive since yesterday"
    said = f"- A.L., enrollment {id_}: arrange-a-ride by sms, undelivered"
    assert part_of(digest_of(desk), title) == [said]
    assert part_of(digest_of(desk, MORNING + timedelta(days=1)), title) == ["- none"]


def test_an_unread_reply_is_enough_for_a_digest(desk: Desk) -> None:
    hear(desk, ask(desk, "Read a reply", MORNING), MORNING)
    assert send_digests(desk.engine, desk.email, MORNING) == 1


def test_a_quiet_day_says_so(desk: Desk) -> None:
    email = digest_of(desk, NOW)
    assert email.subject == "Tuesday: 0 sessions, 0 tasks"
    assert email.text.count("- none") == 5


def test_a_long_list_is_cut_and_says_how_much_is_left(desk: Desk) -> None:
    desk.enroll_many(range(1, 24), session="2026-12-15T09:00")
    assert "- and 3 more" in digest_of(desk).text


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
