"""What every use case works on: one clinic's data and words."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

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
        kept = clinics.by_id(session, clinic_id)
    assert kept is not None, "every row belongs to a clinic"
    return Scope(engine, content, clinic_from_profile(kept.profile), clinic_id)


def open_scope(engine: Engine, content: ContentDir, clinic: Clinic, now: datetime) -> Scope:
    """The scope of a clinic; its profile is kept in the database, for whoever sends."""
    profile = profile_of(clinic)
    with reading(engine) as session:
        known = clinics.get(session, clinic.key)
    if known is not None and known.profile == profile:
        return Scope(engine, content, clinic, known.id)
    with writing(engine) as session:
        return Scope(engine, content, clinic, clinics.upsert(session, clinic.key, profile, now))
