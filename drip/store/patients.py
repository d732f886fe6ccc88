"""Patients, their consents, and the addresses that may or may not be messaged."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, Select, Table, Text, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.types import TypeEngine

from drip.core.schedule import Channel
from drip.store import suppressions
from drip.store.given import dialect_of, given, listed
from drip.store.inserting import insert_all, insert_or, insert_with_ids
from drip.store.schema import Address, Consent, Patient, Suppression
from drip.store.types import among, among_those

Pair = tuple[Channel, str]
"""A channel and an address on it: E.164 for a text, a mailbox for an email."""

_ADDRESSES = cast(Table, Address.__table__)

_ADDRESS: dict[str, TypeEngine[Any]] = {
    "clinic_id": BigInteger(),
    "channel": Text(),
    "address": Text(),
    "digest": Text(),
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
    return list(session.scalars(_BY_PHONE, {"clinic": clinic_id, "phone": phone}))


_BY_PHONE = (
    select(Patient)
    .where(Patient.clinic_id == bindparam("clinic"), Patient.phone == bindparam("phone"))
    .order_by(Patient.id)
)


def by_email(session: Session, clinic_id: int, email: str) -> list[Patient]:
    """Who has this mailbox, written the same, oldest first."""
    query = select(Patient).where(Patient.clinic_id == clinic_id, Patient.email == email)
    return list(session.scalars(query.order_by(Patient.id)))


def by_phones(session: Session, clinic_id: int, phones: Iterable[str]) -> list[Patient]:
    """Who has one of these numbers (E.164), oldest first."""
    query = select(Patient).where(Patient.clinic_id == clinic_id, among(Patient.phone, phones))
    return list(session.scalars(query.order_by(Patient.id)))


def by_address(session: Session, clinic_id: int, channel: Channel, address: str) -> list[Patient]:
    """Who has this number or mailbox, oldest first."""
    find = by_phone if channel is Channel.SMS else by_email
    return find(session, clinic_id, address)


# --- Consents -----------------------------------------------------------------------------------


def add_consents(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the ledger of consents. All rows must have the same keys."""
    insert_all(session, Consent, rows)


def consents_of(session: Session, patient_ids: Iterable[int]) -> dict[tuple[int, Channel], Consent]:
    """The latest word of each patient on each channel."""
    found = session.scalars(_LATEST, {"ids": list(patient_ids)})
    return {(consent.patient_id, consent.channel): consent for consent in found}


def _latest() -> Select[Consent]:
    rank = func.row_number().over(
        partition_by=(Consent.patient_id, Consent.channel),
        order_by=(Consent.at.desc(), Consent.id.desc()),
    )
    theirs = select(Consent, rank.label("rank")).where(among_those(Consent.patient_id, "ids"))
    ranked = theirs.subquery()
    return select(aliased(Consent, ranked)).where(ranked.c.rank == 1)


_LATEST = _latest()


def ledger_of(session: Session, patient_id: int) -> list[Consent]:
    """All that a patient ever said of consent, first to last."""
    query = select(Consent).where(Consent.patient_id == patient_id)
    return list(session.scalars(query.order_by(Consent.at, Consent.id)))


# --- Addresses ----------------------------------------------------------------------------------


def ensure_addresses(session: Session, clinic_id: int, pairs: Iterable[Pair]) -> None:
    """Have a row for each of these addresses, suppressed where its hash is remembered."""
    rows = [
        {
            "clinic_id": clinic_id,
            "channel": channel,
            "address": address,
            "digest": suppressions.digest_of(channel, address),
        }
        for channel, address in sorted(set(pairs))
    ]
    if rows:
        each = given(dialect_of(session), _ADDRESS)
        known = and_(
            Suppression.clinic_id == each.c.clinic_id,
            Suppression.channel == each.c.channel,
            Suppression.digest == each.c.digest,
        )
        some = (
            select(*(each.c[name] for name in _NAMES), Suppression.at, Suppression.because)
            .select_from(each.outerjoin(Suppression, known))
            # SQLite needs a WHERE to tell what ON CONFLICT belongs to.
            .where(each.c.address.is_not(None))
        )
        columns = [*_NAMES, "suppressed_at", "suppressed_because"]
        statement = insert_or(session, Address).from_select(columns, some)
        session.execute(statement.on_conflict_do_nothing(), listed(_ADDRESS, rows))


_NAMES = ("clinic_id", "channel", "address")


def lock_addresses(session: Session, clinic_id: int, pairs: Iterable[Pair]) -> dict[Pair, str]:
    """Lock these addresses until the transaction ends; gives those suppressed, each with why.

    Who sends and who suppresses take the same lock, so that nothing is sent after a STOP. An
    address that has no row yet gets one. The order is the same for all, so that none wait for
    each other for ever.
    """
    wanted = set(pairs)
    if not wanted:
        return {}
    those: dict[str, Any] = {"clinic": clinic_id, **_by_channel(wanted)}
    rows = session.execute(_LOCKED, those).all()
    if rows[0].locked < len(wanted):
        ensure_addresses(session, clinic_id, wanted)
        rows = session.execute(_LOCKED, those).all()
    return {(row.channel, row.address): row.because for row in rows if row.address is not None}


