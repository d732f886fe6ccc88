"""What became of emails later: they arrived, came back, or were marked as spam.

An email that comes back for good, or that its patient marked as spam, ends the emails to that
mailbox, as an address that a provider refuses: what waits is cancelled, texts take its place
where they may, and staff are asked to mend it. What did not arrive for once is only noted: such
words come for automatic answers, too.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.content.sources import ContentDir
from drip.core.delivery import Reason, Status, may_move
from drip.core.email_events import EmailEvent, EmailFate
from drip.core.inbound import ReceiptWord
from drip.core.schedule import Channel
from drip.services import plans
from drip.services.answers import answering
from drip.services.consent.stopping import cut_off
from drip.services.outbound.afterwards import tell_staff
from drip.services.receipts.receiving import receive_all
from drip.services.scope import scope_of
from drip.store import attempts, clinics, deliveries, enrollments, outcomes, patients, receipts
from drip.store import tasks as task_store
from drip.store.attempts import Finished
from drip.store.engine import reading, writing
from drip.store.outcomes import Result
from drip.store.receipts import New
from drip.store.schema import Attempt, Patient

log = structlog.get_logger(__name__)

_OURS = re.compile(r"<?drip-(delivery|answer)-([1-9][0-9]{0,17})@[^<>\s]+>?")
_FINAL = frozenset({EmailFate.BOUNCED, EmailFate.COMPLAINED})
_KNOWN_BY_NOW = "The mail service knows by now."


class _Sent(NamedTuple):
    """The delivery that an event is about, with the attempt that went to its mailbox."""

    delivery_id: int
    clinic_id: int
    enrollment_id: int
    attempt: Attempt


def take_in(
    engine: Engine, content: ContentDir, events: Sequence[EmailEvent], now: datetime
) -> None:
    """Take in what a service says of emails; `now` is UTC. A second time changes nothing.

    Raises StoreError; then the same events may come again.
    """
    with reading(engine) as session:
        sent = {event: _sent(session, event) for event in events}
    notes = [
        (about.delivery_id, _word(event))
        for event in events
        if event.fate not in _FINAL and (about := sent[event]) is not None
    ]
    receive_all(engine, notes, now)
    for event in dict.fromkeys(events):
        _of_answer(engine, event, now)
        if event.fate in _FINAL:
            _end(engine, content, event, sent[event], now)


def _word(event: EmailEvent) -> ReceiptWord:
    return ReceiptWord(event.provider, event.message_id or "", event.fate.value, event.code)


def _of_answer(engine: Engine, event: EmailEvent, now: datetime) -> None:
    """Pass on what is said of an answer, which is no delivery."""
    found = _OURS.fullmatch(event.message_id or "")
    if found is None or found[1] != "answer" or event.fate is EmailFate.DEFERRED:
        return
    status = "undelivered" if event.fate is EmailFate.BOUNCED else "delivered"
    word = ReceiptWord(event.provider, event.message_id or "", status, event.code)
    answering.receipt(engine, int(found[2]), word, now)


def _sent(session: Session, event: EmailEvent) -> _Sent | None:
    """What an event is about, by our own Message-ID; None for what we did not send there.

    Another installation that sends through the same account has the same Message-IDs.
    """
    found = _OURS.fullmatch(event.message_id or "")
    if found is None or found[1] != "delivery":
        return None
    row = deliveries.get(session, int(found[2]))
    if row is None:
        return None
    for attempt in attempts.of_delivery(session, row.id):
        if attempt.address.casefold() == event.address.casefold():
            return _Sent(row.id, row.clinic_id, row.enrollment_id, attempt)
    return None


def _end(
    engine: Engine, content: ContentDir, event: EmailEvent, sent: _Sent | None, now: datetime
) -> None:
    """End the emails to a mailbox, at the clinic that wrote to it or, unknown, at every one."""
    address = event.address if sent is None else sent.attempt.address
    with reading(engine) as session:
        clinic_ids = [sent.clinic_id] if sent else _clinics_of(session, address)
    for clinic_id in clinic_ids:
        with writing(engine) as session:
            because = f"{event.fate} {event.code or ''}".strip()
            pair = (Channel.EMAIL, address)
            before = patients.lock_addresses(session, clinic_id, [pair]).values()
            # Nothing that staff note ends a complaint: it replaces whatever may be ended.
            complained = event.fate is EmailFate.COMPLAINED
            better = before if complained else ()
            news = patients.suppress(session, clinic_id, *pair, because, now, list(better))
            if sent is not None:
                _fail(session, sent, event, now)
            people = patients.by_email(session, clinic_id, address) if news else []
            for who in people:
                _ask_staff(session, who, event, now)
            cut = enrollments.ids_of(session, (who.id for who in people))
        log.info("email.ended", fate=event.fate.value, code=event.code, enrollments=cut)
        # What is lost here by a crash is found when it is to be sent.
        scope = scope_of(engine, content, clinic_id)
        for enrollment_id in cut:
            cut_off(scope, enrollment_id, Channel.EMAIL, now)


def _clinics_of(session: Session, address: str) -> list[int]:
    return [id_ for id_ in clinics.ids(session) if patients.by_email(session, id_, address)]


def _fail(session: Session, sent: _Sent, event: EmailEvent, now: datetime) -> None:
    """Keep the word, and end the delivery where its email came back.

    The mailbox is locked already: then follow the enrollment and the delivery, as everywhere.
    """
    enrollments.lock_many(session, {sent.enrollment_id})
    stood = receipts.lock(session, [sent.delivery_id])[sent.delivery_id]
    word = _word(event)
    said = (word.provider, word.provider_id, word.status, word.code)
    if not receipts.keep(session, [New(sent.clinic_id, sent.delivery_id, *said, now)]):
        return
    if sent.attempt.outcome in (None, "unknown"):
        ending = Finished(sent.attempt.id, now, "accepted", provider_id=event.message_id)
        attempts.finish(session, [ending])
    after = Status.UNDELIVERED if event.fate is EmailFate.BOUNCED else Status.DELIVERED
    if not may_move(stood.status, after):
        return
    reason = Reason.REFUSED if after is Status.UNDELIVERED else None
    outcomes.record(session, [Result(stood.id, stood.attempts, after, reason=reason)], now)
    if stood.status is Status.UNKNOWN:
        task_store.close_of(session, stood.id, "unknown_outcome", _KNOWN_BY_NOW, now)
    row = deliveries.get(session, stood.id)
    if row is not None and after is Status.UNDELIVERED:
        tell_staff(session, row, Reason.REFUSED, now)


def _ask_staff(session: Session, patient: Patient, event: EmailEvent, now: datetime) -> None:
    """Ask for a mailbox that works, or, after a complaint, how the patient is to be reached."""
    bounced = event.fate is EmailFate.BOUNCED
    code = f" ({event.code})" if event.code else ""
    task_store.open_task(
        session,
        patient.clinic_id,
        key=f"{event.fate}:{patient.id}:{patient.email}",
        kind="fix_address" if bounced else plans.CALL,
        says=f"Check the patient's email address: emails to it come back{code}."
        if bounced
        else "Ask the patient how to be reached: an email was marked as spam, so none go out.",
        patient_id=patient.id,
        now=now,
    )
