"""What providers say of deliveries that were handed over, a batch at a time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from drip.core.delivery import HANDED_OVER, Reason, Status, sources_of
from drip.store import outcomes
from drip.store.engine import writing
from drip.store.outcomes import Result
from drip.store.schema import Delivery
from tests.store.conftest import Add

Look = Callable[[int], Delivery]


def test_answers_of_every_kind_are_written_down_at_once(
    engine: Engine, add: Add, look: Look, now: datetime
) -> None:
    taken, busy, refused, silent = add([{"status": Status.SENDING, "lease_until": now}] * 4)
    later = now + timedelta(minutes=2)
    results = [
        Result(taken, 0, Status.ACCEPTED, "twilio", "SM1"),
        Result(busy, 0, Status.SCHEDULED, "twilio", due_at=later, reason=Reason.RETRYING),
        Result(refused, 0, Status.FAILED, "twilio", reason=Reason.GAVE_UP),
        Result(silent, 0, Status.UNKNOWN, "twilio", reason=Reason.NO_ANSWER),
    ]
    with writing(engine) as session:
        assert outcomes.record(session, results, now) == {taken, busy, refused, silent}
    row = look(taken)
    assert (row.status, row.provider, row.provider_id) == (Status.ACCEPTED, "twilio", "SM1")
    assert (row.reason, row.lease_until) == (None, None)
    row = look(busy)
    assert (row.status, row.due_at, row.reason) == (Status.SCHEDULED, later, Reason.RETRYING)
    assert (look(refused).status, look(refused).reason) == (Status.FAILED, Reason.GAVE_UP)
    assert (look(silent).status, look(silent).lease_until) == (Status.UNKNOWN, None)


@pytest.mark.parametrize("after", sorted(HANDED_OVER - {Status.SENDING} | {Status.SCHEDULED}))
def test_an_answer_moves_only_what_it_may(
    engine: Engine, add: Add, now: datetime, after: Status
) -> None:
    ids = dict(zip(Status, add({"status": status} for status in Status), strict=True))
    results = [Result(id_, 0, after, due_at=now) for id_ in ids.values()]
    with writing(engine) as session:
        moved = outcomes.record(session, results, now)
    expected = {ids[before] for before in sources_of(after) & HANDED_OVER}
    if after is Status.SCHEDULED:
        expected -= {ids[Status.ACCEPTED]}  # it would be sent twice
    assert moved == expected


def test_what_was_accepted_is_tried_again_where_a_receipt_says_that_it_came_to_nothing(
    engine: Engine, add: Add, look: Look, now: datetime
) -> None:
    (id_,) = add([{"status": Status.ACCEPTED}])
    with writing(engine) as session:
        again = Result(id_, 0, Status.SCHEDULED, due_at=now, reason=Reason.RETRYING)
        assert outcomes.record(session, [again], now, by_receipt=True) == {id_}
    assert look(id_).status is Status.SCHEDULED


@pytest.mark.parametrize(
    ("status", "moves"),
    [
        (Status.ACCEPTED, True),
        (Status.SCHEDULED, False),
        (Status.FAILED, False),
        (Status.UNKNOWN, False),
    ],
)
def test_of_an_earlier_attempt_only_that_it_was_taken_counts(
    engine: Engine, add: Add, now: datetime, status: Status, moves: bool
) -> None:
    (id_,) = add([{"status": Status.SENDING, "attempts": 2}])
    with writing(engine) as session:
        moved = outcomes.record(session, [Result(id_, 1, status, due_at=now)], now)
    assert moved == ({id_} if moves else set())


def test_nothing_is_written_for_nothing(engine: Engine, now: datetime) -> None:
    with writing(engine) as session:
        assert outcomes.record(session, [], now) == set()


def test_what_is_tried_again_must_say_when() -> None:
    with pytest.raises(ValueError, match="needs a due_at"):
        Result(1, 1, Status.SCHEDULED)


def test_a_batch_is_found_by_its_ids_and_by_no_index_on_the_status(
    engine: Engine, add: Add, now: datetime
) -> None:
    """Old statistics make such an index look better, and it is then read once for every row."""
    (id_,) = add([{"status": Status.SENDING}])
    said: list[tuple[str, Any]] = []

    def listen(_c: object, _k: object, statement: str, parameters: Any, *_: object) -> None:
        said.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    with writing(engine) as session:
        outcomes.record(session, [Result(id_, 0, Status.ACCEPTED)], now)
    event.remove(engine, "before_cursor_execute", listen)
    ((statement, parameters),) = (each for each in said if each[0].startswith("UPDATE"))
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
    assert "deliveries_pk" in plan or "INTEGER PRIMARY KEY" in plan
    assert "deliveries_leased" not in plan
    assert "deliveries_unknown" not in plan
