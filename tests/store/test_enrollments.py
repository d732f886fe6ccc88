"""Enrollments are found by reference, locked to be changed, and listed in one query."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from drip.core.delivery import Status
from drip.errors import NotFound, StoreError
from drip.store import attempts, clinics, enrollments, patients, schedules, tasks
from drip.store.attempts import Finished
from drip.store.engine import reading, writing
from drip.store.schema import Enrollment, Patient
from tests.store.conftest import Add

DAY = timedelta(days=1)


def test_an_enrollment_starts_active(engine: Engine, enrollment_id: int) -> None:
    with reading(engine) as session:
        found = enrollments.get(session, enrollment_id)
        assert enrollments.get(session, enrollment_id + 1) is None
        assert enrollments.get_many(session, [enrollment_id, 99]).keys() == {enrollment_id}
    assert found is not None
    assert (found.status, found.revision, found.sequence) == ("active", 1, 0)


def test_many_enrollments_get_their_ids_in_order(engine: Engine, booking: dict[str, Any]) -> None:
    references = [f"B-{number}" for number in range(500)]
    with writing(engine) as session:
        ids = enrollments.insert_many(session, [booking | {"reference": r} for r in references])
        assert enrollments.insert_many(session, []) == []
        found = enrollments.get_many(session, ids)
    assert [found[id_].reference for id_ in ids] == references


def test_an_enrollment_is_found_by_its_reference(
    engine: Engine, booking: dict[str, Any], clinic_id: int, patient_id: int
) -> None:
    with writing(engine) as session:
        first, second = enrollments.insert_many(
            session, [booking | {"source": s, "reference": "B-1"} for s in ("csv", "api")]
        )
        found = enrollments.by_reference(session, clinic_id, "csv", "B-1")
        assert found is not None
        assert found.id == first
        assert enrollments.by_reference(session, clinic_id, "csv", "B-2") is None
        both = enrollments.by_references(
            session, clinic_id, [("api", "B-1"), ("csv", "B-1"), ("csv", "B-2")]
        )
        assert {enrollment.id for enrollment, _ in both} == {first, second}
        assert {patient.id for _, patient in both} == {patient_id}
        assert enrollments.by_references(session, clinic_id, []) == []


def test_a_reference_is_used_once_and_none_as_often_as_wanted(
    engine: Engine, booking: dict[str, Any]
) -> None:
    with writing(engine) as session:
        enrollments.insert_many(session, [booking, booking])
        enrollments.insert_many(session, [booking | {"reference": "B-1"}])
    with pytest.raises(StoreError, match="try again"), writing(engine) as session:
        enrollments.insert_many(session, [booking | {"reference": "B-1"}])


def test_sessions_to_come_are_found_by_phone_or_email(
    engine: Engine, booking: dict[str, Any], clinic_id: int, patient_id: int, now: datetime
) -> None:
    with writing(engine) as session:
        late, early, _past, _cancelled = (
            enrollments.insert(session, Enrollment(**booking | changed))
            for changed in (
                {"session_at": now + 2 * DAY, "status": "paused"},
                {"session_at": now + DAY},
                {"session_at": now},
                {"session_at": now + DAY, "status": "cancelled"},
            )
        )

        def to_come(phones: list[str], emails: list[str]) -> list[int]:
            found = enrollments.to_come(session, clinic_id, phones, emails, now)
            assert {patient.id for _, patient in found} <= {patient_id}
            return [enrollment.id for enrollment, _ in found]

        assert to_come(["+12125550101"], []) == [early, late]
        assert to_come([], ["ada@example.com"]) == [early, late]
        assert to_come(["+12125550101"], ["ada@example.com"]) == [early, late]
        assert to_come(["+12125550199"], ["eve@example.com"]) == []


def test_a_patients_enrollments_are_told_by_session(
    engine: Engine, booking: dict[str, Any], patient_id: int, now: datetime
) -> None:
    with writing(engine) as session:
        rows = [booking | {"session_at": now + 2 * DAY}, booking | {"session_at": now + DAY}]
        late, early = enrollments.insert_many(session, rows)
        found = enrollments.of_patient(session, patient_id)
    assert [enrollment.id for enrollment in found] == [early, late]


def test_a_locked_enrollment_is_changed_by_attribute(engine: Engine, enrollment_id: int) -> None:
    with writing(engine) as session:
        locked = enrollments.lock(session, enrollment_id)
        assert locked is not None
        locked.status, locked.revision = "paused", locked.revision + 1
        assert enrollments.lock(session, enrollment_id + 1) is None
    with reading(engine) as session:
        found = enrollments.get(session, enrollment_id)
    assert found is not None
    assert (found.status, found.revision) == ("paused", 2)


# --- Lists --------------------------------------------------------------------------------------


@pytest.fixture
def three(
    engine: Engine, booking: dict[str, Any], clinic_id: int, add: Add, now: datetime
) -> tuple[int, int, int]:
    """Ada's enrollment with deliveries, José's with none, Mia's that is cancelled."""
    ada = booking["patient_id"]
    (first, *_) = add([{"due_at": now + 2 * DAY}, {"due_at": now + DAY}, {"status": "failed"}])
    assert first
    with writing(engine) as session:
        made = [
            patients.insert(
                session,
                Patient(
                    clinic_id=clinic_id,
                    name=name,
                    phone=phone,
                    email=email,
                    language="es",
                    created_at=now,
                ),
            )
            for name, phone, email in (
                ("JOSÉ NÚÑEZ", "+13055550102", None),
                ("Mia 100%", None, "mia_x@example.com"),
            )
        ]
        jose, mia = (
            enrollments.insert(session, Enrollment(**booking | {"patient_id": id_} | more))
            for id_, more in zip(
                made, ({"reference": "B-77"}, {"status": "cancelled"}), strict=True
            )
        )
        (own,) = enrollments.of_patient(session, ada)
    return own.id, jose, mia


