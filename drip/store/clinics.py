"""Clinics and their profiles."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from drip.store.inserting import insert_or
from drip.store.schema import Clinic
from drip.store.types import among_those


def get(session: Session, key: str) -> Clinic | None:
    """The clinic of this key."""
    return session.scalar(select(Clinic).where(Clinic.key == key))


def by_id(session: Session, clinic_id: int) -> Clinic | None:
    """The clinic of this id."""
    return session.get(Clinic, clinic_id)


def profiles(session: Session, clinic_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The present profile of each of these clinics."""
    return dict(session.execute(_PROFILES, {"ids": list(clinic_ids)}).all())


# Made once, and of the table itself: to go by the ORM takes longer than to run it.
_CLINICS = Clinic.__table__.c
_PROFILES = select(_CLINICS.id, _CLINICS.profile).where(among_those(_CLINICS.id, "ids"))


def ids(session: Session) -> list[int]:
    """The ids of all clinics."""
    return list(session.scalars(select(Clinic.id).order_by(Clinic.id)))


def upsert(session: Session, key: str, profile: dict[str, Any], now: datetime) -> int:
    """Add the clinic, or give it a new profile; gives its id."""
    statement = insert_or(session, Clinic).values(key=key, profile=profile, updated_at=now)
    statement = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={"profile": statement.excluded.profile, "updated_at": now},
    )
    return session.scalars(statement.returning(Clinic.id)).one()
