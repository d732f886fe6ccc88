"""A text that failed for good goes by email where that may be: read, decided, planned (T12)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from drip.core.fallback import Mailbox, by_email
from drip.core.schedule import Channel
from drip.services import plans
from drip.services.journeys import (
    addresses_of,
    answered_of,
    existing_of,
    reach_of,
    schedule_of,
    zone_of,
)
from drip.services.readable import readable_clinics
from drip.store import deliveries, enrollments, patients
from drip.store.claimed import Known
from drip.store.schema import Enrollment, Patient

log = structlog.get_logger(__name__)


def go_by_email(session: Session, failed: Iterable[Known], now: datetime) -> None:
    """Plan the emails that take the place of texts which failed for good; `now` is UTC.

    The caller has locked the enrollments and recorded the failures, in the same transaction:
    whoever plans comes before or after, so that no step gets two emails.
    """
    texts = [row for row in failed if row.channel is Channel.SMS]
    if not texts:
        return
    enrolled = enrollments.get_many(session, {row.enrollment_id for row in texts})
    people = patients.get_many(session, {row.patient_id for row in texts})
    mailboxes = _mailboxes(session, enrolled.values(), people)
    new = []
    for row in texts:
        mailbox = mailboxes.get(row.enrollment_id)
        if mailbox is None:
            continue
        existing = existing_of(deliveries.of_enrollment(session, row.enrollment_id))
        own = next(each for each in existing if each.id == row.id)
        planned = by_email(own, row.message, existing, mailbox, now)
        if planned is not None:
            new.append(plans.new_row(enrolled[row.enrollment_id], planned, now))
            log.info("delivery.by_email", delivery=row.id, enrollment=row.enrollment_id)
    deliveries.insert(session, new)


def _mailboxes(
    session: Session, enrolled: Iterable[Enrollment], people: Mapping[int, Patient]
) -> dict[int, Mailbox]:
    """How each of these enrollments stands for email; those that have ended are left out."""
    by_clinic: defaultdict[int, list[Enrollment]] = defaultdict(list)
    for enrollment in enrolled:
        if enrollment.status in ("active", "paused") and enrollment.no_show_at is None:
            by_clinic[enrollment.clinic_id].append(enrollment)
    consents = patients.consents_of(session, people)
    found: dict[int, Mailbox] = {}
    for clinic_id, clinic in readable_clinics(session, by_clinic).items():
        if clinic is None:
            continue
        some = by_clinic[clinic_id]
        theirs = [people[each.patient_id] for each in some]
        stopped = patients.suppressed(session, clinic_id, addresses_of(theirs))
        for each, patient in zip(some, theirs, strict=True):
            consent = consents.get((patient.id, Channel.EMAIL))
            given = {Channel.EMAIL: consent is not None and consent.given}
            found[each.id] = Mailbox(
                blocked=reach_of(patient, given, stopped)[Channel.EMAIL],
                zone=zone_of(patient, clinic),
                window=clinic.window,
                session_at=each.session_at,
                revision=each.revision,
                paused=each.status == "paused",
                education_paused=each.education_paused_at is not None,
                answered=_answered(session, each),
            )
    return found


def _answered(session: Session, enrollment: Enrollment) -> frozenset[str]:
    """The steps that an enrollment's patient has made needless; a schedule is seldom read."""
    if enrollment.ride_arranged_at is None:
        return frozenset()
    return answered_of(enrollment, schedule_of(session, enrollment))
