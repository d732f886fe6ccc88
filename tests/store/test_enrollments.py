"""Enrollments are found by reference, locked to be changed, and listed in one query."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from drip.core.delivery import Status
from drip.errors import StoreError
from drip.store import enrollments, patients
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


def test_a_reference_alone_may_mean_several_enrollments(
    engine: Engine, booking: dict[str, Any], clinic_id: int
) -> None:
    with writing(engine) as session:
        ids = enrollments.insert_many(
            session, [booking | {"source": s, "reference": "B-1"} for s in ("csv", "api")]
        )
        found = enrollments.of_reference(session, clinic_id, "B-1")
        assert [enrollment.id for enrollment in found] == ids
        assert enrollments.of_reference(session, clinic_id, "B-2") == []


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
