"""Receipts: in any order and doubled, they leave a delivery where its last word belongs."""

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from drip.core.delivery import TRANSITIONS, Reason, Status
from drip.core.inbound import ReceiptWord
from drip.core.outgoing import Accepted, Retry, Unknown
from drip.core.receipts import Taken
from drip.core.retry import RetryKind
from drip.core.schedule import Channel
from drip.services import metrics
from drip.services.outbound.settling import SETTLE_AFTER, settle
from drip.services.receipts.receiving import receive, receive_all
from drip.store import patients
from drip.store.engine import reading, writing
from drip.store.moves import DELIVERIES
from drip.store.schema import Address, Receipt
from tests.services.desk import HOUR, MINUTE, NOW, Desk, at
from tests.services.flight import fly, land, take_off

LATER = NOW + MINUTE
SID = "SM" + "1" * 32
OTHER = "SM" + "2" * 32
GOOD = ("accepted", "queued", "sending", "sent", "delivered", "read")


def word(status: str, code: str | None = None, sid: str = SID) -> ReceiptWord:
    return ReceiptWord("twilio", sid, status, code)


def welcomed(desk: Desk, number: int = 1) -> tuple[int, int]:
    """An enrollment whose welcome by text was accepted under SID: its id and the delivery's."""
    id_ = desk.enroll(number).enrollment_id
    row = desk.row(id_, "welcome")
    fly(desk, [row], Accepted(SID), NOW)
    return id_, row.id


def day_of(desk: Desk) -> tuple[int, int]:
    """The same of the text on the day of the session, which has no email."""
    id_ = desk.enroll(session="2026-12-15T11:00").enrollment_id
    row = desk.row(id_, "day-of")
    fly(desk, [row], Accepted(SID), DUE)
    return id_, row.id


DUE = at("2026-12-15 09:00")


def stands(desk: Desk, delivery_id: int) -> Status:
    return next(row.status for row in desk.rows() if row.id == delivery_id)


def kept(desk: Desk) -> list[tuple[str, str, str | None]]:
    with reading(desk.engine) as session:
        found = session.query(Receipt).order_by(Receipt.id).all()
        return [(row.provider_id, row.status, row.code) for row in found]


@pytest.mark.parametrize(
    ("said", "after"),
    [
        ("queued", Status.ACCEPTED),
        ("sent", Status.ACCEPTED),
        ("delivered", Status.DELIVERED),
        ("read", Status.DELIVERED),
        ("undelivered", Status.UNDELIVERED),
        ("failed", Status.FAILED),
        ("canceled", Status.FAILED),
        ("partially_delivered", Status.ACCEPTED),
    ],
)
def test_each_word_puts_an_accepted_delivery_where_it_belongs(
    desk: Desk, said: str, after: Status
) -> None:
    _, row = welcomed(desk)
    receive(desk.engine, row, word(said, "30004" if after in FAILURES else None), LATER)
    assert stands(desk, row) is after


FAILURES = (Status.UNDELIVERED, Status.FAILED)


def test_a_receipt_that_comes_again_changes_nothing(desk: Desk) -> None:
    _, row = welcomed(desk)
    assert receive(desk.engine, row, word("delivered"), LATER) is Taken.MOVED
    for status in ("delivered", "sent", "delivered"):
        receive(desk.engine, row, word(status), LATER + HOUR)
    assert receive(desk.engine, row, word("delivered"), LATER + HOUR) is Taken.AGAIN
    assert stands(desk, row) is Status.DELIVERED
    assert kept(desk) == [(SID, "delivered", None), (SID, "sent", None)]


@pytest.mark.parametrize("last", ["undelivered", "failed", "sent"])
def test_what_was_delivered_stays_delivered(desk: Desk, last: str) -> None:
    _, row = welcomed(desk)
    receive(desk.engine, row, word("delivered"), LATER)
    tasks = len(desk.tasks())
    assert receive(desk.engine, row, word(last, "30003"), LATER + HOUR) is Taken.KEPT
    assert stands(desk, row) is Status.DELIVERED
    assert len(desk.tasks()) == tasks


