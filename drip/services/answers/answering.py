"""Answers: what is said to somebody who wrote, and to staff; each goes out once, and at once.

An answer waits in its row, as a delivery does. It is marked `sending` before it is handed over,
so that a process that dies loses none: what it was sending is asked after when the lease is over,
sent again only where the provider shows that it has none, and a task for staff where nobody
knows. Neither the send window nor a sender's pace holds an answer up.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.core.answers import AFTER_STOP, FIRST, LEASE, OF_USE, after_receipt
from drip.core.clinic import Clinic
from drip.core.inbound import ReceiptWord
from drip.core.outgoing import (
    Accepted,
    EmailContent,
    NotSent,
    Outgoing,
    Rejected,
    Retry,
    Settlement,
    SmsContent,
    Unknown,
    Unsettled,
)
from drip.core.retry import RetryKind, next_try
from drip.core.schedule import Channel
from drip.providers.protocol import Provider
from drip.providers.retries import rule_of
from drip.providers.twilio_codes import meaning_of
from drip.services import metrics
from drip.services.answers.astray import tell_staff
from drip.services.outbound.afterwards import alert_staff
from drip.services.remembered import Remembered
from drip.store import answers, attempts, patients
from drip.store.engine import reading, writing
from drip.store.schema import Answer

log = structlog.get_logger(__name__)

Providers = Mapping[Channel, Provider]

_jitter = random.Random()  # noqa: S311 - spreads retries, keeps no secret


@dataclass(frozen=True, slots=True)
class _Try:
    """One hand-over of an answer: the row as it was begun, and what goes to the provider."""

    answer: Answer
    outgoing: Outgoing


def say(
    session: Session,
    clinic_id: int,
    *,
    kind: str,
    channel: Channel,
    address: str,
    body: str,
    now: datetime,
    until: datetime | None = None,
    sender: str | None = None,
    subject: str | None = None,
    reply_id: int | None = None,
    task_id: int | None = None,
    by: str = "drip",
) -> int:
    """Have something said to an address, in the caller's transaction; gives the answer's id.

    It is handed over by the next `send_waiting`, unless the address is stopped by then, and not
    after `until` (UTC; 12 hours from `now`). `sender` is the number that a text comes from, None
    for the clinic's own. An email needs a `subject`.
    """
    answer = Answer(
        clinic_id=clinic_id,
        kind=kind,
        channel=channel,
        address=address,
        body=body,
        sender=sender,
        subject=subject,
        reply_id=reply_id,
        task_id=task_id,
        by_whom=by,
        due_at=now,
        until=until or now + OF_USE,
        created_at=now,
    )
    return answers.insert(session, answer)


def send_waiting(engine: Engine, providers: Providers, now: datetime, limit: int = 50) -> int:
    """Hand over what waits, and ask after what a dead sender left; gives how many were tried.

    May run anywhere and in many processes at once: an answer is taken by one of them. What is
    put off or ended is not due any more, so that it can be called until it gives 0. `now` is UTC.
    """
    with reading(engine) as session:
        if not answers.any_due(session, now):
            return 0
    return sum(_send(engine, *each, now, limit) for each in providers.items())


def receipt(engine: Engine, answer_id: int, word: ReceiptWord, now: datetime) -> None:
    """Write down a provider's later word about an answer; one that is unknown changes nothing.

    Words come in any order, twice, and before our own record of the hand-over.
    """
    with writing(engine) as session:
        answer = answers.get(session, answer_id, lock=True)
        if answer is None or answer.provider_id not in (None, word.provider_id):
            return
        status = after_receipt(answer.status, word.status)
        if status is None:
            return
        answer.status = status  # type: ignore[assignment] # one of the table's words
        answer.provider, answer.provider_id = word.provider, word.provider_id
        answer.code = word.code or answer.code
        if status in ("undelivered", "failed"):
            _refused(session, answer, meaning_of(word.code or word.status).as_answer(), now)
            tell_staff(session, answer, now)
        session.flush()
        metrics.said(answer.kind, status)
    log.info("answer.receipt", answer=answer_id, status=status)


# --- Begun --------------------------------------------------------------------------------------


def _send(engine: Engine, channel: Channel, provider: Provider, now: datetime, limit: int) -> int:
    """Hand over what waits on a channel; no database session is open meanwhile."""
    with writing(engine) as session:
        begun, lapsed = _begin(session, channel, provider, now, limit)
    if begun:
        said = provider.send([each.outgoing for each in begun], now)
        _record(engine, [each.answer for each in begun], said, now)
    if lapsed:
        found = provider.settle([_unsettled(each) for each in lapsed], now)
        _record(engine, lapsed, found, now, settled=True)
    return len(begun) + len(lapsed)


def _begin(
    session: Session, channel: Channel, provider: Provider, now: datetime, limit: int
) -> tuple[list[_Try], list[Answer]]:
    """Mark what may go out as being sent; gives that, and what somebody else let go of.

    Answers are locked first and addresses after them, the other way round nowhere.
    """
    found = answers.due(session, channel, now, limit, FIRST)
    lapsed = [answer for answer in found if answer.status == "sending"]
    for answer in lapsed:
        answer.due_at = now + LEASE
    clinics = Remembered().clinics(session, {answer.clinic_id for answer in found})
    begun = []
    for answer in _allowed(session, [a for a in found if a.status == "waiting"], now):
        clinic = clinics[answer.clinic_id]
        if clinic is None:
            # Nobody can say from whom it comes; `drip check` names what is broken.
            answer.due_at = now + LEASE
            continue
        answer.status, answer.attempts = "sending", answer.attempts + 1
        answer.sent_at, answer.due_at = now, now + LEASE
        answer.provider = provider.name
        if answer.channel is Channel.SMS:
            answer.sender = answer.sender or clinic.texts.sender
        begun.append(_Try(answer, _outgoing(answer, clinic)))
    session.flush()
    return begun, lapsed


def _allowed(session: Session, waiting: Sequence[Answer], now: datetime) -> Iterator[Answer]:
    """Those that may go out, one by one: in time, and to an address that is not stopped."""
    for clinic_id in sorted({answer.clinic_id for answer in waiting}):
        theirs = [answer for answer in waiting if answer.clinic_id == clinic_id]
        pairs = {(answer.channel, answer.address) for answer in theirs}
        stopped = patients.lock_addresses(session, clinic_id, pairs)
        for answer in theirs:
            if now >= answer.until:
                _end(session, answer, "failed", "too_late", now)
            elif (answer.channel, answer.address) in stopped and not _last_word(session, answer):
                _end(session, answer, "withheld", "stopped", now)
            else:
                yield answer


def _last_word(session: Session, answer: Answer) -> bool:
    """Whether a stopped address gets this: the word that texts have stopped, once a stop."""
    return answer.kind in AFTER_STOP and not answers.said_since_stop(session, answer, AFTER_STOP)


def _outgoing(answer: Answer, clinic: Clinic) -> Outgoing:
    sms = answer.channel is Channel.SMS
    return Outgoing(
        delivery_id=answer.id,
        attempt_id=answer.attempts,
        channel=answer.channel,
        to=answer.address,
        content=SmsContent(answer.body) if sms else _email(answer, clinic),
        give_up_at=answer.until,
        sender=answer.sender,
        kind="answer",
    )


def _email(answer: Answer, clinic: Clinic) -> EmailContent:
    """A plain email, from the name that a lock screen may show."""
    paragraphs = [*answer.body.strip().split("\n\n"), f"{clinic.public_name}, {clinic.address}"]
    html = "\n".join(f"<p>{escape(each).replace(chr(10), '<br>')}</p>" for each in paragraphs)
    return EmailContent(
        subject=answer.subject or clinic.public_name,
        html=html,
        text="\n\n".join(paragraphs) + "\n",
        from_name=clinic.public_name,
        reply_to=clinic.email,
    )


def _unsettled(answer: Answer) -> Unsettled:
    sms = answer.channel is Channel.SMS
    return Unsettled(
        delivery_id=answer.id,
        attempt_id=answer.id,
        to=answer.address,
        body=answer.body if sms else None,
        started_at=answer.sent_at or answer.created_at,
        sender=answer.sender,
        kind="answer",
    )


# --- Recorded -----------------------------------------------------------------------------------


def _record(
    engine: Engine,
    tried: Sequence[Answer],
    said: Sequence[Settlement],
    now: datetime,
    *,
    settled: bool = False,
) -> None:
    """Write down what a provider said of each. What somebody else wrote meanwhile stays."""
    with writing(engine) as session:
        rows = answers.lock_many(session, [each.id for each in tried])
        for each, answer in zip(tried, said, strict=True):
            row = rows[each.id]
            if row.status in ("sending", "unknown") and row.attempts == each.attempts:
                _write(session, row, answer, now, settled=settled)
                metrics.said(row.kind, type(answer).__name__.lower())
        session.flush()
    by_status: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows.values():
        by_status[row.status].append(row.id)
    log.info("answers.said", **by_status)


def _write(
    session: Session, answer: Answer, said: Settlement, now: datetime, *, settled: bool
) -> None:
    match said:
        case Accepted(provider_id) if not (settled and _taken(session, answer, provider_id)):
            answer.status, answer.provider_id, answer.code = "accepted", provider_id, None
        case Retry(code, after, _, kind):
            answer.code = code
            _refused(session, answer, said, now)
            due_at = next_try(rule_of(kind), now, answer.attempts, _jitter.random(), after)
            _again(session, answer, due_at, now)
        case NotSent():
            # At once the first time: nothing says that the provider is in trouble.
            back_off, many = rule_of(RetryKind.BACK_OFF), answer.attempts - 1
            due_at = next_try(back_off, now, many, _jitter.random()) if many else now
            _again(session, answer, due_at, now)
        case Rejected(code):
            _refused(session, answer, said, now)
            _end(session, answer, "failed", code, now)
        case _ if settled:
            _end(session, answer, "unknown", "no_answer", now)
        case Unknown(why):
            # The provider is asked when the lease is over.
            answer.code = why


def _taken(session: Session, answer: Answer, provider_id: str) -> bool:
    """Whether a message with the same words to the same number is another one's."""
    others = attempts.known_ids(session, [provider_id])
    return bool(others) or answers.is_anothers(session, answer, provider_id)


def _again(session: Session, answer: Answer, due_at: datetime | None, now: datetime) -> None:
    if due_at is None or due_at >= answer.until:
        _end(session, answer, "failed", answer.code or "too_late", now)
    else:
        answer.status, answer.due_at = "waiting", due_at


def _refused(session: Session, answer: Answer, said: Settlement, now: datetime) -> None:
    """What a refusal says of the address and of the set-up, whatever the words were."""
    if isinstance(said, Rejected) and said.suppress:
        patients.suppress(session, answer.clinic_id, answer.channel, answer.address, said.code, now)
    if isinstance(said, Retry | Rejected) and said.alert is not None:
        provider = answer.provider or "the provider"
        alert_staff(session, answer.clinic_id, provider, said.code, said.alert, now)


def _end(session: Session, answer: Answer, status: str, code: str, now: datetime) -> None:
    answer.status, answer.code = status, code  # type: ignore[assignment] # the table's words
    tell_staff(session, answer, now)
