"""Answers: what waits to be said, what is being handed over, and what became of it.

While an answer is `sending`, `due_at` is the end of its lease and `sent_at` the moment at which it
was handed over: who finds a lease over knows that the sender died or had no answer.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, bindparam, case, literal_column, select
from sqlalchemy.orm import Session

from drip.core.schedule import Channel
from drip.store.schema import Address, Answer, AnswerStatus
from drip.store.types import among_those

_ANSWERS = cast(Table, Answer.__table__)
_FRESH = {"populate_existing": True}

# As the partial index has it; the value stands in the statement, since SQLite goes by its words.
_IS_OPEN: ColumnElement[bool] = Answer.status.in_(
    [literal_column("'waiting'"), literal_column("'sending'")]
)
_GONE: tuple[AnswerStatus, ...] = ("sending", "accepted", "delivered", "undelivered", "unknown")
"""Handed over, or perhaps: the person may have it."""
_SAME_MOMENT = timedelta(seconds=1)
"""A stop and the word about it are written at the same time, to the second."""


def insert(session: Session, **columns: Any) -> int:
    """Add an answer, given by its columns; gives the id."""
    answer_id: int = session.scalars(_ADD, columns).one()
    return answer_id


_ADD = _ANSWERS.insert().returning(_ANSWERS.c.id)


def get(session: Session, answer_id: int, *, lock: bool = False) -> Answer | None:
    """One answer; with `lock` nobody else may change it until the transaction ends."""
    query = select(Answer).where(Answer.id == answer_id)
    return session.scalar(query.with_for_update() if lock else query, execution_options=_FRESH)


def channels_due(session: Session, now: datetime) -> set[Channel]:
    """On what channels something is to be handed over, or a lease is over, at `now` (UTC)."""
    return set(session.scalars(_CHANNELS, {"now": now}))


_CHANNELS = select(Answer.channel).where(_IS_OPEN, Answer.due_at <= bindparam("now")).distinct()


def due(
    session: Session, channel: Channel, now: datetime, limit: int, first: Iterable[str]
) -> list[Answer]:
    """Lock what waits on a channel and is due, and what is `sending` with a lease that is over.

    Those of the kinds in `first` come before the others, then the longest due. What another
    sender has locked is left to it.
    """
    those = {"channel": channel, "now": now, "first": list(first), "most": limit}
    return list(session.scalars(_DUE, those, execution_options=_FRESH))


_DUE = (
    select(Answer)
    .where(_IS_OPEN, Answer.due_at <= bindparam("now"), Answer.channel == bindparam("channel"))
    .order_by(
        case((among_those(Answer.kind, "first"), 0), else_=1),
        Answer.due_at,
        Answer.id,
    )
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


def lock_many(session: Session, answer_ids: Iterable[int]) -> dict[int, Answer]:
    """These answers by their ids; nobody else may change them until the transaction ends."""
    those = {"ids": list(answer_ids)}
    found = session.scalars(_THOSE, those, execution_options=_FRESH)
    return {answer.id: answer for answer in found}


_THOSE = select(Answer).where(among_those(Answer.id, "ids")).order_by(Answer.id).with_for_update()


def said_since_stop(session: Session, answer: Answer, kinds: Iterable[str]) -> bool:
    """Whether another answer of one of these kinds went to this address since it was stopped."""
    theirs = {
        "clinic": answer.clinic_id,
        "channel": answer.channel,
        "address": answer.address,
    }
    since = session.scalar(_STOPPED_AT, theirs) or answer.created_at
    those = {"id": answer.id, "since": since - _SAME_MOMENT, "kinds": list(kinds)}
    return session.scalar(_SAID_SINCE, {**theirs, **those}) is not None


_STOPPED_AT = select(Address.suppressed_at).where(
    Address.clinic_id == bindparam("clinic"),
    Address.channel == bindparam("channel"),
    Address.address == bindparam("address"),
)
_SAID_SINCE = (
    select(Answer.id)
    .where(
        Answer.clinic_id == bindparam("clinic"),
        Answer.channel == bindparam("channel"),
        Answer.address == bindparam("address"),
        Answer.id != bindparam("id"),
        Answer.created_at >= bindparam("since"),
        among_those(Answer.kind, "kinds"),
        Answer.status.in_(_GONE),
    )
    .limit(1)
)


def is_anothers(session: Session, answer: Answer, provider_id: str) -> bool:
    """Whether the provider's id is that of another answer to the same address."""
    query = select(Answer.id).where(
        Answer.clinic_id == answer.clinic_id,
        Answer.address == answer.address,
        Answer.provider_id == provider_id,
        Answer.id != answer.id,
    )
    return session.scalar(query.limit(1)) is not None
