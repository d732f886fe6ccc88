"""A suppressed address is known again by a keyed hash, though all rows that name it are gone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, select

from drip.core.schedule import Channel
from drip.store import clinics, patients, suppressions
from drip.store.engine import reading, writing
from drip.store.schema import Address, Suppression

PHONE = (Channel.SMS, "+12125550101")
OTHER_PHONE = (Channel.SMS, "+12125550102")
EMAIL = (Channel.EMAIL, "ada@example.com")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _key() -> Iterator[None]:
    suppressions.use_key(b"a secret of thirty-two characters")
    yield
    suppressions.use_key(None)


def _suppress(engine: Engine, clinic_id: int, because: str, now: datetime, **how: Any) -> None:
    with writing(engine) as session:
        patients.suppress(session, clinic_id, *PHONE, because, now, **how)


def _lose_addresses(engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(delete(Address))


def _found(engine: Engine, clinic_id: int) -> dict[patients.Pair, str]:
    with writing(engine) as session:
        return patients.lock_addresses(session, clinic_id, [PHONE, OTHER_PHONE, EMAIL])


def _remembered(engine: Engine) -> list[Suppression]:
    with reading(engine) as session:
        return list(session.scalars(select(Suppression)))


def test_an_address_is_suppressed_again_after_its_row_was_deleted(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    _suppress(engine, clinic_id, "stop", now)
    _lose_addresses(engine)
    assert _found(engine, clinic_id) == {PHONE: "stop"}
    with reading(engine) as session:
        at = session.scalar(select(Address.suppressed_at).where(Address.address == PHONE[1]))
    assert at == now


def test_what_is_kept_does_not_say_which_address(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    _suppress(engine, clinic_id, "stop", now)
    (kept,) = _remembered(engine)
    assert "2125550101" not in repr(vars(kept))
    assert len(kept.digest) == 64


def test_the_hash_needs_the_key_and_tells_channels_and_addresses_apart() -> None:
    digests = {suppressions.digest_of(*pair) for pair in (PHONE, OTHER_PHONE, EMAIL)}
    digests.add(suppressions.digest_of(Channel.EMAIL, PHONE[1]))
    suppressions.use_key(b"another secret of many characters")
    digests.add(suppressions.digest_of(*PHONE))
    assert len(digests) == 5


def test_without_a_key_nothing_is_remembered(engine: Engine, clinic_id: int, now: datetime) -> None:
    suppressions.use_key(None)
    _suppress(engine, clinic_id, "stop", now)
    assert _found(engine, clinic_id) == {PHONE: "stop"}
    assert _remembered(engine) == []
    _lose_addresses(engine)
    assert _found(engine, clinic_id) == {}


def test_an_address_suppressed_before_there_was_a_key_is_remembered_by_the_next_stop(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    suppressions.use_key(None)
    _suppress(engine, clinic_id, "30006", now)
    suppressions.use_key(b"a secret of thirty-two characters")
    _suppress(engine, clinic_id, "stop", now + HOUR)
    _lose_addresses(engine)
    assert _found(engine, clinic_id) == {PHONE: "30006"}


def test_another_clinic_may_message_the_address(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    with writing(engine) as session:
        other = clinics.upsert(session, "hill", {"name": "Hill Clinic"}, now)
    _suppress(engine, clinic_id, "stop", now)
    _lose_addresses(engine)
    assert _found(engine, other) == {}


def test_what_is_lifted_is_no_longer_remembered(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    _suppress(engine, clinic_id, "stop", now)
    with writing(engine) as session:
        patients.lock_addresses(session, clinic_id, [PHONE])
        assert patients.lift(session, clinic_id, *PHONE) == now
        assert patients.lift(session, clinic_id, *PHONE) is None
    assert _found(engine, clinic_id) == {}
    assert _remembered(engine) == []
    _lose_addresses(engine)
    assert _found(engine, clinic_id) == {}


@pytest.mark.parametrize(
    ("replaces", "stands"), [((), "21610"), ({"21610"}, "stop"), ({"30006"}, "21610")]
)
def test_a_reason_stays_unless_the_new_one_replaces_it(
    engine: Engine, clinic_id: int, now: datetime, replaces: set[str], stands: str
) -> None:
    _suppress(engine, clinic_id, "21610", now)
    _suppress(engine, clinic_id, "stop", now + HOUR, replaces=replaces)
    assert _found(engine, clinic_id) == {PHONE: stands}
    _lose_addresses(engine)
    assert _found(engine, clinic_id) == {PHONE: stands}


def test_many_addresses_are_looked_up_in_one_statement(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    _suppress(engine, clinic_id, "stop", now)
    _lose_addresses(engine)
    many = [(Channel.SMS, f"+1212555{number:04}") for number in range(1_000)]
    statements: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        with writing(engine) as session:
            patients.ensure_addresses(session, clinic_id, many)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len([said for said in statements if "addresses" in said]) == 1
    with reading(engine) as session:
        assert patients.suppressed(session, clinic_id, many) == {PHONE: "stop"}
