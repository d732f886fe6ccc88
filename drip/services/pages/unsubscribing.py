"""A patient who wants no more emails: one click in the mail program, or the button of a page."""

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from drip.core.schedule import Channel
from drip.services.consent.stopping import stop_in
from drip.services.journeys import reach_of
from drip.services.pages.link_holders import Holder, patient_of
from drip.store import patients
from drip.store.engine import reading, writing
from drip.store.schema import Patient

log = structlog.get_logger(__name__)

LINK = "link"
"""How a patient takes back a consent who follows the link of an email."""


def gets_emails(holder: Holder) -> bool:
    """Whether the patient of a link still gets emails."""
    with reading(holder.scope.engine) as session:
        return _reached(session, holder, patient_of(session, holder))


def unsubscribe(holder: Holder, now: datetime) -> bool:
    """Stop the emails of the patient of a link, and of whoever shares the mailbox.

    False, and nothing changes, where no emails went there any more: mail programs may ask twice.
    """
    with writing(holder.scope.engine) as session:
        patient = patient_of(session, holder)
        if patient.email is None:
            return False
        pair = (Channel.EMAIL, patient.email)
        patients.lock_addresses(session, holder.scope.clinic_id, [pair])
        if not _reached(session, holder, patient):
            return False
        stopped = stop_in(session, holder.scope, *pair, LINK, "patient", now)
    log.info("email.unsubscribed", patient=holder.patient_id, enrollments=sorted(stopped.plans))
    return True


def _reached(session: Session, holder: Holder, patient: Patient) -> bool:
    if patient.email is None:
        return False
    pair = (Channel.EMAIL, patient.email)
    known = patients.consents_of(session, [patient.id]).get((patient.id, Channel.EMAIL))
    suppressed = patients.suppressed(session, holder.scope.clinic_id, [pair])
    given = {Channel.EMAIL: known is not None and known.given}
    return reach_of(patient, given, suppressed)[Channel.EMAIL] is None
