"""Answers: what is said to somebody who wrote, and to staff; each goes out once, and at once.

An answer waits in its row, as a delivery does. It is marked `sending` before it is handed over,
so that a process that dies loses none: what it was sending is asked after when the lease is over,
and again for some hours, sent again only where the provider shows that it has none, and a task for
staff where nobody knows.

No send window holds an answer up. Words for a crisis, and alerts, wait for nothing at all. Any
other text takes a token of its sender's pace and waits for one, since the carrier says texts one
by one: a hundred confirmations would stand there before the next word for a crisis.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.core.answers import (
    AFTER_STOP,
    FIRST,
    IN_CRISIS,
    LEASE,
    OF_USE,
    after_receipt,
    ask_again_at,
)
from drip.core.clinic import Clinic
from drip.core.inbound import ReceiptWord
from drip.core.outgoing import (
    Accepted,
    NotSent,
    Outgoing,
    Rejected,
    Retry,
    Settlement,
    Unknown,
)
from drip.core.pace import Pace
from drip.core.retry import RetryKind, next_try
from drip.core.schedule import Channel
from drip.providers.protocol import Provider
from drip.providers.retries import rule_of
from drip.providers.twilio_codes import meaning_of
from drip.services import metrics
from drip.services.answers.astray import say_arrived, tell_staff
from drip.services.answers.outgoing_answer import outgoing, unsettled
from drip.services.outbound.afterwards import alert_staff
from drip.services.outbound.sending import bucket_of
from drip.services.readable import readable_clinics
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
    return answers.insert(
        session,
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


def send_waiting(
    engine: Engine,
    providers: Providers,
    now: datetime,
    limit: int = 50,
    pace: Pace | None = None,
) -> int:
    """Hand over what waits, and ask after what a dead sender left; gives how many were tried.

    May run anywhere and in many processes at once: an answer is taken by one of them. What is
    put off or ended is not due any more, so that it can be called until it gives 0. `now` is UTC.
    Without a `pace` there is no limit.
    """
    with reading(engine) as session:
        due = answers.channels_due(session, now)
    return sum(
        _send(engine, channel, provider, now, limit, pace)
        for channel, provider in providers.items()
        if channel in due
    )


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
        was_in_doubt = answer.status in ("sending", "unknown")
        answer.status = status  # type: ignore[assignment] # one of the table's words
        answer.provider, answer.provider_id = word.provider, word.provider_id
        answer.code = word.code or answer.code
        if status in ("undelivered", "failed"):
            _refused(session, answer, meaning_of(word.code or word.status).as_answer(), now)
            tell_staff(session, answer, now)
        elif was_in_doubt:
            say_arrived(session, answer, now)
        session.flush()
        metrics.said(answer.kind, status)
    log.info("answer.receipt", answer=answer_id, status=status)


# --- Begun --------------------------------------------------------------------------------------


def _send(
    engine: Engine,
    channel: Channel,
    provider: Provider,
    now: datetime,
    limit: int,
    pace: Pace | None,
) -> int:
    """Hand over what waits on a channel; no database session is open meanwhile."""
    with writing(engine) as session:
        begun, lapsed = _begin(session, channel, provider, now, limit, pace)
    if begun:
        said = provider.send([each.outgoing for each in begun], now)
        _record(engine, [each.answer for each in begun], said, now)
    if lapsed:
        found = provider.settle([unsettled(each) for each in lapsed], now)
        _record(engine, lapsed, found, now, settled=True)
    return len(begun) + len(lapsed)


def _begin(
    session: Session,
    channel: Channel,
    provider: Provider,
    now: datetime,
    limit: int,
    pace: Pace | None,
) -> tuple[list[_Try], list[Answer]]:
    """Mark what may go out as being sent; gives that, and what somebody else let go of.

    Answers are locked first and addresses after them, the other way round nowhere.
    """
    found = answers.due(session, channel, now, limit, FIRST)
    lapsed = [answer for answer in found if answer.status == "sending"]
    for answer in lapsed:
        answer.due_at = now + LEASE
    clinics = readable_clinics(session, {answer.clinic_id for answer in found})
    begun = []
    for clinic_id, clinic in sorted(clinics.items()):
        waiting = [a for a in found if a.clinic_id == clinic_id and a.status == "waiting"]
        allowed = _allowed(session, clinic_id, waiting, now)
        if clinic is None:
            # Nobody can say from whom it comes; `drip check` names what is broken.
            _put_off(allowed, now + LEASE, timedelta(0))
            continue
        for answer in _in_pace(allowed, clinic, pace, now):
            answer.status, answer.attempts = "sending", answer.attempts + 1
            answer.sent_at, answer.due_at = now, now + LEASE
            answer.provider = provider.name
            if answer.channel is Channel.SMS:
                answer.sender = answer.sender or clinic.texts.sender
            begun.append(_Try(answer, outgoing(answer, clinic)))
    session.flush()
    return begun, lapsed


def _in_pace(
    waiting: Sequence[Answer], clinic: Clinic, pace: Pace | None, now: datetime
) -> list[Answer]:
    """Those that need no token of their sender's pace, or get one; the rest waits for its turn."""
    at_once = [a for a in waiting if a.channel is not Channel.SMS or a.kind in FIRST]
    others = [a for a in waiting if a not in at_once]
    if pace is None or not others:
        return list(waiting)
    rate = clinic.texts.rate
    granted = pace.take(bucket_of(clinic), rate, len(others), now)
    apart = timedelta(seconds=1 / rate)
    _put_off(others[granted:], now + apart, apart)
    return at_once + others[:granted]


def _put_off(waiting: Sequence[Answer], until: datetime, apart: timedelta) -> None:
    """Have these tried again from a moment (UTC) on, one after the other."""
    for place, answer in enumerate(waiting):
        answer.due_at = until + place * apart


def _allowed(
    session: Session, clinic_id: int, waiting: Sequence[Answer], now: datetime
) -> list[Answer]:
    """Those of a clinic that may go out: in time, and to an address that is not stopped."""
    pairs = {(answer.channel, answer.address) for answer in waiting}
    stopped = patients.lock_addresses(session, clinic_id, pairs)
    allowed: list[Answer] = []
    told: set[patients.Pair] = set()
    for answer in waiting:
        pair = (answer.channel, answer.address)
        if now >= answer.until:
            _end(session, answer, "failed", "too_late", now)
        elif pair not in stopped:
            allowed.append(answer)
        elif pair not in told and _last_word(session, answer):
            told.add(pair)
            allowed.append(answer)
        else:
            _end(session, answer, "withheld", "stopped", now)
    return allowed


def _last_word(session: Session, answer: Answer) -> bool:
    """Whether a stopped address gets this: the word that texts have stopped, once a stop."""
    return answer.kind in AFTER_STOP and not answers.said_since_stop(session, answer, AFTER_STOP)


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
                if not (settled and row.status == "sending"):
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
            if settled:
                say_arrived(session, answer, now)
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
            _ask_again(session, answer, now)
        case Unknown(why):
            # The provider is asked when the lease is over.
            answer.code = why


def _ask_again(session: Session, answer: Answer, now: datetime) -> None:
    """Have the provider of a text asked again later, as long as that is of use.

    Who waits for word in a crisis is called meanwhile. A mail server cannot be asked.
    """
    again_at = None
    if answer.channel is Channel.SMS:
        again_at = ask_again_at(answer.sent_at or answer.created_at, now)
    if again_at is None:
        _end(session, answer, "unknown", "no_answer", now)
        return
    answer.due_at = again_at
    if answer.kind in IN_CRISIS:
        tell_staff(session, answer, now)


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
