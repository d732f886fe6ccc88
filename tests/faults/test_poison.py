"""Rows that cannot be understood stand in the middle of a batch."""

import pytest
from sqlalchemy import text

from drip.core.delivery import Reason, Status
from tests.faults.accounts import nothing_was_lost_or_doubled
from tests.faults.station import Station
from tests.servers.twilio_process import TwilioProcess

pytestmark = pytest.mark.slow

POISONS = {
    "a zone that does not exist": (
        "UPDATE patients SET timezone = 'Mars/Olympus' WHERE phone = ANY(:phones)"
    ),
    "a message that does not exist": (
        "UPDATE deliveries SET message = 'gone' WHERE step = 'welcome' AND patient_id IN "
        "(SELECT id FROM patients WHERE phone = ANY(:phones))"
    ),
    "a schedule's version that does not exist": (
        "UPDATE enrollments SET schedule_version = 99 WHERE patient_id IN "
        "(SELECT id FROM patients WHERE phone = ANY(:phones))"
    ),
    "a language that does not exist": (
        "UPDATE patients SET language = 'tlh' WHERE phone = ANY(:phones)"
    ),
    "no name": "UPDATE patients SET name = '' WHERE phone = ANY(:phones)",
}


def test_rows_that_cannot_be_understood_end_with_a_task_and_hold_up_nobody(
    station: Station,
) -> None:
    poisoned: dict[str, list[str]] = {}
    well: list[str] = []
    for name, statement in POISONS.items():
        poisoned[name] = station.enrol(2)
        well += station.enrol(10)
        with station.engine.begin() as connection:
            connection.execute(text(statement), {"phones": poisoned[name]})
    station.beat()
    station.worker()
    station.wait_for(station.is_at_rest)
    station.end_all()
    found = station.all()
    by_number = {str(found.patients[row.patient_id].phone): row for row in found.due}
    assert {by_number[number].status for number in well} == {Status.ACCEPTED}
    for name, numbers in poisoned.items():
        ends = {(by_number[number].status, by_number[number].reason) for number in numbers}
        # The words of a welcome need no schedule.
        broken = (Status.SKIPPED, Reason.BROKEN)
        assert ends == {(Status.ACCEPTED, None) if "schedule" in name else broken}, name
    assert {task.kind for task in found.tasks} >= {"broken_message"}
    nothing_was_lost_or_doubled(station)


def test_a_clinic_that_cannot_be_understood_holds_up_no_other(
    station: Station, twilio: TwilioProcess
) -> None:
    healthy = station.enrol(30)
    other = station.another("broken")
    broken = other.enrol(30)
    with station.engine.begin() as connection:
        connection.execute(text("UPDATE clinics SET profile = '{}' WHERE key = 'broken'"))
    station.beat()
    station.worker()
    station.wait_for(station.is_at_rest)
    station.end_all()
    assert {one.to for one in twilio.texts} == set(healthy)
    found = station.all()
    numbers = {row.id: found.patients[row.patient_id].phone for row in found.due}
    ends = {row.reason for row in found.due if numbers[row.id] in broken}
    assert ends == {Reason.BROKEN}
    assert "broken_message" in {task.kind for task in found.tasks}
