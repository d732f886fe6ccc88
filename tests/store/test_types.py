"""Instants keep their moment and their zone; long lists are one parameter."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import StatementError

from drip.store import clinics, patients
from drip.store.engine import reading, writing


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2026, 12, 1, 15, 0, tzinfo=UTC),
        datetime(2026, 12, 1, 15, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 12, 1, 15, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-5))),
        datetime(1999, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    ],
)
def test_an_instant_comes_back_in_utc(engine: Engine, instant: datetime) -> None:
    with writing(engine) as session:
        clinics.upsert(session, "river", {}, instant)
    with reading(engine) as session:
        clinic = clinics.get(session, "river")
    assert clinic is not None
    assert clinic.updated_at == instant
    assert clinic.updated_at.tzinfo is UTC


def test_a_naive_datetime_is_refused(engine: Engine) -> None:
    naive = datetime(2026, 12, 1, 15, 0)  # noqa: DTZ001
    with pytest.raises(StatementError, match="naive datetime"), writing(engine) as session:
        clinics.upsert(session, "river", {}, naive)


def test_instants_sort_by_time_on_sqlite(sqlite_engine: Engine, now: datetime) -> None:
    with writing(sqlite_engine) as session:
        clinics.upsert(session, "river", {}, now)
        stored = session.scalar(text("SELECT updated_at FROM clinics"))
    assert stored == "2026-12-01T15:00:00.000000Z"


def test_a_list_may_be_longer_than_the_number_of_parameters_allowed(
    engine: Engine, patient_id: int
) -> None:
    with reading(engine) as session:
        assert patients.get_many(session, range(100_000)).keys() == {patient_id}
