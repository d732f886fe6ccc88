"""Who follows a signed link: the patient that it was made for, at their clinic."""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.content.clinic_file import clinic_from_profile
from drip.content.sources import ContentDir
from drip.core.links import Link, LinkBroken
from drip.services.scope import Scope
from drip.store import clinics, patients
from drip.store.engine import reading
from drip.store.schema import Patient


@dataclass(frozen=True, slots=True)
class Holder:
    """The patient of a link, in the scope of the clinic. `language` is the patient's."""

    scope: Scope
    patient_id: int
    language: str


def holder_of(engine: Engine, content: ContentDir, link: Link) -> Holder:
    """Whose link this is; `link` names a patient.

    Raises LinkBroken where the clinic or the patient is there no more.
    """
    with reading(engine) as session:
        clinic = clinics.by_id(session, link.clinic_id)
        patient = patients.get(session, link.subject_id)
        if clinic is None or patient is None or patient.clinic_id != clinic.id:
            raise LinkBroken("Nobody is known any more by this link.")
        scope = Scope(engine, content, clinic_from_profile(clinic.profile), clinic.id)
        return Holder(scope, patient.id, patient.language)


def patient_of(session: Session, holder: Holder) -> Patient:
    """The patient's row as it is now. Raises LinkBroken where it is there no more."""
    patient = patients.get(session, holder.patient_id)
    if patient is None:
        raise LinkBroken("Nobody is known any more by this link.")
    return patient
