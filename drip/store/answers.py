"""Answers: what waits to be said, what is being handed over, and what became of it.

While an answer is `sending`, `due_at` is the end of its lease and `sent_at` the moment at which it
was handed over: who finds a lease over knows that the sender died or had no answer.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, literal_column, select
from sqlalchemy.orm import Session

from drip.core.schedule import Channel
from drip.store.schema import Address, Answer, AnswerStatus
from drip.store.types import among

_FRESH = {"populate_existing": True}

# As the partial index has it; the value stands in the statement, since SQLite goes by its words.
_IS_OPEN: ColumnElement[bool] = Answer.status.in_(
    [literal_column("'waiting'"), literal_column("'sending'")]
)
_GONE: tuple[AnswerStatus, ...] = ("sending", "accepted", "delivered", "undelivered", "unknown")
"""Handed over, or perhaps: the person may have it."""
_SAME_MOMENT = timedelta(seconds=1)
"""A stop and the word about it are written at the same time, to the second."""


def insert(session: Session, answer: Answer) -> int:
    """Add an answer; gives the id."""
    session.add(answer)
    session.flush()
    return answer.id


def get(session: Session, answer_id: int, *, lock: bool = False) -> Answer | None:
    """One answer; with `lock` nobody else may change it until the transaction ends."""
    query = select(Answer).where(Answer.id == answer_id)
    return session.scalar(query.with_for_update() if lock else query, execution_options=_FRESH)


def any_due(session: Session, now: datetime) -> bool:
    """Whether there is something to hand over, or a lease that is over, at `now` (UTC)."""
    query = select(Answer.id).where(_IS_OPEN, Answer.due_at <= now).limit(1)
    return session.scalar(query) is not None


def due(
    session: Session, channel: Channel, now: datetime, limit: int, first: Iterable[str]
) -> list[Answer]:
    """Lock what waits on a channel and is due, and what is `sending` with a lease that is over.

    Those of the kinds in `first` come before the others, then the longest due. What another
    sender has locked is left to it.
    """
    query = (
        select(Answer)
        .where(_IS_OPEN, Answer.due_at <= now, Answer.channel == channel)
        .order_by(case((Answer.kind.in_(list(first)), 0), else_=1), Answer.due_at, Answer.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query, execution_options=_FRESH))


def lock_many(session: Session, answer_ids: Iterable[int]) -> dict[int, Answer]:
    """These answers by their ids; nobody else may change them until the transaction ends."""
    query = select(Answer).where(among(Answer.id, answer_ids)).order_by(Answer.id)
    found = session.scalars(query.with_for_update(), execution_options=_FRESH)
    return {answer.id: answer for answer in found}


def said_since_stop(session: Session, answer: Answer, kinds: Iterable[str]) -> bool:
    """Whether another answer of one of these kinds went to this address since it was stopped."""
    theirs = (
        Answer.clinic_id == answer.clinic_id,
        Answer.channel == answer.channel,
        Answer.address == answer.address,
    )
    stopped_at = session.scalar(
        select(Address.suppressed_at).where(
            Address.clinic_id == answer.clinic_id,
            Address.channel == answer.channel,
            Address.address == answer.address,
        )
    )
    since = stopped_at or answer.created_at
    query = select(Answer.id).where(
        *theirs,
        Answer.id != answer.id,
        Answer.created_at >= since - _SAME_MOMENT,
        Answer.kind.in_(list(kinds)),
        Answer.status.in_(_GONE),
    )
    return session.scalar(query.limit(1)) is not None


def is_anothers(session: Session, answer: Answer, provider_id: str) -> bool:
    """Whether the provider's id is that of another answer to the same address."""
    query = select(Answer.id).where(
        Answer.clinic_id == answer.clinic_id,
        Answer.address == answer.address,
        Answer.provider_id == provider_id,
        Answer.id != answer.id,
    )
    return session.scalar(query.limit(1)) is not None
