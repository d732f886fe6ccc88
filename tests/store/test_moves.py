"""No delivery goes where the table of moves forbids, whoever asks."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from drip.core.delivery import HANDED_OVER, NEVER_SENT, Reason, Status, sources_of
from drip.store import claiming, deliveries
from drip.store.deliveries import PLANNABLE
from drip.store.engine import writing
from drip.store.moves import DELIVERIES, moving
from drip.store.schema import Delivery
from tests.store.conftest import Add

Look = Callable[[int], Delivery]
LEASE = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("after", Status)
def test_no_move_outside_the_table_touches_a_row(
    engine: Engine, add: Add, enrollment_id: int, now: datetime, after: Status
) -> None:
    ids = dict(zip(Status, add({"status": status} for status in Status), strict=True))
    with writing(engine) as session:
        statement = moving(after, now).returning(DELIVERIES.c.id)
        moved = set(session.scalars(statement))
        standing = {r.id: r.status for r in deliveries.of_enrollment(session, enrollment_id)}
    assert moved == {ids[before] for before in sources_of(after)}
    assert standing == {
        id_: after if before in sources_of(after) else before for before, id_ in ids.items()
    }


def test_asking_for_an_impossible_move_is_a_fault(now: datetime) -> None:
    with pytest.raises(ValueError, match="a delivery cannot go from delivered to scheduled"):
        moving(Status.SCHEDULED, now, before={Status.CLAIMED, Status.DELIVERED})


@pytest.mark.parametrize("after", sorted(PLANNABLE))
def test_a_plan_never_moves_what_was_handed_over(
    engine: Engine, add: Add, now: datetime, after: Status
) -> None:
    ids = dict(zip(Status, add({"status": status} for status in Status), strict=True))
    with writing(engine) as session:
        moved = deliveries.move(session, ids.values(), after, now, Reason.PAUSED)
    assert moved == {ids[before] for before in sources_of(after) - HANDED_OVER}


@pytest.mark.parametrize("after", sorted(set(Status) - PLANNABLE))
def test_a_plan_cannot_say_that_something_was_sent(
    engine: Engine, now: datetime, after: Status
) -> None:
    with writing(engine) as session, pytest.raises(ValueError, match="a plan cannot put"):
        deliveries.move(session, [1], after, now)


@pytest.mark.parametrize("after", sorted(PLANNABLE))
def test_replanning_reaches_all_that_was_not_handed_over(
    engine: Engine, add: Add, look: Look, now: datetime, after: Status
) -> None:
    ids = dict(zip(Status, add({"status": status} for status in Status), strict=True))
    later = now + timedelta(days=1)
    with writing(engine) as session:
        changed = deliveries.replan(
            session,
            [
                {"id": id_, "status": after, "reason": Reason.CROWDED, "due_at": later}
                for id_ in ids.values()
            ],
            now,
        )
    assert changed == {id_ for status, id_ in ids.items() if status not in HANDED_OVER}
    for before, id_ in ids.items():
        row = look(id_)
        if before in HANDED_OVER:
            assert (row.status, row.reason, row.due_at) == (before, None, now)
        else:
            assert (row.status, row.reason, row.due_at) == (after, Reason.CROWDED, later)


def test_replanning_takes_a_claimed_delivery_from_its_worker(
    engine: Engine, add: Add, look: Look, now: datetime
) -> None:
    (id_,) = add([{}])
    with writing(engine) as session:
        claiming.claim(session, now, limit=1, lease=LEASE, token="mine")
    with writing(engine) as session:
        row = {"id": id_, "status": Status.SCHEDULED, "due_at": now + MINUTE}
        assert deliveries.replan(session, [row], now) == {id_}
    with writing(engine) as session:
        assert deliveries.mark_sending(session, [id_], "mine", now, LEASE) == set()
    assert look(id_).lease_token is None


def test_a_plan_may_do_several_things_at_once(
    engine: Engine, add: Add, look: Look, now: datetime
) -> None:
    ids = add([{}, {}, {"status": Status.CANCELLED}])
    afters = [Status.HELD, Status.SCHEDULED, Status.SKIPPED]
    with writing(engine) as session:
        deliveries.replan(
            session,
            [{"id": i, "status": s, "revision": 2} for i, s in zip(ids, afters, strict=True)],
            now,
        )
    assert [look(id_).status for id_ in ids] == afters
    assert {look(id_).revision for id_ in ids} == {2}


def test_what_ended_unsent_may_be_planned_anew(
    engine: Engine, add: Add, look: Look, now: datetime
) -> None:
    ids = add({"status": status} for status in sorted(NEVER_SENT))
    with writing(engine) as session:
        assert deliveries.move(session, ids, Status.SCHEDULED, now) == set(ids)
    assert {look(id_).status for id_ in ids} == {Status.SCHEDULED}
