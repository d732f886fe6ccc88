"""What every use case works on: one clinic's data and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.content.clinic_file import clinic_from_profile, profile_of
from drip.content.sources import ContentDir
from drip.core.clinic import Clinic
from drip.store import clinics
from drip.store.engine import reading, writing


@dataclass(frozen=True, slots=True)
class Scope:
    """A clinic, where its rows are, and where its words are."""

    engine: Engine
    content: ContentDir
    clinic: Clinic
    clinic_id: int


def scope_of(engine: Engine, content: ContentDir, clinic_id: int) -> Scope:
    """A clinic as the database has it. Raises ContentError where its profile is broken."""
    with reading(engine) as session:
        return scopes_of(session, engine, content, [clinic_id])[0]


def scopes_of(
    session: Session, engine: Engine, content: ContentDir, clinic_ids: Sequence[int]
) -> list[Scope]:
    """The same for several clinics, in their order, in a transaction of the caller's."""
    profiles = clinics.profiles(session, clinic_ids)
    return [Scope(engine, content, clinic_of(id_, profiles[id_]), id_) for id_ in clinic_ids]


def clinic_of(clinic_id: int, profile: dict[str, Any]) -> Clinic:
    """The clinic of a profile, parsed once for as long as that stays the same.

    Raises ContentError where it is broken.
    """
    known, clinic = _parsed.get(clinic_id, (None, None))
    if clinic is None or known != profile:
        clinic = clinic_from_profile(profile)
        _parsed[clinic_id] = profile, clinic
    return clinic


_parsed: dict[int, tuple[dict[str, Any], Clinic]] = {}


def open_scope(engine: Engine, content: ContentDir, clinic: Clinic, now: datetime) -> Scope:
    """The scope of a clinic; its profile is kept in the database, for whoever sends."""
    profile = profile_of(clinic)
    with reading(engine) as session:
        known = clinics.get(session, clinic.key)
    if known is not None and known.profile == profile:
        return Scope(engine, content, clinic, known.id)
    with writing(engine) as session:
        return Scope(engine, content, clinic, clinics.upsert(session, clinic.key, profile, now))