def suppress(
    session: Session,
    clinic_id: int,
    channel: Channel,
    address: str,
    because: str,
    now: datetime,
    replaces: Collection[str] = (),
) -> bool:
    """Never message this address again. False if that was so already.

    The first reason stays, unless it is one of those that this one `replaces`. The address is
    remembered by its hash as well: see `suppressions`. Waits for who is about to hand something
    over to it, and locks it until the end.
    """
    one = {"clinic": clinic_id, "on": channel, "named": address, "because": because, "at": now}
    if session.scalar(_SUPPRESS, one) is not None:
        suppressions.remember(session, clinic_id, channel, address, because, now)
        return True
    # It has no row yet, or it is suppressed.
    before = lock_addresses(session, clinic_id, [(channel, address)]).get((channel, address))
    if before is None or before in replaces:
        _mark(session, clinic_id, channel, address, because, now)
        suppressions.remember(session, clinic_id, channel, address, because, now)
    else:
        suppressions.remember(session, clinic_id, channel, address, before, now)
    return before is None


def lift(session: Session, clinic_id: int, channel: Channel, address: str) -> datetime | None:
    """Let an address, which the caller has locked, be messaged again.

    Gives since when (UTC) it was suppressed, None if it was not.
    """
    since = session.scalar(
        select(Address.suppressed_at).where(
            Address.clinic_id == clinic_id, Address.channel == channel, Address.address == address
        )
    )
    _mark(session, clinic_id, channel, address, None, None)
    suppressions.forget(session, clinic_id, channel, address)
    return since


def _mark(
    session: Session,
    clinic_id: int,
    channel: Channel,
    address: str,
    because: str | None,
    at: datetime | None,
) -> None:
    one = {"clinic": clinic_id, "on": channel, "named": address, "because": because, "at": at}
    session.execute(_MARK, one)


_MARK = (
    update(_ADDRESSES)
    .where(
        _ADDRESSES.c.clinic_id == bindparam("clinic"),
        _ADDRESSES.c.channel == bindparam("on"),
        _ADDRESSES.c.address == bindparam("named"),
    )
    .values(suppressed_at=bindparam("at"), suppressed_because=bindparam("because"))
)
_SUPPRESS = _MARK.where(_ADDRESSES.c.suppressed_at.is_(None)).returning(_ADDRESSES.c.id)


def suppressed(session: Session, clinic_id: int, pairs: Iterable[Pair]) -> dict[Pair, str]:
    """Those of the addresses that must not be messaged, each with why. Locks nothing."""
    wanted = set(pairs)
    if not wanted:
        return {}
    found = session.execute(_SUPPRESSED, {"clinic": clinic_id, **_by_channel(wanted)})
    return {(channel, address): because for channel, address, because in found}


def _by_channel(pairs: Iterable[Pair]) -> dict[str, list[str]]:
    """The addresses of each channel, as the statements below take them."""
    found: dict[str, list[str]] = {channel.value: [] for channel in Channel}
    for channel, address in pairs:
        found[channel.value].append(address)
    return found


# With the clinic in each: SQLite would read all addresses of the clinic otherwise.
_THOSE = or_(
    *(
        and_(
            _ADDRESSES.c.clinic_id == bindparam("clinic"),
            _ADDRESSES.c.channel == channel,
            among_those(_ADDRESSES.c.address, channel.value),
        )
        for channel in Channel
    )
)
_BECAUSE = func.coalesce(_ADDRESSES.c.suppressed_because, "").label("because")
_SUPPRESSED = select(_ADDRESSES.c.channel, _ADDRESSES.c.address, _BECAUSE).where(
    _THOSE, _ADDRESSES.c.suppressed_at.is_not(None)
)
_LOCK = (
    select(_ADDRESSES.c.channel, _ADDRESSES.c.address, _ADDRESSES.c.suppressed_at, _BECAUSE)
    .where(_THOSE)
    .order_by(_ADDRESSES.c.channel, _ADDRESSES.c.address)
    .with_for_update()
    .cte("locked")
)
_COUNT = select(func.count().label("locked")).select_from(_LOCK).subquery("counted")
_LOCKED = select(_COUNT.c.locked, _LOCK.c.channel, _LOCK.c.address, _LOCK.c.because).select_from(
    _COUNT.outerjoin(_LOCK, _LOCK.c.suppressed_at.is_not(None))
)
"""How many were locked, in every row; and in each row one that is suppressed, if there are any."""
