"""A delivery is claimed once, sent under a lease, recorded, and never lost."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from drip.core.delivery import Reason, Status
from drip.core.schedule import Channel
from drip.store import claiming, deliveries, outcomes
from drip.store.engine import reading, writing
from drip.store.outcomes import Result
from drip.store.schema import Delivery
from tests.store.conftest import Add

Look = Callable[[int], Delivery]
LEASE = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


def test_a_delivery_is_read_as_it_was_written(add: Add, look: Look, now: datetime) -> None:
    (id_,) = add([{"step": "welcome", "reason": Reason.PAUSED, "status": Status.HELD}])
    row = look(id_)
    assert (row.step, row.status, row.reason) == ("welcome", Status.HELD, Reason.PAUSED)
    assert (row.channel, row.occurrence, row.attempts) == (Channel.SMS, 1, 0)
    assert row.due_at == now
    assert row.sent_at is None


def test_inserting_nothing_inserts_nothing(engine: Engine, enrollment_id: int) -> None:
    with writing(engine) as session:
        deliveries.insert(session, [])
        assert deliveries.of_enrollment(session, enrollment_id) == []


def test_deliveries_are_listed_by_time(
    engine: Engine, add: Add, enrollment_id: int, patient_id: int, now: datetime
) -> None:
    late, early = add([{"due_at": now + MINUTE}, {"due_at": now}])
    with writing(engine) as session:
        for rows in (
            deliveries.of_enrollment(session, enrollment_id),
            deliveries.of_enrollment(session, enrollment_id, lock=True),
            deliveries.of_patient(session, patient_id),
        ):
            assert [row.id for row in rows] == [early, late]


# --- Claiming -----------------------------------------------------------------------------------


def test_what_is_due_is_claimed_essential_first_then_by_time(
    engine: Engine, add: Add, look: Look, now: datetime
) -> None:
    education, younger, older, future = add(
        [
            {"priority": 1, "due_at": now - 9 * MINUTE},
            {"due_at": now - MINUTE},
            {"due_at": now - 2 * MINUTE},
            {"due_at": now + MINUTE},
        ]
    )
    with writing(engine) as session:
        claimed = claiming.claim(session, now, limit=10, lease=LEASE, token="mine")
    assert claimed == [older, younger, education]
    row = look(older)
    assert (row.status, row.lease_token, row.lease_until) == (Status.CLAIMED, "mine", now + LEASE)
    assert look(future).status is Status.SCHEDULED


def test_a_claim_takes_no_more_than_its_limit(engine: Engine, add: Add, now: datetime) -> None:
    essential = add([{"due_at": now - MINUTE} for _ in range(3)])
    education = add([{"priority": 1} for _ in range(3)])
    with writing(engine) as session:
        first = claiming.claim(session, now, limit=4, lease=LEASE, token="a")
        second = claiming.claim(session, now, limit=4, lease=LEASE, token="b")
        third = claiming.claim(session, now, limit=4, lease=LEASE, token="c")
    assert first == [*essential, education[0]]
    assert second == education[1:]
    assert third == []


def test_a_claim_may_be_for_one_channel(engine: Engine, add: Add, now: datetime) -> None:
    text, email = add([{"channel": Channel.SMS}, {"channel": Channel.EMAIL}])

    def claim(channel: Channel) -> list[int]:
        return claiming.claim(session, now, limit=9, lease=LEASE, token="mine", channel=channel)

    with writing(engine) as session:
        assert claim(Channel.SMS) == [text]
        assert claim(Channel.SMS) == []
        assert claim(Channel.EMAIL) == [email]


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.SCHEDULED}))
def test_only_scheduled_deliveries_are_claimed(
    engine: Engine, add: Add, now: datetime, status: Status
) -> None:
    add([{"status": status}])
    with writing(engine) as session:
        assert claiming.claim(session, now, limit=9, lease=LEASE, token="mine") == []


# --- Under a lease ------------------------------------------------------------------------------


@pytest.fixture
def claimed(engine: Engine, add: Add, now: datetime) -> list[int]:
    """Three deliveries under the token `mine`."""
    add([{}, {}, {}])
    with writing(engine) as session:
        return claiming.claim(session, now, limit=3, lease=LEASE, token="mine")


def test_sending_is_marked_with_the_attempt_and_its_time(
    engine: Engine, claimed: list[int], look: Look, now: datetime
) -> None:
    later = now + MINUTE
    with writing(engine) as session:
        marked = deliveries.mark_sending(session, claimed[:2], "mine", later, LEASE)
    assert marked == set(claimed[:2])
    row = look(claimed[0])
    assert (row.status, row.attempts, row.sent_at) == (Status.SENDING, 1, later)
    assert (row.lease_token, row.lease_until) == ("mine", later + LEASE)
    assert look(claimed[2]).status is Status.CLAIMED


def test_the_time_of_sending_is_that_of_the_last_hand_over(
    engine: Engine, claimed: list[int], look: Look, now: datetime
) -> None:
    id_, again = claimed[0], now + timedelta(hours=1)
    with writing(engine) as session:
        deliveries.mark_sending(session, [id_], "mine", now, LEASE)
        retry = Result(id_, 1, Status.SCHEDULED, due_at=again, reason=Reason.RETRYING)
        outcomes.record(session, [retry], now)
        claiming.claim(session, again, limit=1, lease=LEASE, token="next")
        deliveries.mark_sending(session, [id_], "next", again, LEASE)
    assert (look(id_).sent_at, look(id_).attempts) == (again, 2)


def test_who_lost_the_lease_may_not_send(engine: Engine, claimed: list[int], now: datetime) -> None:
    with writing(engine) as session:
        assert deliveries.mark_sending(session, claimed, "another", now, LEASE) == set()
        assert deliveries.mark_sending(session, claimed, "mine", now + LEASE, LEASE) == set()


def test_the_same_delivery_is_marked_once(
    engine: Engine, claimed: list[int], now: datetime
) -> None:
    with writing(engine) as session:
        assert deliveries.mark_sending(session, claimed, "mine", now, LEASE) == set(claimed)
        assert deliveries.mark_sending(session, claimed, "mine", now, LEASE) == set()


def test_what_is_given_back_may_be_claimed_by_another(
    engine: Engine, claimed: list[int], look: Look, now: datetime
) -> None:
    with writing(engine) as session:
        assert deliveries.give_back(session, claimed, "another", now) == set()
        assert deliveries.give_back(session, claimed, "mine", now) == set(claimed)
    assert look(claimed[0]).lease_token is None
    with writing(engine) as session:
        again = claiming.claim(session, now, limit=9, lease=LEASE, token="next")
    assert again == claimed


def test_what_is_sending_cannot_be_given_back(
    engine: Engine, claimed: list[int], look: Look, now: datetime
) -> None:
    with writing(engine) as session:
        deliveries.mark_sending(session, claimed, "mine", now, LEASE)
        assert deliveries.give_back(session, claimed, "mine", now) == set()
    assert look(claimed[0]).status is Status.SENDING


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.EXPIRED, Status.CANCELLED, Status.HELD])
def test_a_claimed_delivery_is_ended_with_a_reason(
    engine: Engine, claimed: list[int], look: Look, now: datetime, status: Status
) -> None:
    id_ = claimed[0]
    with writing(engine) as session:
        other = deliveries.end_claimed(session, id_, "another", status, Reason.STOPPED, now)
        ours = deliveries.end_claimed(session, id_, "mine", status, Reason.STOPPED, now)
        again = deliveries.end_claimed(session, id_, "mine", status, Reason.STOPPED, now)
    assert (other, ours, again) == (False, True, False)
    row = look(id_)
    assert (row.status, row.reason, row.lease_token) == (status, Reason.STOPPED, None)


def test_a_claimed_delivery_is_put_off(
    engine: Engine, claimed: list[int], look: Look, now: datetime
) -> None:
    id_, later = claimed[0], now + timedelta(hours=2)
    with writing(engine) as session:
        other = deliveries.postpone(session, id_, "another", later, Reason.CROWDED, now)
        ours = deliveries.postpone(session, id_, "mine", later, Reason.CROWDED, now)
    assert (other, ours) == (False, True)
    row = look(id_)
    assert (row.status, row.due_at, row.planned_at) == (Status.SCHEDULED, later, now)
    assert (row.reason, row.lease_until) == (Reason.CROWDED, None)


# --- Keeping house ------------------------------------------------------------------------------


def test_lapsed_leases_are_rescued_and_others_left(
    engine: Engine, add: Add, look: Look, now: datetime
) -> None:
    past, future = now - MINUTE, now + MINUTE
    rows = [
        {"status": status, "lease_token": "dead", "lease_until": until}
        for status in (Status.CLAIMED, Status.SENDING)
        for until in (past, now, future)
    ]
    ids = add(rows)
    with writing(engine) as session:
        rescued = deliveries.rescue(session, now)
    assert (rescued.given_back, rescued.unknown) == (2, [ids[3], ids[4]])
    assert [look(id_).status for id_ in ids] == [
        Status.SCHEDULED,
        Status.SCHEDULED,
        Status.CLAIMED,
        Status.UNKNOWN,
        Status.UNKNOWN,
        Status.SENDING,
    ]
    assert look(ids[0]).lease_token is None


def test_what_is_past_its_until_expires(
    engine: Engine, add: Add, look: Look, now: datetime
) -> None:
    ids = dict(zip(Status, add({"status": s, "until": now} for s in Status), strict=True))
    (in_time,) = add([{"until": now + MINUTE}])
    with writing(engine) as session:
        expired = deliveries.expire(session, now)
    assert {row.id for row in expired} == {ids[Status.SCHEDULED], ids[Status.HELD]}
    assert {(row.status, row.reason) for row in expired} == {(Status.EXPIRED, Reason.UNTIL_PASSED)}
    assert look(in_time).status is Status.SCHEDULED


def test_expiring_goes_by_portions(engine: Engine, add: Add, now: datetime) -> None:
    add([{"until": now}] * 5)
    with writing(engine) as session:
        portions = [len(deliveries.expire(session, now, limit=2)) for _ in range(4)]
    assert portions == [2, 2, 1, 0]


def test_unknown_deliveries_are_asked_for_longest_first(
    engine: Engine, add: Add, now: datetime
) -> None:
    young, old, email, fresh, _ = add(
        [
            {"status": Status.UNKNOWN, "updated_at": now - 2 * MINUTE},
            {"status": Status.UNKNOWN, "updated_at": now - 3 * MINUTE},
            {
                "status": Status.UNKNOWN,
                "updated_at": now - 4 * MINUTE,
                "channel": Channel.EMAIL,
            },
            {"status": Status.UNKNOWN, "updated_at": now},
            {"status": Status.SENDING, "updated_at": now - 9 * MINUTE},
        ]
    )

    def ask(limit: int = 9, channel: Channel | None = None) -> list[int]:
        rows = deliveries.unknown(session, before=now - MINUTE, limit=limit, channel=channel)
        return [row.id for row in rows]

    with writing(engine) as session:
        assert ask() == [email, old, young]
        assert ask(channel=Channel.SMS) == [old, young]
        assert ask(limit=1) == [email]
        deliveries.ask_later(session, [email, old], now)
        assert ask() == [young]
        rows = deliveries.unknown(session, before=now, limit=9)
        assert {row.id for row in rows} == {young, old, email, fresh}


def test_the_next_due_time_is_that_of_scheduled_deliveries(
    engine: Engine, add: Add, now: datetime
) -> None:
    with reading(engine) as session:
        assert claiming.next_due_at(session) is None
    add(
        [
            {"status": Status.CLAIMED, "due_at": now - 5 * MINUTE},
            {"due_at": now + 3 * MINUTE},
            {"due_at": now + 2 * MINUTE, "priority": 1},
        ]
    )
    with reading(engine) as session:
        assert claiming.next_due_at(session) == now + 2 * MINUTE
