"""The ledgers of what patients said are only added to: the database refuses anything else."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, text, update

from drip.errors import StoreError
from drip.store.engine import reading, writing
from drip.store.schema import Consent, Patient, Row, WordingChoice

LEDGERS = [(Consent, {"given": False}), (WordingChoice, {"wording": "plain"})]


@pytest.fixture
def written(engine: Engine, clinic_id: int, patient_id: int, now: datetime) -> Engine:
    """A database in which a patient said something of everything."""
    said = {"clinic_id": clinic_id, "patient_id": patient_id, "at": now, "by_whom": "ana"}
    consent = {"channel": "sms", "given": True, "how": "paper", "wording_version": "1"}
    with writing(engine) as session:
        session.execute(insert(Consent), [said | consent] * 2)
        session.execute(insert(WordingChoice), [said | {"wording": "discreet", "how": "web"}] * 2)
    return engine


def _count(engine: Engine, ledger: type[Row]) -> int:
    with reading(engine) as session:
        return session.query(ledger).count()


@pytest.mark.parametrize(("ledger", "change"), LEDGERS, ids=["consents", "wording choices"])
def test_a_word_can_neither_be_changed_nor_taken_out(
    written: Engine, ledger: type[Row], change: dict[str, Any]
) -> None:
    for statement in (
        update(ledger).values(change),
        update(ledger).where(ledger.id == 1).values(by_whom="somebody else"),
        delete(ledger),
        delete(ledger).where(ledger.id == 2),
    ):
        with pytest.raises(StoreError), writing(written) as session:
            session.execute(statement)
    assert _count(written, ledger) == 2
    with reading(written) as session:
        assert {row.by_whom for row in session.query(ledger)} == {"ana"}  # type: ignore[attr-defined]


def test_a_word_is_not_replaced(written: Engine) -> None:
    if written.dialect.name != "sqlite":
        pytest.skip("only SQLite has REPLACE")
    said = "SELECT id, clinic_id, patient_id, channel, false, at, how, wording_version, 'eve'"
    with pytest.raises(StoreError), writing(written) as session:
        session.execute(text(f"REPLACE INTO consents {said} FROM consents WHERE id = 1"))
    with reading(written) as session:
        assert {row.by_whom for row in session.query(Consent)} == {"ana"}


def test_all_words_of_a_patient_go_with_the_whole_record(written: Engine) -> None:
    with writing(written) as session:
        session.execute(delete(Patient))
    assert _count(written, Consent) == _count(written, WordingChoice) == 0


def test_a_database_that_was_upgraded_from_the_first_tables_refuses_it_too(
    empty_url: str, now: datetime
) -> None:
    from alembic import command

    from drip.store.engine import open_engine
    from drip.store.migrate import alembic_config, upgrade

    engine = open_engine(empty_url)
    with writing(engine) as session:
        command.upgrade(alembic_config(session.connection()), "0001")
        for statement in (
            "INSERT INTO clinics (id, key, profile, updated_at) VALUES (1, 'a', '{}', :now)",
            """INSERT INTO patients (id, clinic_id, name, language, wording, created_at)
            VALUES (1, 1, 'Ada', 'en', 'discreet', :now)""",
            """INSERT INTO consents
            (id, clinic_id, patient_id, channel, given, at, how, wording_version, by_whom)
            VALUES (1, 1, 1, 'sms', true, :now, 'paper', '1', 'ana')""",
        ):
            session.execute(text(statement), {"now": now.isoformat()})
    upgrade(engine)
    for statement in ("UPDATE consents SET how = 'web'", "DELETE FROM consents"):
        with pytest.raises(StoreError), writing(engine) as session:
            session.execute(text(statement))
    assert _count(engine, Consent) == 1
    engine.dispose()