def test_a_list_tells_how_deliveries_stand(
    engine: Engine, three: tuple[int, int, int], clinic_id: int, now: datetime
) -> None:
    ada, jose, mia = three
    with reading(engine) as session:
        listed = enrollments.list_page(session, clinic_id)
    assert [entry.enrollment.id for entry in listed] == [mia, jose, ada]
    assert [entry.patient.name for entry in listed] == ["Mia 100%", "JOSÉ NÚÑEZ", "Ada Lopez"]
    assert listed[2].counts == {Status.SCHEDULED: 2, Status.FAILED: 1}
    assert listed[2].next_due_at == now + DAY
    assert (listed[1].counts, listed[1].next_due_at) == ({}, None)


def test_a_list_is_one_query(engine: Engine, three: tuple[int, int, int], clinic_id: int) -> None:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    with reading(engine) as session:
        event.listen(engine, "before_cursor_execute", note)
        assert len(enrollments.list_page(session, clinic_id)) == len(three)
        event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("search", "places"),
    [
        ("lopez", [0]),
        ("josé", [1]),
        ("núñez", [1]),
        ("5550102", [1]),
        ("b-77", [1]),
        ("@EXAMPLE", [2, 0]),
        ("100%", [2]),
        ("%", [2]),
        ("mia_", [2]),
        ("_", [2]),
        ("nobody", []),
        ("", [2, 1, 0]),
    ],
)
def test_a_list_is_searched(
    engine: Engine,
    three: tuple[int, int, int],
    clinic_id: int,
    search: str,
    places: list[int],
) -> None:
    with reading(engine) as session:
        listed = enrollments.list_page(session, clinic_id, search=search)
    assert [entry.enrollment.id for entry in listed] == [three[place] for place in places]


def test_a_list_goes_by_pages_and_by_status(
    engine: Engine, three: tuple[int, int, int], clinic_id: int
) -> None:
    ada, jose, mia = three

    def page(**asked: Any) -> list[int]:
        listed = enrollments.list_page(session, clinic_id, **asked)
        return [entry.enrollment.id for entry in listed]

    with reading(engine) as session:
        assert page(limit=2) == [mia, jose]
        assert page(limit=2, after_id=jose) == [ada]
        assert page(status="cancelled") == [mia]
        assert page(status="active") == [jose, ada]
        assert enrollments.list_page(session, clinic_id + 1) == []


# --- Schedules, clinics, attempts, tasks --------------------------------------------------------


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
