"""What runs every second reads no more rows than it needs, however many wait for next year."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from drip.core.delivery import Reason, Status
from drip.core.schedule import Channel
from drip.store import attempts, claimed, claiming, deliveries, outcomes, patients
from drip.store.attempts import Finished
from drip.store.engine import writing
from drip.store.outcomes import Result
from tests.store.conftest import Add

LEASE = timedelta(minutes=5)

Asked = list[tuple[str, Any]]


@pytest.fixture
def asked(engine: Engine) -> Iterator[Asked]:
    """Every statement of the test, with its parameters."""
    statements: Asked = []

    def note(
        _connection: Connection,
        _cursor: object,
        statement: str,
        parameters: Any,
        _context: object,
        executemany: bool,
    ) -> None:
        if statement.startswith(("SELECT", "UPDATE", "WITH")):
            statements.append((statement, parameters[0] if executemany else parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def test_every_statement_on_the_way_of_a_delivery_uses_an_index(
    engine: Engine, add: Add, clinic_id: int, enrollment_id: int, now: datetime, asked: Asked
) -> None:
    ids = add([{} for _ in range(6)])
    asked.clear()
    with writing(engine) as session:
        claiming.next_due_at(session)
        claiming.claim(session, now, limit=9, lease=LEASE, token="mine")
        claimed.addresses(session, ids, "mine", now)
        claimed.lock(session, ids, "mine", now)
        claimed.beside(session, [1], around=(now, now), steps=["welcome"])
        claiming.claimed_now(session, now)
        deliveries.give_back(session, ids[:1], "mine", now)
        deliveries.end_claimed(session, ids[1], "mine", Status.SKIPPED, Reason.STOPPED, now)
        deliveries.postpone(session, ids[2], "mine", now, None, now)
        patients.lock_addresses(session, clinic_id, [(Channel.SMS, "+12125550101")])
        deliveries.mark_sending(session, ids, "mine", now, LEASE)
        attempts.finish(session, [Finished(1, now, "accepted")])
        outcomes.record(session, [Result(id_, 1, Status.ACCEPTED) for id_ in ids], now)
        attempts.last_open(session, ids)
        deliveries.rescue(session, now)
        deliveries.expire(session, now)
        deliveries.unknown(session, before=now, limit=9)
        deliveries.ask_later(session, ids, now)
        deliveries.of_enrollment(session, enrollment_id)
        deliveries.move(session, ids, Status.HELD, now)
        deliveries.replan(session, [{"id": ids[3], "status": Status.SCHEDULED}], now)
    assert len(asked) >= 18
    with engine.connect() as connection:
        read_whole = [
            statement
            for statement, parameters in list(asked)
            if _reads_a_whole_table(connection, statement, parameters)
        ]
    assert read_whole == []


def _reads_a_whole_table(connection: Connection, statement: str, parameters: Any) -> bool:
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        steps = [row.detail for row in plan]
        small = ("due", "late", "clinics", "counted", "locked", "json_each")
        return any(step.startswith("SCAN") and step.split()[1] not in small for step in steps)
    # On few rows PostgreSQL would read the table all the same.
    connection.execute(text("SET enable_seqscan = off"))
    plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return any("Seq Scan" in row[0] and "on clinics" not in row[0] for row in plan)
