"""Claims are fair between clinics, keep to the room there is, and cost the same with any future."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from drip.core.delivery import Priority, Status, priority_of
from drip.core.schedule import Channel, Weight
from drip.store import claiming, clinics, deliveries
from drip.store.claiming import Line
from drip.store.engine import reading, writing
from tests.store.conftest import Add

LEASE = timedelta(minutes=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

Clinics = Callable[[int], list[int]]


@pytest.fixture
def more_clinics(engine: Engine, now: datetime) -> Clinics:
    """Adds clinics; gives their ids."""

    def make(count: int) -> list[int]:
        with writing(engine) as session:
            return [clinics.upsert(session, f"clinic-{n}", {}, now) for n in range(count)]

    return make


def no_limit(_lines: Collection[Line], _claimed: Mapping[Line, int]) -> dict[Line, int]:
    return {}


def claimed(
    engine: Engine,
    now: datetime,
    limit: int,
    room: claiming.Room = no_limit,
    channel: Channel | None = None,
) -> Counter[int]:
    """Claim, and say how many of each clinic there were."""
    with writing(engine) as session:
        ids = claiming.claim(
            session, now, limit=limit, lease=LEASE, token="mine", channel=channel, room=room
        )
        assert len(ids) == len(set(ids))
        rows = [deliveries.get(session, id_) for id_ in ids]
    return Counter(row.clinic_id for row in rows if row is not None)


def test_a_flood_of_one_clinic_leaves_the_others_their_share(
    engine: Engine, add: Add, more_clinics: Clinics, now: datetime
) -> None:
    flooded, small, smaller = more_clinics(3)
    add({"clinic_id": flooded, "due_at": now - DAY} for _ in range(300))
    add({"clinic_id": small, "due_at": now} for _ in range(5))
    add({"clinic_id": smaller, "due_at": now} for _ in range(1))
    assert claimed(engine, now, 60) == {flooded: 54, small: 5, smaller: 1}


def test_with_more_clinics_than_there_is_room_for_each_has_its_turn(
    engine: Engine, add: Add, more_clinics: Clinics, now: datetime
) -> None:
    ids = more_clinics(6)
    for id_ in ids:
        add({"clinic_id": id_} for _ in range(10))
    total: Counter[int] = Counter()
    for second in range(6):
        at = now + timedelta(seconds=second)
        found = claimed(engine, at, 2)
        assert set(found.values()) == {1}
        total += found
    assert total == dict.fromkeys(ids, 2)


def test_what_matters_more_goes_first_whosesoever_it_is(
    engine: Engine, add: Add, more_clinics: Clinics, now: datetime
) -> None:
    one, other = more_clinics(2)
    add({"clinic_id": one, "priority": Priority.EDUCATION, "due_at": now - DAY} for _ in range(9))
    add({"clinic_id": other, "priority": Priority.ESSENTIAL, "due_at": now - DAY} for _ in "ab")
    add({"clinic_id": other, "priority": Priority.TIME_CRITICAL, "due_at": now} for _ in "cd")
    with writing(engine) as session:
        ids = claiming.claim(session, now, limit=5, lease=LEASE, token="mine")
        rows = [deliveries.get(session, id_) for id_ in ids]
    assert [row.priority for row in rows if row is not None] == [0, 0, 1, 1, 2]


def test_no_more_is_claimed_of_a_line_than_there_is_room_for(
    engine: Engine, add: Add, more_clinics: Clinics, now: datetime
) -> None:
    slow, quick = more_clinics(2)
    asked: list[Collection[Line]] = []

    def room(lines: Collection[Line], _claimed: Mapping[Line, int]) -> dict[Line, int]:
        asked.append(list(lines))
        return {Line(slow, Channel.SMS): 3}

    add({"clinic_id": slow, "priority": n % 2} for n in range(20))
    add({"clinic_id": quick} for _ in range(20))
    assert claimed(engine, now, 30, room) == {slow: 3, quick: 20}
    assert [set(lines) for lines in asked] == [{Line(slow, Channel.SMS), Line(quick, Channel.SMS)}]


def test_what_is_claimed_already_is_told_until_its_lease_is_over(
    engine: Engine, add: Add, clinic_id: int, now: datetime
) -> None:
    add([{}, {}, {"channel": Channel.EMAIL}, {"due_at": now + DAY}])
    claimed(engine, now, 10)
    with reading(engine) as session:
        found = claiming.claimed_now(session, now)
        assert found == {Line(clinic_id, Channel.SMS): 2, Line(clinic_id, Channel.EMAIL): 1}
        assert claiming.claimed_now(session, now + LEASE) == {}


def test_only_the_asked_channel_is_claimed(
    engine: Engine, add: Add, clinic_id: int, now: datetime
) -> None:
    add([{"channel": Channel.EMAIL}, {}, {}])
    assert claimed(engine, now, 10, channel=Channel.EMAIL) == {clinic_id: 1}
    assert claimed(engine, now, 10, channel=Channel.SMS) == {clinic_id: 2}


@pytest.mark.parametrize(
    ("weight", "span", "priority"),
    [
        (Weight.ESSENTIAL, timedelta(hours=1), Priority.TIME_CRITICAL),
        (Weight.ESSENTIAL, timedelta(hours=3), Priority.TIME_CRITICAL),
        (Weight.ESSENTIAL, timedelta(hours=3, seconds=1), Priority.ESSENTIAL),
        (Weight.EDUCATION, timedelta(hours=1), Priority.EDUCATION),
    ],
)
def test_an_essential_step_that_must_not_wait_is_time_critical(
    now: datetime, weight: Weight, span: timedelta, priority: Priority
) -> None:
    assert priority_of(weight, now, now + span) is priority


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_claim_reads_what_it_takes_and_nothing_of_the_future(
    engine: Engine, add: Add, now: datetime
) -> None:
    add({"due_at": now + timedelta(minutes=n)} for n in range(1, 20_001))
    add({"due_at": now - MINUTE} for _ in range(20))
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    plans = explained(engine, lambda: claimed(engine, now, 10))
    assert len(plans) >= 3
    for plan in plans:
        assert "Seq Scan on deliveries" not in plan, plan
        assert rows_read(plan) <= 20, plan
    assert sum("deliveries_due" in plan for plan in plans) >= 2, "the heads, and the claim"


def explained(engine: Engine, run: Callable[[], object]) -> list[str]:
    """The plan, with what was really read, of each statement about deliveries that `run` makes."""
    plans: list[str] = []

    def explain(connection: Connection, _cursor: object, said: str, given: Any, *_: object) -> None:
        if "deliveries" in said and not said.startswith("EXPLAIN"):
            cursor = connection.connection.cursor()
            cursor.execute("SAVEPOINT before")
            cursor.execute(f"EXPLAIN ANALYZE {said}", given)
            plans.append("\n".join(line for (line,) in cursor.fetchall()))
            cursor.execute("ROLLBACK TO SAVEPOINT before")

    event.listen(engine, "before_cursor_execute", explain)
    run()
    event.remove(engine, "before_cursor_execute", explain)
    return plans


def rows_read(plan: str) -> float:
    """The most deliveries that one node of a plan has gone through, filtered ones too."""
    passed = [float(n) for n in re.findall(r"actual time=\S+ rows=([\d.]+)", plan)]
    removed = [float(n) for n in re.findall(r"Rows Removed by Filter: (\d+)", plan)]
    return max(passed + removed)


def test_nothing_waits_where_nothing_is_scheduled(engine: Engine, add: Add, now: datetime) -> None:
    add([{"status": Status.ACCEPTED}])
    with reading(engine) as session:
        assert claiming.next_due_at(session) is None
        assert claiming.look(session, now).due(now) == {}
