"""What a patient chooses on the page of preferences: texts, emails, wording, language.

A channel that the patient turned off by a link, or that staff turned off for them, can be turned
on again here. After STOP by text only the patient's START helps, since the carrier blocks the
texts; and an address that a provider refused is for staff to mend.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy.orm import Session

from drip.core.schedule import Channel
from drip.services.consent.consenting import ends_stop, start_in
from drip.services.consent.stopping import CARRIERS_STOP, stop_in
from drip.services.journeys import STOP, address_of, addresses_of, blocked
from drip.services.pages.link_holders import Holder, patient_of
from drip.store import patients, wordings
from drip.store.engine import reading, writing
from drip.store.schema import Patient, Wording
from drip.store.wordings import WEB

log = structlog.get_logger(__name__)


class Hindrance(StrEnum):
    """Why a channel cannot be turned on by the patient here."""

    NO_ADDRESS = "no_address"
    STOPPED_BY_TEXT = "stopped_by_text"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Switch:
    """A channel as a patient finds it: on, or off, and what keeps it from being turned on."""

    on: bool
    hindrance: Hindrance | None = None


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a patient gets, and how it is said."""

    texts: Switch
    emails: Switch
    wording: Wording
    language: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a patient asks for; None where nothing was said, and nothing changes."""

    texts: bool | None = None
    emails: bool | None = None
    wording: Wording | None = None
    language: str | None = None


def preferences_of(holder: Holder) -> Preferences:
    """How everything stands for the patient of a link."""
    with reading(holder.scope.engine) as session:
        return _standing(session, holder, patient_of(session, holder))


def choose(holder: Holder, wishes: Wishes, now: datetime) -> tuple[Preferences, Preferences]:
    """Do what the patient asks for, all of it or nothing; gives how it stood before and stands now.

    What cannot be turned on here stays off, and says why.
    """
    with writing(holder.scope.engine) as session:
        patient = patient_of(session, holder)
        patients.lock_addresses(session, holder.scope.clinic_id, addresses_of([patient]))
        before = _standing(session, holder, patient)
        _switch(session, holder, patient, Channel.SMS, before.texts, wish=wishes.texts, now=now)
        _switch(session, holder, patient, Channel.EMAIL, before.emails, wish=wishes.emails, now=now)
        if wishes.wording is not None:
            _choose_wording(session, patient, wishes.wording, now)
        patient.language = wishes.language or patient.language
        session.flush()
        after = _standing(session, holder, patient)
    if after != before:
        log.info(
            "preferences.chosen",
            patient=holder.patient_id,
            texts=after.texts.on,
            emails=after.emails.on,
            wording=after.wording,
            language=after.language,
        )
    return before, after


def _switch(
    session: Session,
    holder: Holder,
    patient: Patient,
    channel: Channel,
    stands: Switch,
    *,
    wish: bool | None,
    now: datetime,
) -> None:
    address = address_of(patient, channel)
    if wish is None or wish == stands.on or address is None or (wish and stands.hindrance):
        return
    change = start_in if wish else stop_in
    change(session, holder.scope, channel, address, WEB, "patient", now)


def _choose_wording(session: Session, patient: Patient, wording: Wording, now: datetime) -> None:
    """Speak to the patient so, and note when they chose it: also what was only the default."""
    ledger = wordings.of_patient(session, patient.id)
    if patient.wording == wording and ledger and ledger[-1].wording == wording:
        return
    patient.wording = wording
    choice = {
        "clinic_id": patient.clinic_id,
        "patient_id": patient.id,
        "wording": wording,
        "at": now,
        "how": WEB,
        "by_whom": "patient",
    }
    wordings.add(session, [choice])


def _standing(session: Session, holder: Holder, patient: Patient) -> Preferences:
    suppressed = patients.suppressed(session, holder.scope.clinic_id, addresses_of([patient]))
    ledger = patients.ledger_of(session, patient.id)
    given = {entry.channel: entry.given for entry in ledger}

    def switch(channel: Channel) -> Switch:
        address = address_of(patient, channel)
        if address is None:
            return Switch(on=False, hindrance=Hindrance.NO_ADDRESS)
        because = suppressed.get((channel, address))
        reason = blocked(channel, address, suppressed, consented=given.get(channel))
        if because is None or ends_stop(because, channel, WEB, ledger):
            return Switch(on=reason is None)
        by_text = because in (STOP, CARRIERS_STOP)
        return Switch(
            on=False, hindrance=Hindrance.STOPPED_BY_TEXT if by_text else Hindrance.REFUSED
        )

    return Preferences(
        texts=switch(Channel.SMS),
        emails=switch(Channel.EMAIL),
        wording=patient.wording,
        language=patient.language,
    )
