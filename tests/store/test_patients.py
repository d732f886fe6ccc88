"""Patients are found by what reaches them; consents are a ledger; a STOP is a lock."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import StatementError

from drip.core.schedule import Channel
from drip.store import patients
from drip.store.engine import reading, writing
from drip.store.schema import Address, Patient

PHONE = (Channel.SMS, "+12125550101")
EMAIL = (Channel.EMAIL, "ada@example.com")


def _row(clinic_id: int, now: datetime, **columns: object) -> dict[str, Any]:
    return {
        "clinic_id": clinic_id,
        "name": "Ben Okafor",
        "phone": None,
        "email": None,
        "language": "en",
        "timezone": None,
        "wording": "discreet",
        "created_at": now,
    } | columns


def test_a_patient_has_discreet_wording_unless_said_otherwise(
    engine: Engine, patient_id: int
) -> None:
    with reading(engine) as session:
        ada = patients.get(session, patient_id)
        assert ada is not None
        assert (ada.name, ada.wording, ada.timezone) == ("Ada Lopez", "discreet", None)
        assert patients.get(session, patient_id + 1) is None


def test_a_patient_is_changed_by_attribute(engine: Engine, patient_id: int) -> None:
    with writing(engine) as session:
        ada = patients.get(session, patient_id)
        assert ada is not None
        ada.wording, ada.timezone = "plain", "America/Chicago"
    with reading(engine) as session:
        ada = patients.get(session, patient_id)
    assert ada is not None
    assert (ada.wording, ada.timezone) == ("plain", "America/Chicago")


def test_a_patient_can_be_used_after_the_transaction(engine: Engine, patient_id: int) -> None:
    with writing(engine) as session:
        ada = patients.get(session, patient_id)
    assert ada is not None
    assert ada.name == "Ada Lopez"


def test_a_patients_data_do_not_show_in_a_log(engine: Engine, patient_id: int) -> None:
    with reading(engine) as session:
        assert repr(patients.get(session, patient_id)) == f"<Patient {patient_id}>"


def test_a_family_may_share_a_phone(
    engine: Engine, clinic_id: int, patient_id: int, now: datetime
) -> None:
    with writing(engine) as session:
        (other,) = patients.insert_many(session, [_row(clinic_id, now, phone=PHONE[1])])
        found = patients.by_phone(session, clinic_id, PHONE[1])
        assert [patient.id for patient in found] == [patient_id, other]
        assert patients.by_phone(session, clinic_id + 1, PHONE[1]) == []
        assert [p.id for p in patients.by_email(session, clinic_id, EMAIL[1])] == [patient_id]
        assert patients.by_email(session, clinic_id, "eve@example.com") == []


def test_many_patients_get_their_ids_in_order(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    names = [f"Patient {number}" for number in range(2_000)]
    with writing(engine) as session:
        ids = patients.insert_many(session, [_row(clinic_id, now, name=n) for n in names])
        assert patients.insert_many(session, []) == []
        found = patients.get_many(session, ids)
    assert [found[id_].name for id_ in ids] == names


# --- Consents -----------------------------------------------------------------------------------


def test_the_latest_word_on_each_channel_counts(
    engine: Engine, clinic_id: int, patient_id: int, now: datetime
) -> None:
    def said(channel: Channel, at: datetime, *, given: bool, how: str) -> dict[str, Any]:
        return {
            "clinic_id": clinic_id,
            "patient_id": patient_id,
            "channel": channel,
            "given": given,
            "at": at,
            "how": how,
            "wording_version": "1",
            "by_whom": "front desk",
        }

    later = now + timedelta(hours=1)
    with writing(engine) as session:
        patients.add_consents(
            session,
            [
                said(Channel.SMS, later, given=False, how="keyword"),
                said(Channel.SMS, now, given=True, how="paper"),
                said(Channel.EMAIL, now, given=False, how="paper"),
                said(Channel.EMAIL, now, given=True, how="verbal"),
            ],
        )
        patients.add_consents(session, [])
    with reading(engine) as session:
        latest = patients.consents_of(session, [patient_id, patient_id + 1])
        ledger = patients.ledger_of(session, patient_id)
        assert patients.consents_of(session, []) == {}
    assert {key: (word.given, word.how) for key, word in latest.items()} == {
        (patient_id, Channel.SMS): (False, "keyword"),
        (patient_id, Channel.EMAIL): (True, "verbal"),
    }
    assert [word.how for word in ledger] == ["paper", "paper", "verbal", "keyword"]


# --- Addresses ----------------------------------------------------------------------------------


def test_an_address_has_one_row(engine: Engine, clinic_id: int) -> None:
    with writing(engine) as session:
        patients.ensure_addresses(session, clinic_id, [PHONE, EMAIL, PHONE])
        patients.ensure_addresses(session, clinic_id, [EMAIL])
        patients.ensure_addresses(session, clinic_id, [])
        assert patients.lock_addresses(session, clinic_id, [PHONE, EMAIL]) == {}
        assert session.scalar(select(func.count()).select_from(Address)) == 2


def test_locking_an_address_that_has_no_row_makes_one(engine: Engine, clinic_id: int) -> None:
    with writing(engine) as session:
        assert patients.lock_addresses(session, clinic_id, [PHONE]) == {}
        assert patients.lock_addresses(session, clinic_id, []) == {}
        (first,) = session.scalars(select(Address.id))
    with writing(engine) as session:
        assert patients.lock_addresses(session, clinic_id, [PHONE, EMAIL]) == {}
        ids = set(session.scalars(select(Address.id)))
    assert len(ids) == 2
    assert first in ids


def test_the_first_reason_of_a_suppression_stays(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    later = now + timedelta(hours=1)
    with writing(engine) as session:
        assert patients.suppress(session, clinic_id, *PHONE, "stop", now)
        assert not patients.suppress(session, clinic_id, *PHONE, "21610", later)
        assert patients.lock_addresses(session, clinic_id, [PHONE, EMAIL]) == {PHONE: "stop"}
        assert session.scalar(select(Address.suppressed_at)) == now


def test_suppressed_addresses_are_told_with_their_reason(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    with writing(engine) as session:
        patients.ensure_addresses(session, clinic_id, [PHONE, EMAIL])
        patients.suppress(session, clinic_id, *PHONE, "stop", now)
    with reading(engine) as session:
        assert patients.suppressed(session, clinic_id, [PHONE, EMAIL]) == {PHONE: "stop"}
        assert patients.suppressed(session, clinic_id + 1, [PHONE]) == {}
        assert patients.suppressed(session, clinic_id, []) == {}


def test_a_wrong_wording_is_refused(engine: Engine, clinic_id: int, now: datetime) -> None:
    rude = Patient(**_row(clinic_id, now, wording="rude"))
    with pytest.raises(StatementError, match="rude"), writing(engine) as session:
        patients.insert(session, rude)
