"""Patients, their consents, and the addresses that may or may not be messaged."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.types import TypeEngine

from drip.core.schedule import Channel
from drip.store.given import given
from drip.store.inserting import insert_all, insert_or, insert_with_ids
from drip.store.schema import Address, Consent, Patient
from drip.store.types import among, among_those

Pair = tuple[Channel, str]
"""A channel and an address on it: E.164 for a text, a mailbox for an email."""

_ADDRESS: dict[str, TypeEngine[Any]] = {
    "clinic_id": BigInteger(),
    "channel": Text(),
    "address": Text(),
}


def insert(session: Session, patient: Patient) -> int:
    """Add a patient; gives the id."""
    session.add(patient)
    session.flush()
    return patient.id


def insert_many(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Add many patients; gives their ids in the order of the rows, which all have the same keys."""
    return insert_with_ids(session, Patient, rows)


def get(session: Session, patient_id: int) -> Patient | None:
    """One patient. To change one, set its attributes."""
    return session.get(Patient, patient_id)


def get_many(session: Session, patient_ids: Iterable[int]) -> dict[int, Patient]:
    """These patients by their ids."""
    found = session.scalars(select(Patient).where(among(Patient.id, patient_ids)))
    return {patient.id: patient for patient in found}


def by_phone(session: Session, clinic_id: int, phone: str) -> list[Patient]:
    """Who has this number (E.164), oldest first: a family may share one."""
    query = select(Patient).where(Patient.clinic_id == clinic_id, Patient.phone == phone)
    return list(session.scalars(query.order_by(Patient.id)))


def by_email(session: Session, clinic_id: int, email: str) -> list[Patient]:
    """Who has this mailbox, written the same, oldest first."""
    query = select(Patient).where(Patient.clinic_id == clinic_id, Patient.email == email)
    return list(session.scalars(query.order_by(Patient.id)))


# --- Consents -----------------------------------------------------------------------------------


def add_consents(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the ledger of consents. All rows must have the same keys."""
    insert_all(session, Consent, rows)


def consents_of(session: Session, patient_ids: Iterable[int]) -> dict[tuple[int, Channel], Consent]:
    """The latest word of each patient on each channel."""
    rank = func.row_number().over(
        partition_by=(Consent.patient_id, Consent.channel),
        order_by=(Consent.at.desc(), Consent.id.desc()),
    )
    ranked = (
        select(Consent, rank.label("rank")).where(among(Consent.patient_id, patient_ids)).subquery()
    )
    latest = aliased(Consent, ranked)
    found = session.scalars(select(latest).where(ranked.c.rank == 1))
    return {(consent.patient_id, consent.channel): consent for consent in found}


def permissions_of(session: Session, patient_ids: Iterable[int]) -> dict[int, dict[Channel, bool]]:
    """What each patient last said of each channel, without the rest of the ledger's entries."""
    said: defaultdict[int, dict[Channel, bool]] = defaultdict(dict)
    for patient_id, channel, yes in session.execute(_SAID, {"patients": list(patient_ids)}):
        said[patient_id][channel] = yes
    return said


_SAID = (
    select(Consent.patient_id, Consent.channel, Consent.given)
    .where(among_those(Consent.patient_id, "patients"))
    .order_by(Consent.at, Consent.id)
)


def ledger_of(session: Session, patient_id: int) -> list[Consent]:
    """All that a patient ever said of consent, first to last."""
    query = select(Consent).where(Consent.patient_id == patient_id)
    return list(session.scalars(query.order_by(Consent.at, Consent.id)))


# --- Addresses ----------------------------------------------------------------------------------


def ensure_addresses(session: Session, clinic_id: int, pairs: Iterable[Pair]) -> None:
    """Have a row for each of these addresses."""
    rows = [
        {"clinic_id": clinic_id, "channel": channel, "address": address}
        for channel, address in sorted(set(pairs))
    ]
    if rows:
        each = given(session, _ADDRESS, rows)
        # SQLite needs a WHERE to tell what ON CONFLICT belongs to.
        some = select(*(each.c[name] for name in _ADDRESS)).where(each.c.address.is_not(None))
        statement = insert_or(session, Address).from_select(list(_ADDRESS), some)
        session.execute(statement.on_conflict_do_nothing())


def lock_addresses(
    session: Session, clinic_id: int, pairs: Iterable[Pair]
) -> dict[Pair, str | None]:
    """Lock these addresses until the transaction ends, and say why each is suppressed, if it is.

    Who sends and who suppresses take the same lock, so that nothing is sent after a STOP. An
    address that has no row yet gets one. The order is the same for all, so that none wait for
    each other for ever.
    """
    wanted = set(pairs)
    if not wanted:
        return {}
    query = (
        select(Address.channel, Address.address, Address.suppressed_at, Address.suppressed_because)
        .where(*_are(clinic_id, wanted))
        .order_by(Address.channel, Address.address)
        .with_for_update()
    )
    rows = session.execute(query).all()
    if len(rows) < len(wanted):
        ensure_addresses(session, clinic_id, wanted - {(row.channel, row.address) for row in rows})
        rows = session.execute(query).all()
    return {
        (channel, address): None if at is None else because or ""
        for channel, address, at, because in rows
    }


def suppress(
    session: Session, clinic_id: int, channel: Channel, address: str, because: str, now: datetime
) -> bool:
    """Never message this address again. False if that was so already; the first reason stays.

    Waits for who is about to hand something over to it, and locks it until the end.
    """
    if lock_addresses(session, clinic_id, [(channel, address)])[channel, address] is not None:
        return False
    session.execute(
        update(Address)
        .where(
            Address.clinic_id == clinic_id, Address.channel == channel, Address.address == address
        )
        .values(suppressed_at=now, suppressed_because=because)
    )
    return True


def suppressed(session: Session, clinic_id: int, pairs: Iterable[Pair]) -> dict[Pair, str]:
    """Those of the addresses that must not be messaged, each with why. Locks nothing."""
    wanted = set(pairs)
    if not wanted:
        return {}
    query = select(Address.channel, Address.address, Address.suppressed_because).where(
        *_are(clinic_id, wanted), Address.suppressed_at.is_not(None)
    )
    found = session.execute(query)
    return {(channel, address): because or "" for channel, address, because in found}


def _are(clinic_id: int, pairs: Iterable[Pair]) -> tuple[ColumnElement[bool], ...]:
    by_channel: dict[Channel, list[str]] = {channel: [] for channel in Channel}
    for channel, address in pairs:
        by_channel[channel].append(address)
    named = (
        and_(Address.channel == channel, among(Address.address, addresses))
        for channel, addresses in by_channel.items()
        if addresses
    )
    return Address.clinic_id == clinic_id, or_(*named)
