"""Receipts: what a provider says of a delivery later is kept, and the delivery goes on with it.

They come in any order, twice or never (rules.md, "Twilio"). Good words, which are nearly all, are
written many at a time; a failure has consequences, and a transaction of its own.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.core.delivery import Reason, Status, may_move
from drip.core.inbound import ReceiptWord
from drip.core.outgoing import Rejected, Retry
from drip.core.receipts import Taken, is_failure, says
from drip.core.retry import next_try
from drip.providers.retries import rule_of
from drip.providers.twilio_codes import CodeKind, meaning_of
from drip.services import metrics
from drip.services.outbound.afterwards import after_failure, alert_staff
from drip.services.outbound.fallback import go_by_email
from drip.store import attempts, deliveries, enrollments, outcomes, patients, receipts, tasks
from drip.store.attempts import Finished
from drip.store.engine import writing
from drip.store.outcomes import Result
from drip.store.receipts import New, Standing, Try
from drip.store.schema import Delivery

log = structlog.get_logger(__name__)

Word = tuple[int, ReceiptWord]
"""A delivery's id, and what is said of it."""

_KNOWN_BY_NOW = "The provider knows by now."


def receive(engine: Engine, delivery_id: int, word: ReceiptWord, now: datetime) -> Taken:
    """Take in one receipt; `now` is UTC. Raises StoreError."""
    (taken,) = receive_all(engine, [(delivery_id, word)], now)
    return taken


def receive_all(engine: Engine, words: Sequence[Word], now: datetime) -> list[Taken]:
    """Take in receipts, in the order in which they came; gives what became of each.

    Each is kept once: a second one like it changes nothing. Raises StoreError.
    """
    good = [word for word in words if not is_failure(says(word[1].status))]
    bad = [word for word in words if is_failure(says(word[1].status))]
    taken: dict[Word, Taken] = {}
    if good:
        with writing(engine) as session:
            taken |= _take_in(session, good, now)
    for word in dict.fromkeys(bad):
        with writing(engine) as session:
            taken[word] = _take_failure(session, *word, now)
    for word in words:
        _count(word[1])
    return _with_doubles(words, taken)


def _with_doubles(words: Iterable[Word], taken: Mapping[Word, Taken]) -> list[Taken]:
    """What became of each word; one that came twice was there already at the second time."""
    seen: set[Word] = set()
    found = []
    for word in words:
        known = word in seen and taken[word] is not Taken.NOT_OURS
        found.append(Taken.AGAIN if known else taken[word])
        seen.add(word)
    return found


# --- Good words -----------------------------------------------------------------------------------


def _take_in(session: Session, words: Sequence[Word], now: datetime) -> dict[Word, Taken]:
    """Keep words that say no ill of a message, and let the deliveries go on with them."""
    ids = [delivery_id for delivery_id, _ in words]
    stood, tries = receipts.lock_with_tries(session, ids)
    ours = [word for word in dict.fromkeys(words) if word[0] in stood]
    new = receipts.keep(session, [_row(stood[id_].clinic_id, id_, word, now) for id_, word in ours])
    news = [word for word in ours if _key(word) in new]
    fresh = set(news)
    _answer_open(session, [(word, _try_of(tries.get(id_, ()), word)) for id_, word in news], now)
    moved = _move(session, news, stood, now)
    _stop_retries(session, news, stood, tries, now)
    return {
        word: Taken.NOT_OURS
        if word[0] not in stood
        else Taken.AGAIN
        if word not in fresh
        else Taken.MOVED
        if word[0] in moved
        else Taken.KEPT
        for word in words
    }


def _move(
    session: Session, news: Sequence[Word], stood: Mapping[int, Standing], now: datetime
) -> set[int]:
    """Let deliveries go where their best word puts them; a known end closes staff's question."""
    best: dict[int, Result] = {}
    for id_, word in news:
        after = says(word.status)
        if after is None or not may_move(stood[id_].status, after):
            continue
        if id_ not in best or after is Status.DELIVERED:
            # Whichever attempt it was that arrived: the patient has it.
            number = stood[id_].attempts
            best[id_] = Result(id_, number, after, word.provider, word.provider_id)
    outcomes.move(session, list(best.values()), now)
    for id_ in sorted(best):
        _close_question(session, stood[id_], now)
    return set(best)


def _stop_retries(
    session: Session,
    news: Sequence[Word],
    stood: Mapping[int, Standing],
    tries: Mapping[int, Sequence[Try]],
    now: datetime,
) -> None:
    """Do not send again what arrived after all while it waits for another try."""
    arrived = [
        id_
        for id_, word in news
        if says(word.status) is Status.DELIVERED
        and stood[id_].status in (Status.SCHEDULED, Status.CLAIMED)
        and stood[id_].reason is Reason.RETRYING
        and any(each.provider_id == word.provider_id for each in tries.get(id_, ()))
    ]
    if arrived:
        deliveries.move(session, arrived, Status.SKIPPED, now, Reason.ALREADY_TOLD)


# --- Failures -------------------------------------------------------------------------------------


