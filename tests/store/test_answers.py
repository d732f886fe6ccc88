"""What waits to be said is found by its index, and by one sender at a time."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from drip.core.schedule import Channel
from drip.store import answers
from drip.store.engine import reading, writing
from drip.store.schema import AnswerStatus

MINUTE = timedelta(minutes=1)


def add(engine: Engine, clinic_id: int, now: datetime, **columns: Any) -> int:
    row: dict[str, Any] = {
        "kind": "help",
        "channel": Channel.SMS,
        "address": "+12125550101",
        "due_at": now,
    }
    row |= {"body": "Call us.", "by_whom": "drip", "until": now + 60 * MINUTE, "created_at": now}
    with writing(engine) as session:
        return answers.insert(session, clinic_id=clinic_id, **row | columns)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("waiting", True),
        ("sending", True),
        ("accepted", False),
        ("delivered", False),
        ("undelivered", False),
        ("failed", False),
        ("unknown", False),
        ("withheld", False),
    ],
)
def test_only_what_waits_or_is_under_way_is_due(
    engine: Engine, clinic_id: int, now: datetime, status: AnswerStatus, *, found: bool
) -> None:
    id_ = add(engine, clinic_id, now, status=status)
    with writing(engine) as session:
        assert answers.channels_due(session, now - MINUTE) == set()
        assert answers.channels_due(session, now) == ({Channel.SMS} if found else set())
        due = answers.due(session, Channel.SMS, now, 9, ())
        assert [row.id for row in due] == [id_] * found
        assert answers.due(session, Channel.EMAIL, now, 9, ()) == []
        assert answers.due(session, Channel.SMS, now - MINUTE, 9, ()) == []


def test_what_another_sender_has_locked_is_left_to_it(
    postgresql_engine: Engine, now: datetime
) -> None:
    from drip.store import clinics

    engine = postgresql_engine
    with writing(engine) as session:
        clinic_id = clinics.upsert(session, "river", {"name": "River Clinic"}, now)
    ids = [add(engine, clinic_id, now) for _ in range(4)]
    with writing(engine) as one, writing(engine) as other:
        first = [row.id for row in answers.due(one, Channel.SMS, now, 2, ())]
        second = [row.id for row in answers.due(other, Channel.SMS, now, 9, ())]
        assert (first, second) == (ids[:2], ids[2:])


def test_looking_for_what_is_due_reads_no_whole_table(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    ids = [add(engine, clinic_id, now) for _ in range(3)]
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _k: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    with writing(engine) as session:
        answers.channels_due(session, now)
        (first, *_) = answers.due(session, Channel.SMS, now, 9, ("crisis",))
        answers.lock_many(session, ids)
        answers.said_since_stop(session, first, ("stop",))
        answers.is_anothers(session, first, "SM1")
    event.remove(engine, "before_cursor_execute", note)
    assert len(asked) >= 6
    with engine.connect() as connection:
        assert [one for one in asked if _reads_all(connection, *one)] == []


def _reads_all(connection: Connection, statement: str, parameters: Any) -> bool:
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return any(
            row.detail.startswith("SCAN answers") and "USING" not in row.detail for row in plan
        )
    # On few rows PostgreSQL would read the table all the same.
    connection.execute(text("SET enable_seqscan = off"))
    plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return any("Seq Scan" in row[0] for row in plan)


def test_an_answer_that_is_not_there_is_none(engine: Engine) -> None:
    with reading(engine) as session:
        assert answers.get(session, 1) is None
