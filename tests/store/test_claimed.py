"""What decides whether a claimed delivery may go out is read with it, and locked."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.store import claimed, claiming, patients
from drip.store.engine import reading, writing
from tests.store.conftest import Add

LEASE = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


def test_claimed_deliveries_are_locked_in_the_order_of_the_claim(
    engine: Engine, add: Add, now: datetime
) -> None:
    add([{}, {}, {}])
    with writing(engine) as session:
        ids = claiming.claim(session, now, limit=3, lease=LEASE, token="mine")
    with writing(engine) as session:
        rows = claimed.lock(session, reversed(ids), "mine", now)
        assert [row.id for row in rows] == ids
        assert claimed.lock(session, ids, "another", now) == []
        assert claimed.lock(session, ids, "mine", now + LEASE) == []
        assert claimed.lock(session, [], "mine", now) == []


def test_each_comes_with_its_patients_address_and_last_word_on_its_channel(
    engine: Engine, add: Add, clinic_id: int, patient_id: int, now: datetime
) -> None:
    ids = add([{"channel": Channel.SMS}, {"channel": Channel.EMAIL}])
    said = [(Channel.SMS, False, now), (Channel.SMS, True, now + MINUTE)]
    with writing(engine) as session:
        patient = patients.get(session, patient_id)
        assert patient is not None
        patient.phone, patient.email = "+12125550101", "a@example.com"
        patients.add_consents(
            session,
            [
                {
                    "clinic_id": clinic_id,
                    "patient_id": patient_id,
                    "channel": channel,
                    "given": yes,
                    "at": at,
                    "how": "paper",
                    "wording_version": "1",
                    "by_whom": "staff",
                }
                for channel, yes, at in said
            ],
        )
        claiming.claim(session, now, limit=2, lease=LEASE, token="mine")
    with writing(engine) as session:
        where = claimed.addresses(session, ids, "mine", now)
        rows = claimed.lock(session, ids, "mine", now)
    assert where == [(clinic_id, "+12125550101", "a@example.com")]
    assert [(row.address, row.consented) for row in sorted(rows)] == [
        ("+12125550101", True),
        ("a@example.com", None),
    ]


def test_what_a_patient_gets_is_read_around_a_time_or_by_step(
    engine: Engine, add: Add, patient_id: int, now: datetime
) -> None:
    day = timedelta(days=1)
    add(
        [
            {"step": "sent", "status": Status.ACCEPTED, "due_at": now - 9 * day, "sent_at": now},
            {
                "step": "long-ago",
                "status": Status.ACCEPTED,
                "due_at": now - 9 * day,
                "sent_at": now - 9 * day,
            },
            {"step": "moot", "status": Status.SKIPPED, "due_at": now, "sent_at": None},
            {"step": "soon", "status": Status.SCHEDULED, "due_at": now + MINUTE, "sent_at": None},
            {"step": "later", "status": Status.HELD, "due_at": now + 9 * day, "sent_at": None},
        ]
    )

    def steps(**only: Any) -> list[str]:
        with reading(engine) as session:
            found = claimed.beside(session, [patient_id, patient_id + 1], **only)
        assert found.keys() == {patient_id}
        return [row.step for row in found[patient_id]]

    around = (now - day, now + day)
    assert steps() == ["sent", "long-ago", "moot", "soon", "later"]
    assert sorted(steps(around=around)) == ["sent", "soon"]
    assert sorted(steps(around=around, steps=["later", "moot"])) == ["later", "sent", "soon"]
