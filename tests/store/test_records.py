"""Schedules, clinics, attempts and tasks are kept, and kept once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from drip.core.delivery import Status
from drip.errors import NotFound
from drip.store import attempts, clinics, deliveries, schedules, tasks
from drip.store.attempts import Failures, Finished
from drip.store.engine import reading, writing
from drip.store.schema import Outcome
from tests.store.conftest import Add

DAY = timedelta(days=1)


def test_a_schedule_version_never_changes_once_kept(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    one: dict[str, Any] = {"steps": [{"step": "b"}, {"step": "a"}]}
    other: dict[str, Any] = {"steps": []}
    with writing(engine) as session:
        assert schedules.keep(session, clinic_id, "first", 1, one, now) == one
        assert schedules.keep(session, clinic_id, "first", 1, other, now) == one
        assert schedules.keep(session, clinic_id, "first", 2, other, now) == other
    with reading(engine) as session:
        assert schedules.definition(session, clinic_id, "first", 1) == one
        kept = schedules.versions(session, clinic_id, "first")
        assert [row.version for row in kept] == [1, 2]
        assert schedules.get(session, clinic_id, "second", 1) is None
        with pytest.raises(NotFound, match="Version 3 of the schedule first"):
            schedules.definition(session, clinic_id, "first", 3)


def test_a_clinic_keeps_its_id_when_its_profile_changes(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    later = now + DAY
    with writing(engine) as session:
        assert clinics.upsert(session, "river", {"name": "River Clinic II"}, later) == clinic_id
    with reading(engine) as session:
        clinic = clinics.get(session, "river")
        assert clinics.get(session, "lake") is None
        assert clinics.by_id(session, clinic_id) is clinic
    assert clinic is not None
    assert (clinic.profile, clinic.updated_at) == ({"name": "River Clinic II"}, later)


def _attempt(clinic_id: int, delivery_id: int, number: int, now: datetime) -> dict[str, Any]:
    return {
        "clinic_id": clinic_id,
        "delivery_id": delivery_id,
        "number": number,
        "provider": "twilio",
        "address": "+12125550101",
        "subject": None,
        "body": "Your visit is on Friday.",
        "started_at": now,
    }


def test_attempts_are_opened_and_finished_many_at_once(
    engine: Engine, add: Add, clinic_id: int, now: datetime
) -> None:
    taken, refused = add([{}, {}])
    with writing(engine) as session:
        opened = attempts.open(
            session, [_attempt(clinic_id, id_, 1, now) for id_ in (taken, refused)]
        )
        assert attempts.open(session, []) == {}
        attempts.finish(session, [])
    with writing(engine) as session:
        attempts.finish(
            session,
            [
                Finished(opened[taken], now, "accepted", provider_id="SM1"),
                Finished(opened[refused], now, "rejected", code="21211"),
            ],
        )
        (one,), (other,) = (attempts.of_delivery(session, id_) for id_ in (taken, refused))
    assert (one.outcome, one.provider_id, one.finished_at) == ("accepted", "SM1", now)
    assert (other.outcome, other.code, other.provider_id) == ("rejected", "21211", None)


def test_an_unknown_outcome_may_be_settled_and_a_known_one_stays(
    engine: Engine, add: Add, clinic_id: int, now: datetime
) -> None:
    (id_,) = add([{}])
    with writing(engine) as session:
        attempt_id = attempts.open(session, [_attempt(clinic_id, id_, 1, now)])[id_]
        for outcome, code in (("unknown", "reset"), ("accepted", None), ("rejected", "30003")):
            ending = Finished(attempt_id, now, outcome, code)  # type: ignore[arg-type]
            attempts.finish(session, [ending])
        (attempt,) = attempts.of_delivery(session, id_)
    assert (attempt.outcome, attempt.code) == ("accepted", None)


def test_the_last_attempt_is_asked_about_where_it_is_not_known(
    engine: Engine, add: Add, clinic_id: int, now: datetime
) -> None:
    died, silent, retried, done, never = add([{}] * 5)
    with writing(engine) as session:
        first = attempts.open(
            session,
            [_attempt(clinic_id, id_, 1, now) for id_ in (died, silent, retried, done)],
        )
        attempts.finish(
            session,
            [
                Finished(first[silent], now, "unknown"),
                Finished(first[retried], now, "retry", "20429"),
                Finished(first[done], now, "accepted"),
            ],
        )
        second = attempts.open(session, [_attempt(clinic_id, retried, 2, now)])
        found = attempts.last_open(session, [died, silent, retried, done, never])
    assert {id_: attempt.id for id_, attempt in found.items()} == {
        died: first[died],
        silent: first[silent],
        retried: second[retried],
    }


def test_the_same_need_is_one_task(
    engine: Engine, clinic_id: int, patient_id: int, now: datetime
) -> None:
    def ask(key: str = "call:7", says: str = "Call Ada.") -> int:
        return tasks.open_task(
            session,
            clinic_id,
            key=key,
            kind="call",
            says=says,
            now=now,
            patient_id=patient_id,
        ).id

    with writing(engine) as session:
        task_id = ask()
        assert ask(says="Call Ada again.") == task_id
        assert ask(key="call:8") != task_id
        assert tasks.finish(session, task_id, "Sam", "Reached her", now + DAY)
        assert not tasks.finish(session, task_id, "Kim", None, now + DAY)
        assert ask() == task_id
    with reading(engine) as session:
        task = tasks.get(session, task_id)
    assert task is not None
    assert (task.says, task.status, task.done_by) == ("Call Ada.", "done", "Sam")
    assert (task.note, task.done_at) == ("Reached her", now + DAY)


def test_urgent_tasks_come_first_then_the_longest_open(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    with writing(engine) as session:
        young, old, urgent, done = (
            tasks.open_task(
                session, clinic_id, key=str(n), kind="call", says="", now=at, urgent=pressing
            ).id
            for n, (at, pressing) in enumerate(
                [(now, False), (now - DAY, False), (now, True), (now, True)]
            )
        )
        tasks.finish(session, done, "Sam", None, now)
        assert not tasks.finish(session, 99, "Sam", None, now)
    with reading(engine) as session:
        assert [task.id for task in tasks.list_open(session, clinic_id)] == [urgent, old, young]
        assert tasks.list_open(session, clinic_id + 1) == []


def test_many_tasks_are_asked_for_at_once_and_each_need_once(
    engine: Engine, clinic_id: int, enrollment_id: int, now: datetime
) -> None:
    def need(key: str, enrollment: int | None) -> dict[str, Any]:
        return {
            "clinic_id": clinic_id,
            "key": key,
            "kind": "call",
            "says": "Call Ada.",
            "urgent": False,
            "opened_at": now,
            "enrollment_id": enrollment,
        }

    with writing(engine) as session:
        tasks.open_many(session, [need("a", enrollment_id), need("b", None)])
        tasks.open_many(session, [need("b", None), need("c", enrollment_id)])
        tasks.open_many(session, [])
        assert [task.key for task in tasks.list_open(session, clinic_id)] == ["a", "b", "c"]
        assert [task.key for task in tasks.open_of(session, enrollment_id)] == ["a", "c"]


def test_failures_are_counted_by_what_the_provider_said(
    engine: Engine, add: Add, clinic_id: int, now: datetime
) -> None:
    ids = add([{}] * 5)
    outcomes: list[tuple[datetime, Outcome, str | None]] = [
        (now, "rejected", "21211"),
        (now, "rejected", "21211"),
        (now, "unknown", None),
        (now, "accepted", None),
        (now - DAY, "rejected", "30006"),
    ]
    with writing(engine) as session:
        rows = zip(ids, outcomes, strict=True)
        opened = attempts.open(session, [_attempt(clinic_id, id_, 1, at) for id_, (at, *_) in rows])
        attempts.finish(
            session,
            [
                Finished(opened[id_], at, outcome, code, provider_id=f"SM{id_}")
                for id_, (at, outcome, code) in zip(ids, outcomes, strict=True)
            ],
        )
        assert attempts.failures(session, clinic_id, now) == [
            Failures("twilio", "rejected", "21211", 2),
            Failures("twilio", "unknown", "", 1),
        ]
        assert attempts.known_ids(session, [f"SM{ids[0]}", "SM-none"]) == {f"SM{ids[0]}"}
        assert attempts.known_ids(session, []) == set()


def test_deliveries_are_counted_by_status(
    engine: Engine, add: Add, clinic_id: int, now: datetime
) -> None:
    add([{}, {}, {"status": Status.FAILED}])
    with reading(engine) as session:
        assert deliveries.counts(session, clinic_id) == {Status.SCHEDULED: 2, Status.FAILED: 1}
        assert deliveries.counts(session, clinic_id + 1) == {}
