"""What the tests of the store share: a moment, and rows to start from."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from drip.core.delivery import Status
from drip.core.schedule import Channel, Weight
from drip.store import clinics, deliveries, enrollments, patients
from drip.store.engine import reading, writing
from drip.store.schema import Delivery, Enrollment, Patient

Add = Callable[..., list[int]]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 12, 1, 15, 0, tzinfo=UTC)


@pytest.fixture
def clinic_id(engine: Engine, now: datetime) -> int:
    with writing(engine) as session:
        return clinics.upsert(session, "river", {"name": "River Clinic"}, now)


@pytest.fixture
def patient_id(engine: Engine, clinic_id: int, now: datetime) -> int:
    ada = Patient(
        clinic_id=clinic_id,
        name="Ada Lopez",
        phone="+12125550101",
        email="ada@example.com",
        language="en",
        created_at=now,
    )
    with writing(engine) as session:
        return patients.insert(session, ada)


@pytest.fixture
def booking(clinic_id: int, patient_id: int, now: datetime) -> dict[str, Any]:
    """The columns of an enrollment, all but source and reference."""
    return {
        "clinic_id": clinic_id,
        "patient_id": patient_id,
        "source": "cli",
        "schedule": "ketamine-first-session",
        "schedule_version": 1,
        "booked_at": now,
        "session_at": now + timedelta(days=10),
        "session_local": "2026-12-11T10:00",
        "session_zone": "America/New_York",
        "created_at": now,
    }


@pytest.fixture
def enrollment_id(engine: Engine, booking: dict[str, Any]) -> int:
    with writing(engine) as session:
        return enrollments.insert(session, Enrollment(**booking))


@pytest.fixture
def add(engine: Engine, clinic_id: int, patient_id: int, enrollment_id: int, now: datetime) -> Add:
    """Adds a delivery for each of the dicts of columns; gives their ids in that order."""
    made = 0

    def add_all(rows: Iterable[dict[str, Any]]) -> list[int]:
        nonlocal made
        complete: list[dict[str, Any]] = []
        for row in rows:
            made += 1
            complete.append(
                {
                    "clinic_id": clinic_id,
                    "enrollment_id": enrollment_id,
                    "patient_id": patient_id,
                    "step": f"step-{made}",
                    "message": "day-before",
                    "channel": Channel.SMS,
                    "weight": Weight.ESSENTIAL,
                    "priority": 0,
                    "status": Status.SCHEDULED,
                    "reason": None,
                    "planned_at": now,
                    "due_at": now,
                    "until": now + timedelta(days=9),
                    "session_at": now + timedelta(days=10),
                    "revision": 1,
                    "lease_token": None,
                    "lease_until": None,
                    "provider_id": None,
                    "created_at": now,
                    "updated_at": now,
                }
                | row
            )
        with writing(engine) as session:
            deliveries.insert(session, complete)
            by_step = {row.step: row.id for row in deliveries.of_enrollment(session, enrollment_id)}
        return [by_step[row["step"]] for row in complete]

    return add_all


@pytest.fixture
def look(engine: Engine) -> Callable[[int], Delivery]:
    """Reads a delivery as it stands."""

    def read(delivery_id: int) -> Delivery:
        with reading(engine) as session:
            found = deliveries.get(session, delivery_id)
        assert found is not None
        return found

    return read


@pytest.fixture
def root(pytestconfig: pytest.Config) -> Path:
    """The folder from which other processes find the package."""
    return pytestconfig.rootpath


@pytest.fixture
def start(root: Path) -> Start:
    """Starts a script of the folder `processes` as a process of its own, with arguments."""

    def popen(script: str, *arguments: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, Path(__file__).parent / "processes" / script, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return popen


@pytest.fixture
def url(engine: Engine) -> str:
    """The address of the database, for other processes."""
    return engine.url.render_as_string(hide_password=False)