def test_an_unknown_delivery_is_told_and_nothing_is_kept(desk: Desk) -> None:
    welcomed(desk)
    assert receive(desk.engine, 2**62, word("delivered"), LATER) is Taken.NOT_OURS
    assert receive(desk.engine, 2**62, word("failed"), LATER) is Taken.NOT_OURS
    assert kept(desk) == []


def test_many_at_once_are_taken_in_together_and_each_is_answered_for(desk: Desk) -> None:
    desk.enroll_many(range(1, 31))
    rows = [row for row in desk.rows() if (row.step, row.channel) == ("welcome", Channel.SMS)]
    for number, row in enumerate(rows):
        fly(desk, [row], Accepted(f"SM{number}"), NOW)
    words = [(row.id, word("delivered", sid=f"SM{n}")) for n, row in enumerate(rows)]
    failure = (rows[0].id, word("undelivered", "30004", "SM0"))
    taken = receive_all(desk.engine, [*words, words[3], (999_999, word("sent")), failure], LATER)
    assert taken == [*[Taken.MOVED] * 30, Taken.AGAIN, Taken.NOT_OURS, Taken.KEPT]
    assert desk.counts()[Status.DELIVERED] == 30


# --- Any order ------------------------------------------------------------------------------------

STORIES = (
    ["accepted", "queued", "sent", "delivered"],
    ["queued", "sending", "sent", "undelivered"],
    ["queued", "failed"],
    ["scheduled", "queued", "sent"],
)


_NUMBERS = count(2000)
"""Patients of whom no other example has marked the number."""


def _code(status: str) -> str | None:
    return "30006" if status in ("undelivered", "failed") else None


@given(st.data())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_in_any_order_and_doubled_they_come_to_the_same(
    kept_sqlite: Engine, data: st.DataObject
) -> None:
    """Whether the answer to the attempt comes before, between, after, or never."""
    desk = Desk(kept_sqlite)
    story = data.draw(st.sampled_from(STORIES))
    doubled = story + data.draw(st.lists(st.sampled_from(story), max_size=4))
    order = data.draw(st.permutations([*doubled, "the answer"]))
    together = data.draw(st.booleans())
    lost = data.draw(st.booleans())
    id_ = desk.enroll(next(_NUMBERS)).enrollment_id
    row = desk.row(id_, "welcome")
    going = take_off(desk, [row], NOW)
    sid = f"SM{row.id:032}"
    if together:
        receive_all(desk.engine, [(row.id, word(s, _code(s), sid)) for s in doubled], LATER)
    for said in order:
        if said == "the answer":
            land(desk, [row], going, [Unknown("lost") if lost else Accepted(sid)], LATER)
        else:
            receive(desk.engine, row.id, word(said, _code(said), sid), LATER)
    end = {"delivered": Status.DELIVERED, "undelivered": Status.UNDELIVERED}
    end |= {"failed": Status.FAILED, "sent": Status.ACCEPTED}
    assert stands(desk, row.id) is end[story[-1]]
    (attempt,) = desk.tries(row.id)
    assert (attempt.outcome, attempt.provider_id) == ("accepted", sid)


# --- An answer that was lost ----------------------------------------------------------------------