def _take_failure(session: Session, delivery_id: int, word: ReceiptWord, now: datetime) -> Taken:
    """Keep the word that a message came to nothing, with all that follows from it.

    The locks are taken in the order in which everybody takes them: addresses, enrollments,
    deliveries. What an earlier attempt than the last came to moves nothing.
    """
    row = deliveries.get(session, delivery_id)
    if row is None:
        return Taken.NOT_OURS
    if receipts.is_kept(session, delivery_id, word.provider_id, word.status):
        return Taken.AGAIN
    attempt = _try_of(receipts.tries(session, [delivery_id]).get(delivery_id, ()), word)
    said = _meaning(word)
    if (
        attempt is not None
        and isinstance(said, Rejected)
        and (said.suppress or said.address_is_bad)
    ):
        patients.suppress(session, row.clinic_id, row.channel, attempt.address, said.code, now)
    enrollments.lock_many(session, {row.enrollment_id})
    stood = receipts.lock(session, [delivery_id])[delivery_id]
    if not receipts.keep(session, [_row(stood.clinic_id, delivery_id, word, now)]):
        return Taken.AGAIN
    if attempt is None:
        return Taken.KEPT
    _answer_open(session, [(word, attempt)], now)
    result = _result(session, row, attempt, word, said, now)
    if not outcomes.record(session, [result], now, by_receipt=True):
        return Taken.KEPT
    _close_question(session, stood, now)
    _tell(session, row, attempt, word, said, result, now)
    return Taken.MOVED


def _meaning(word: ReceiptWord) -> Retry | Rejected:
    return meaning_of(word.code or word.status).as_answer()


def _result(
    session: Session,
    row: Delivery,
    attempt: Try,
    word: ReceiptWord,
    said: Retry | Rejected,
    now: datetime,
) -> Result:
    """Where a failure puts its delivery: to another try where one is allowed, else to its end."""
    after = says(word.status) or Status.FAILED
    due_at = None
    # A message with a receipt was accepted, whether or not we heard that first.
    if isinstance(said, Retry) and may_move(Status.ACCEPTED, Status.SCHEDULED):
        rule = rule_of(said.kind)
        failed = attempt.number if rule.tries is None else _refused(session, row.id, said.code)
        due_at = next_try(rule, now, failed, random.random(), said.after)  # noqa: S311 - no secret
    if due_at is not None and due_at < row.until:
        after, reason = Status.SCHEDULED, Reason.RETRYING
    else:
        due_at, reason = None, Reason.REFUSED
    return Result(
        row.id, attempt.number, after, word.provider, word.provider_id, due_at=due_at, reason=reason
    )


def _refused(session: Session, delivery_id: int, code: str) -> int:
    """How often a delivery came to nothing with a code, at the hand-over or later."""
    at_once = attempts.refusals(session, [delivery_id])[delivery_id, code]
    return at_once + receipts.failures(session, delivery_id, code)


def _tell(
    session: Session,
    row: Delivery,
    attempt: Try,
    word: ReceiptWord,
    said: Retry | Rejected,
    result: Result,
    now: datetime,
) -> None:
    """Let follow what follows: the email first, so that a call is the last resort."""
    if said.alert is not None:
        alert_staff(session, row.clinic_id, word.provider, said.code, said.alert, now)
    if result.status is not Status.SCHEDULED:
        go_by_email(session, [row], now)
        after_failure(session, row, attempt.address, said, Reason.REFUSED, now)
    log.info("receipt.failure", delivery=row.id, status=result.status.value, code=said.code)


# --- Both -----------------------------------------------------------------------------------------


def _try_of(tries: Sequence[Try], word: ReceiptWord) -> Try | None:
    """The attempt that a receipt is of; the last one, if its answer was lost or is on its way."""
    for each in tries:
        if each.provider_id == word.provider_id:
            return each
    if tries and tries[-1].provider_id is None and tries[-1].outcome in (None, "unknown"):
        return tries[-1]
    return None


def _answer_open(
    session: Session, found: Iterable[tuple[ReceiptWord, Try | None]], now: datetime
) -> None:
    """A receipt is as good as the answer to its attempt, where that was lost or is on its way."""
    endings = {
        attempt.id: Finished(attempt.id, now, "accepted", provider_id=word.provider_id)
        for word, attempt in found
        if attempt is not None and attempt.outcome in (None, "unknown")
    }
    attempts.finish(session, list(endings.values()))


def _close_question(session: Session, stood: Standing, now: datetime) -> None:
    if stood.status is Status.UNKNOWN:
        tasks.close_of(session, stood.id, "unknown_outcome", _KNOWN_BY_NOW, now)


def _row(clinic_id: int, delivery_id: int, word: ReceiptWord, now: datetime) -> New:
    said = (word.provider, word.provider_id, word.status, word.code)
    return New(clinic_id, delivery_id, *said, now)


def _key(word: Word) -> tuple[int, str, str]:
    return word[0], word[1].provider_id, word[1].status


def _count(word: ReceiptWord) -> None:
    """Count a receipt; a code that is not in the table is counted as such, and kept."""
    status = "other" if says(word.status) is None else word.status
    code = word.code or ""
    if code and meaning_of(code).kind is CodeKind.UNKNOWN:
        code = "unknown"
    metrics.receipt(word.provider, status, code)
