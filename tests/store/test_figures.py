"""Figures for whoever runs Drip cost the same however many deliveries lie ahead."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from drip.core.delivery import Status
from drip.store import figures
from drip.store.engine import reading
from tests.store.conftest import Add

FUTURE = 5_000


def backlog(session: Session, now: datetime) -> None:
    figures.backlog(session, now)


def backlog_of_one(session: Session, now: datetime) -> None:
    figures.backlog(session, now, 1)
    figures.retrying(session, now - timedelta(days=1), 1)


def tasks(session: Session, _now: datetime) -> None:
    figures.open_tasks(session)
    figures.open_tasks(session, 1)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("look", [backlog, backlog_of_one, tasks])
def test_no_figure_reads_what_lies_in_the_future(
    engine: Engine, add: Add, now: datetime, look: Callable[[Session, datetime], None]
) -> None:
    fill(engine, add, now)
    for plan in plans_of(engine, lambda session: look(session, now)):
        assert rows_read(plan) < FUTURE / 10, plan


def fill(engine: Engine, add: Add, now: datetime) -> None:
    """Thousands of deliveries in the future, and one in each status."""
    add({"due_at": now + timedelta(days=1 + n % 90), "step": f"later-{n}"} for n in range(FUTURE))
    add({"status": status} for status in Status)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))


def plans_of(engine: Engine, look: Callable[[Session], None]) -> list[str]:
    """How PostgreSQL went about each query."""
    seen: list[tuple[str, Any]] = []

    def keep(_c: object, _k: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    with reading(engine) as session:
        look(session)
    event.remove(engine, "before_cursor_execute", keep)
    assert len(seen) >= 2
    with engine.connect() as connection:
        return [
            "\n".join(connection.exec_driver_sql(f"EXPLAIN ANALYZE {said}", given).scalars())
            for said, given in seen
        ]


def rows_read(plan: str) -> float:
    """The most rows that one node of a plan has gone through, filtered ones too."""
    import re

    passed = [float(n) for n in re.findall(r"actual time=\S+ rows=([\d.]+)", plan)]
    removed = [float(n) for n in re.findall(r"Rows Removed by Filter: (\d+)", plan)]
    return max(passed + removed)