def test_a_receipt_settles_what_was_unknown_and_closes_the_question_to_staff(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    row = desk.row(id_, "welcome")
    fly(desk, [row], Unknown("lost"), NOW)
    desk.sms.name, desk.sms.knows = "texts", lambda _: Unknown("no list")
    settle(desk.engine, Channel.SMS, desk.sms, NOW + SETTLE_AFTER)
    assert len(desk.tasks("unknown_outcome")) == 1
    receive(desk.engine, row.id, word("sent"), NOW + HOUR)
    found = desk.row(id_, "welcome")
    assert (found.status, found.reason, found.provider_id) == (Status.ACCEPTED, None, SID)
    assert desk.tasks("unknown_outcome") == []


def test_a_receipt_that_comes_before_our_own_record_stands(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    row = desk.row(id_, "welcome")
    going = take_off(desk, [row], NOW)
    receive(desk.engine, row.id, word("delivered"), NOW)
    assert desk.row(id_, "welcome").lease_token is None
    land(desk, [row], going, [Retry("connect", kind=RetryKind.AWAY)], LATER)
    assert stands(desk, row.id) is Status.DELIVERED


# --- Another attempt's ----------------------------------------------------------------------------


def _sent_twice(desk: Desk) -> tuple[int, int]:
    """A welcome whose first attempt seemed lost for good, and whose second was accepted."""
    id_ = desk.enroll(consent="sms").enrollment_id
    row = desk.row(id_, "welcome")
    fly(desk, [row], Retry("21611"), NOW)
    retried = desk.row(id_, "welcome")
    fly(desk, [retried], Accepted(OTHER), retried.due_at)
    return id_, row.id


def test_the_failure_of_an_earlier_attempt_moves_nothing(desk: Desk) -> None:
    _, row = _sent_twice(desk)
    assert receive(desk.engine, row, word("failed", "30008"), LATER) is Taken.KEPT
    assert stands(desk, row) is Status.ACCEPTED
    assert desk.tasks("call_patient") == []


def test_that_an_earlier_attempt_arrived_counts(desk: Desk) -> None:
    _, row = _sent_twice(desk)
    receive(desk.engine, row, word("delivered"), LATER)
    receive(desk.engine, row, word("undelivered", "30003", OTHER), LATER)
    assert stands(desk, row) is Status.DELIVERED


def test_what_arrived_after_all_is_not_sent_again(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    row = desk.row(id_, "welcome")
    going = take_off(desk, [row], NOW)
    land(desk, [row], going, [Accepted(SID)], NOW)
    _put_back(desk, row.id)
    receive(desk.engine, row.id, word("delivered"), LATER)
    found = desk.row(id_, "welcome")
    assert (found.status, found.reason) == (Status.SKIPPED, Reason.ALREADY_TOLD)


def _put_back(desk: Desk, delivery_id: int) -> None:
    """As a wrong word of the provider's would: that it came to nothing and is to be retried."""
    values = {"status": Status.SCHEDULED, "reason": Reason.RETRYING}
    with writing(desk.engine) as session:
        session.execute(DELIVERIES.update().where(DELIVERIES.c.id == delivery_id).values(values))


# --- What came to nothing -------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["30005", "30006", "21211"])
def test_a_bad_number_is_marked_told_to_staff_and_the_step_goes_by_email(
    desk: Desk, code: str
) -> None:
    id_, row = day_of(desk)
    assert receive(desk.engine, row, word("undelivered", code), DUE + MINUTE) is Taken.MOVED
    found = desk.row(id_, "day-of")
    assert (found.status, found.reason) == (Status.UNDELIVERED, Reason.REFUSED)
    assert desk.row(id_, "day-of", "email").status is Status.SCHEDULED
    assert [task.kind for task in desk.tasks()] == ["fix_address"]
    assert _marked(desk, row) == code


def test_a_number_that_opted_out_at_the_carrier_is_suppressed(desk: Desk) -> None:
    _, row = welcomed(desk)
    receive(desk.engine, row, word("failed", "21610"), LATER)
    assert _marked(desk, row) == "21610"


def test_a_replayed_failure_does_not_mark_the_number_again(desk: Desk) -> None:
    _, row = day_of(desk)
    receive(desk.engine, row, word("undelivered", "30006"), DUE + MINUTE)
    (attempt,) = desk.tries(row)
    with writing(desk.engine) as session:
        for address in session.query(Address).filter_by(address=attempt.address):
            address.suppressed_at = address.suppressed_because = None
    before = len(desk.rows()), len(desk.tasks())
    assert receive(desk.engine, row, word("undelivered", "30006"), DUE + HOUR) is Taken.AGAIN
    assert _marked(desk, row) is None
    assert (len(desk.rows()), len(desk.tasks())) == before


def _marked(desk: Desk, delivery_id: int) -> str | None:
    """Why the number that the delivery went to must not be messaged."""
    pair = (Channel.SMS, desk.tries(delivery_id)[-1].address)
    with reading(desk.engine) as session:
        return patients.suppressed(session, desk.scope.clinic_id, [pair]).get(pair)


def test_words_that_a_carrier_filters_alert_staff_once_a_day(desk: Desk) -> None:
    for number in (1, 2):
        _, row = welcomed(desk, number)
        receive(desk.engine, row, word("undelivered", "30007"), LATER)
    assert len(desk.tasks("provider_refuses")) == 1


def test_a_code_that_nobody_knows_is_kept_and_counted_and_ends_the_delivery(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    row = desk.row(id_, "welcome")
    fly(desk, [row], Accepted(SID), NOW)
    metrics.turn_on()
    try:
        receive(desk.engine, row.id, word("undelivered", "39999"), LATER)
        page = metrics.page().decode()
    finally:
        metrics.turn_off()
    assert 'drip_receipts_total{code="unknown",provider="twilio",status="undelivered"} 1.0' in page
    assert kept(desk) == [(SID, "undelivered", "39999")]
    assert stands(desk, row.id) is Status.UNDELIVERED
    assert [task.kind for task in desk.tasks()] == ["call_patient"]


def test_a_failure_without_a_code_is_a_failure(desk: Desk) -> None:
    _, row = welcomed(desk)
    receive(desk.engine, row, word("failed"), LATER)
    assert stands(desk, row) is Status.FAILED


def test_where_no_retry_is_allowed_a_phone_out_of_reach_is_told_to_staff_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = TRANSITIONS[Status.ACCEPTED] - {Status.SCHEDULED}
    monkeypatch.setitem(TRANSITIONS, Status.ACCEPTED, once)
    id_ = desk.enroll(consent="sms").enrollment_id
    row = desk.row(id_, "welcome")
    fly(desk, [row], Accepted(SID), NOW)
    receive(desk.engine, row.id, word("undelivered", "30003"), LATER)
    assert desk.stands(id_)["welcome/sms"] == "undelivered refused"
    assert [task.kind for task in desk.tasks()] == ["call_patient"]


def test_a_phone_out_of_reach_is_tried_once_more_and_then_staff_call(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = TRANSITIONS[Status.ACCEPTED] | {Status.SCHEDULED}
    monkeypatch.setitem(TRANSITIONS, Status.ACCEPTED, back)
    id_ = desk.enroll(consent="sms").enrollment_id
    row = desk.row(id_, "welcome")
    fly(desk, [row], Accepted(SID), NOW)
    receive(desk.engine, row.id, word("undelivered", "30003"), LATER)
    retried = desk.row(id_, "welcome")
    assert (retried.status, retried.reason) == (Status.SCHEDULED, Reason.RETRYING)
    assert timedelta(minutes=50) < retried.due_at - LATER < timedelta(hours=3)
    assert receive(desk.engine, row.id, word("sent"), LATER) is Taken.KEPT
    assert receive(desk.engine, row.id, word("undelivered", "30003"), LATER) is Taken.AGAIN
    assert desk.row(id_, "welcome").due_at == retried.due_at
    assert desk.tasks() == []
    fly(desk, [retried], Accepted(OTHER), retried.due_at)
    receive(desk.engine, row.id, word("undelivered", "30003", OTHER), retried.due_at + MINUTE)
    assert desk.stands(id_)["welcome/sms"] == "undelivered refused"
    assert [task.kind for task in desk.tasks()] == ["call_patient"]
