"""Deliveries: planned, claimed under a lease, handed over, recorded. The heart of the store.

Every status change is made by `drip.store.moves`; a change that comes too late touches no row, and
the answer says which rows it did touch. Instants are UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, bindparam, func, select, union_all
from sqlalchemy.orm import Session

from drip.core.delivery import HANDED_OVER, NEVER_SENT, Reason, Status, sources_of
from drip.core.schedule import Channel
from drip.store import patients
from drip.store.moves import DELIVERIES, moving, stands
from drip.store.schema import PRIORITIES, Delivery
from drip.store.types import among

_C = DELIVERIES.c
_FRESH = {"populate_existing": True}

PLANNABLE = NEVER_SENT | {Status.SCHEDULED, Status.HELD}
"""Where a plan, or a person, may put a delivery that was not handed over."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a delivery that was handed over: where it goes, and what is known of it.

    `due_at` (UTC) is needed with `scheduled`: when to try again.
    """

    delivery_id: int
    status: Status
    provider: str | None = None
    provider_id: str | None = None
    due_at: datetime | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a rescue found: how many were given back, and which are now unknown."""

    given_back: int
    unknown: list[int]


# --- Planning -----------------------------------------------------------------------------------


def insert(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add many new deliveries at once. All rows must have the same keys."""
    if rows:
        session.execute(DELIVERIES.insert(), list(rows))


def replan(session: Session, rows: Sequence[Mapping[str, Any]], now: datetime) -> set[int]:
    """Give deliveries that were not handed over a new place in the plan.

    Each row has `id`, `status` (see PLANNABLE) and any other columns to set (`reason`,
    `planned_at`, `due_at`, `until`, `session_at`, `revision`, ...), the same ones in every row.
    A claimed delivery is taken from its worker. Gives the ids that were changed: one that is
    missing has been handed over meanwhile.
    """
    stood = _lock(session, [row["id"] for row in rows])
    free = [row for row in rows if stood.get(row["id"], Status.SENDING) not in HANDED_OVER]
    # What had ended is first planned anew, and then perhaps skipped again for a new reason.
    ended = [row["id"] for row in free if stood[row["id"]] in NEVER_SENT - {row["status"]}]
    move(session, ended, Status.SCHEDULED, now)
    for after, some in groupby(sorted(free, key=itemgetter("status")), key=itemgetter("status")):
        before = _not_handed_over(after) | {after}
        _execute_each(session, moving(after, now, before=before), list(some))
    return {row["id"] for row in free}


def move(
    session: Session, ids: Iterable[int], after: Status, now: datetime, reason: Reason | None = None
) -> set[int]:
    """Put deliveries that were not handed over elsewhere (see PLANNABLE), all for one reason.

    Gives the ids that moved: not those that may not go there, or were handed over meanwhile.
    """
    statement = moving(after, now, before=_not_handed_over(after), reason=reason)
    return _moved(session, statement.where(among(_C.id, ids)))


def _not_handed_over(after: Status) -> frozenset[Status]:
    if after not in PLANNABLE:
        raise ValueError(f"a plan cannot put a delivery to {after}")
    return sources_of(after) - HANDED_OVER


# --- Reading ------------------------------------------------------------------------------------


def get(session: Session, delivery_id: int) -> Delivery | None:
    """One delivery, as it stands."""
    return session.get(Delivery, delivery_id, populate_existing=True)


def of_enrollment(session: Session, enrollment_id: int, *, lock: bool = False) -> list[Delivery]:
    """All deliveries of an enrollment, by time; with `lock` nobody else may change them."""
    query = select(Delivery).where(Delivery.enrollment_id == enrollment_id)
    if lock:
        # In the order of ids, as every other lock on deliveries, before they are read by time.
        session.execute(
            query.with_only_columns(Delivery.id).order_by(Delivery.id).with_for_update()
        )
    return _load(session, query)


def of_patient(session: Session, patient_id: int) -> list[Delivery]:
    """All deliveries to a patient, of every enrollment, by time."""
    return _load(session, select(Delivery).where(Delivery.patient_id == patient_id))


def of_patients(session: Session, patient_ids: Iterable[int]) -> list[Delivery]:
    """All deliveries to these patients, by time."""
    return _load(session, select(Delivery).where(among(Delivery.patient_id, patient_ids)))


def _load(session: Session, query: Select[Delivery]) -> list[Delivery]:
    ordered = query.order_by(Delivery.due_at, Delivery.id)
    return list(session.scalars(ordered, execution_options=_FRESH))


# --- Sending ------------------------------------------------------------------------------------


def claim(
    session: Session,
    now: datetime,
    *,
    limit: int,
    lease: timedelta,
    token: str,
    channel: Channel | None = None,
) -> list[int]:
    """Take up to `limit` due deliveries until `now + lease`: essential first, then by time.

    No two claims get the same row. Gives the ids in that order.
    """
    claimed: list[int] = []
    for priority in sorted(PRIORITIES.values()):
        if room := limit - len(claimed):
            # A priority at a time, so that the index `deliveries_due` gives the order.
            due = (
                select(_C.id)
                .where(stands(Status.SCHEDULED), _C.priority == priority, _C.due_at <= now)
                .order_by(_C.due_at, _C.id)
                .limit(room)
                .with_for_update(skip_locked=True)
            )
            if channel is not None:
                due = due.where(_C.channel == channel)
            # As a CTE: PostgreSQL may run a bare subquery twice and claim more than the limit.
            statement = (
                moving(Status.CLAIMED, now, lease_token=token, lease_until=now + lease)
                .where(_C.id.in_(select(due.cte("due").c.id)))
                .returning(_C.due_at, _C.id)
            )
            claimed += [row.id for row in sorted(session.execute(statement))]
    return claimed


def load_claimed(session: Session, ids: Iterable[int], token: str, now: datetime) -> list[Delivery]:
    """Those of `ids` that are still claimed under `token`, in the order of a claim."""
    query = select(Delivery).where(*_ours(ids, token, now))
    ordered = query.order_by(Delivery.priority, Delivery.due_at, Delivery.id)
    return list(session.scalars(ordered, execution_options=_FRESH))


def lock_claimed(session: Session, ids: Iterable[int], token: str, now: datetime) -> list[Delivery]:
    """The same, and nobody else may change them, or send to their patients, meanwhile.

    The addresses are locked first and the deliveries in the order of their ids, as by everybody.
    """
    ours = _ours(ids, token, now)
    patients.lock_addresses_of(session, session.scalars(select(_C.patient_id).where(*ours)))
    session.execute(select(_C.id).where(*ours).order_by(_C.id).with_for_update())
    return load_claimed(session, ids, token, now)


def mark_sending(
    session: Session, ids: Iterable[int], token: str, now: datetime, lease: timedelta
) -> set[int]:
    """Note that these are handed over from now on, and extend the lease to `now + lease`.

    Gives the ids that are ours to send; the others were taken from us and must not be sent.
    """
    statement = moving(
        Status.SENDING,
        now,
        attempts=_C.attempts + 1,
        sent_at=now,
        lease_until=now + lease,
    ).where(among(_C.id, ids), _C.lease_token == token, _C.lease_until > now)
    return _moved(session, statement)


def give_back(session: Session, ids: Iterable[int], token: str, now: datetime) -> set[int]:
    """Let go of deliveries that are still claimed under `token`: anybody may claim them."""
    statement = moving(Status.SCHEDULED, now, before={Status.CLAIMED})
    return _moved(session, statement.where(among(_C.id, ids), _C.lease_token == token))


def end_claimed(
    session: Session, delivery_id: int, token: str, status: Status, reason: Reason, now: datetime
) -> bool:
    """Make a claimed delivery `skipped`, `expired`, `cancelled` or `held`; tell if it was ours."""
    statement = moving(status, now, before={Status.CLAIMED}, reason=reason)
    return bool(_moved(session, statement.where(_C.id == delivery_id, _C.lease_token == token)))


def postpone(
    session: Session,
    delivery_id: int,
    token: str,
    due_at: datetime,
    reason: Reason | None,
    now: datetime,
) -> bool:
    """Put a claimed delivery off until `due_at`; tell if it was ours."""
    statement = moving(Status.SCHEDULED, now, before={Status.CLAIMED}, due_at=due_at, reason=reason)
    return bool(_moved(session, statement.where(_C.id == delivery_id, _C.lease_token == token)))


def _ours(ids: Iterable[int], token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """That deliveries are still claimed under `token`."""
    held = stands(Status.CLAIMED), _C.lease_token == token, _C.lease_until > now
    return among(_C.id, ids), *held


# --- Recording ----------------------------------------------------------------------------------


def record(session: Session, results: Sequence[Result], now: datetime) -> set[int]:
    """Write down what providers, receipts and settlements said of deliveries.

    No lease is asked for: an answer is kept even if it comes late. Gives the ids that moved; the
    others had gone further already. Raises ValueError for a status that is no answer.
    """
    stood = _lock(session, [result.delivery_id for result in results])
    moved = set()
    status = attrgetter("status")
    for after, some in groupby(sorted(results, key=status), key=status):
        before = sources_of(after) & HANDED_OVER
        batch = [result for result in some if stood.get(result.delivery_id) in before]
        statement = moving(
            after,
            now,
            before=before,
            provider=func.coalesce(bindparam("by"), _C.provider),
            provider_id=func.coalesce(bindparam("known_as"), _C.provider_id),
        )
        _execute_each(session, statement, [_columns(result) for result in batch])
        moved |= {result.delivery_id for result in batch}
    return moved


def _columns(result: Result) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "id": result.delivery_id,
        "by": result.provider,
        "known_as": result.provider_id,
        "reason": result.reason,
    }
    if result.status is Status.SCHEDULED:
        if result.due_at is None:
            raise ValueError("a delivery that is tried again needs a due_at")
        columns["due_at"] = result.due_at
    return columns


def ask_later(session: Session, ids: Iterable[int], now: datetime) -> None:
    """Put unknown deliveries at the end of the line: the provider could not say yet."""
    statement = moving(Status.UNKNOWN, now, before={Status.UNKNOWN})
    session.execute(statement.where(among(_C.id, ids)))


# --- Keeping house ------------------------------------------------------------------------------


def rescue(session: Session, now: datetime) -> Rescued:
    """Take care of deliveries whose worker let the lease lapse.

    A claimed one goes back, a sending one becomes `unknown`: it may have reached the patient.
    """
    lapsed = (
        select(_C.id)
        .where(stands(Status.CLAIMED, Status.SENDING), _C.lease_until <= now)
        .with_for_update(skip_locked=True)
        .cte("lapsed")
    )
    those = _C.id.in_(select(lapsed.c.id))
    back = moving(Status.SCHEDULED, now, before={Status.CLAIMED}).where(those)
    lost = moving(Status.UNKNOWN, now, before={Status.SENDING}, reason=Reason.NO_ANSWER)
    # Unknown since the lease ended, however long nobody looked: so it is asked for at once.
    lost = lost.where(those).values(updated_at=_C.lease_until)
    return Rescued(len(_moved(session, back)), sorted(_moved(session, lost)))


def expire(session: Session, now: datetime, *, limit: int = 1000) -> list[Delivery]:
    """End up to `limit` scheduled and held deliveries whose `until` is past; these are given."""
    waiting = stands(Status.SCHEDULED, Status.HELD)
    late = (
        select(_C.id)
        .where(waiting, _C.until <= now)
        .order_by(_C.until)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("late")
    )
    statement = moving(
        Status.EXPIRED,
        now,
        before={Status.SCHEDULED, Status.HELD},
        reason=Reason.UNTIL_PASSED,
    ).where(_C.id.in_(select(late.c.id)))
    ids = _moved(session, statement)
    return _load(session, select(Delivery).where(among(Delivery.id, ids))) if ids else []


def unknown(
    session: Session,
    *,
    before: datetime,
    limit: int,
    channel: Channel | None = None,
    sent_after: datetime | None = None,
) -> list[Delivery]:
    """Deliveries whose outcome is not known and was not asked for since `before`, longest first.

    With `sent_after` only those that were handed over after it.
    """
    query = select(Delivery).where(stands(Status.UNKNOWN), Delivery.updated_at <= before)
    if channel is not None:
        query = query.where(Delivery.channel == channel)
    if sent_after is not None:
        query = query.where(Delivery.sent_at > sent_after)
    ordered = query.order_by(Delivery.updated_at, Delivery.id).limit(limit)
    return list(session.scalars(ordered, execution_options=_FRESH))


def next_due_at(session: Session) -> datetime | None:
    """When the next delivery is due, also if that is past; None if none is scheduled."""
    earliest = union_all(
        *(
            select(func.min(_C.due_at)).where(stands(Status.SCHEDULED), _C.priority == priority)
            for priority in PRIORITIES.values()
        )
    )
    return min((at for at in session.scalars(earliest) if at is not None), default=None)


def oldest_due(session: Session, now: datetime) -> datetime | None:
    """The due time of the delivery that has waited longest to be claimed; None if none waits."""
    due_at = next_due_at(session)
    return due_at if due_at is not None and due_at <= now else None


def counts(session: Session, clinic_id: int) -> dict[Status, int]:
    """How many deliveries stand where; a status without any is left out."""
    query = select(Delivery.status, func.count()).where(Delivery.clinic_id == clinic_id)
    return dict(session.execute(query.group_by(Delivery.status)).all())


# --- How rows are written -----------------------------------------------------------------------


def _lock(session: Session, ids: list[int]) -> dict[int, Status]:
    """Lock these deliveries, in the order of their ids, and say where they stand."""
    query = select(_C.id, _C.status).where(among(_C.id, ids)).order_by(_C.id).with_for_update()
    return dict(session.execute(query).all())


def _moved(session: Session, statement: Update) -> set[int]:
    return set(session.scalars(statement.returning(_C.id)))


def _execute_each(session: Session, statement: Update, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run an UPDATE for each row by its `id`; the row's other keys are set, or parameters."""
    if rows:
        one = statement.where(_C.id == bindparam("row_id"))
        session.execute(one, [{**_without_status(row), "row_id": row["id"]} for row in rows])


def _without_status(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("id", "status")}
