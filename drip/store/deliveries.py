"""Deliveries: planned, claimed under a lease, handed over, recorded. The heart of the store.

Every status change is made by `drip.store.moves`; a change that comes too late touches no row, and
the answer says which rows it did touch. Instants are UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Update, bindparam, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from drip.core.delivery import HANDED_OVER, NEVER_SENT, Reason, Status, sources_of
from drip.core.schedule import Channel
from drip.store.inserting import insert_all
from drip.store.moves import DELIVERIES, moving, stands
from drip.store.schema import Delivery, Enrollment
from drip.store.types import among, among_those, chosen

_C = DELIVERIES.c
_FRESH = {"populate_existing": True}

PLANNABLE = NEVER_SENT | {Status.SCHEDULED, Status.HELD}
"""Where a plan, or a person, may put a delivery that was not handed over."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a rescue found: how many were given back, and which are now unknown."""

    given_back: int
    unknown: list[int]


# --- Planning -----------------------------------------------------------------------------------


def insert(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add many new deliveries at once. All rows must have the same keys."""
    insert_all(session, Delivery, rows)


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
    those = {"ids": list(ids), "now": now, "reason": reason}
    return set(session.scalars(_moving_those(after), those))


@cache
def _moving_those(after: Status) -> ReturningUpdate[int]:
    """Made once for each status: to make it takes longer than to run it."""
    before = _not_handed_over(after)
    statement = moving(after, bindparam("now"), before=before, reason=bindparam("reason"))
    return statement.where(among_those(_C.id, "ids")).returning(_C.id)


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
    query = _LOCKED_OF_ENROLLMENT if lock else _OF_ENROLLMENT
    return _by_time(session.scalars(query, {"id": enrollment_id}, execution_options=_FRESH))


_OF_ENROLLMENT = select(Delivery).where(Delivery.enrollment_id == bindparam("id"))
# In the order of ids, as every other lock on deliveries.
_LOCKED_OF_ENROLLMENT = _OF_ENROLLMENT.order_by(Delivery.id).with_for_update()


def of_patient(session: Session, patient_id: int) -> list[Delivery]:
    """All deliveries to a patient, of every enrollment, by time."""
    return _by_time(session.scalars(_OF_PATIENT, {"id": patient_id}, execution_options=_FRESH))


_OF_PATIENT = select(Delivery).where(
    Delivery.enrollment_id.in_(
        select(Enrollment.id).where(Enrollment.patient_id == bindparam("id"))
    )
)


def _by_time(rows: Iterable[Delivery]) -> list[Delivery]:
    return sorted(rows, key=attrgetter("due_at", "id"))


# --- Sending ------------------------------------------------------------------------------------


def mark_sending(
    session: Session, ids: Iterable[int], token: str, now: datetime, lease: timedelta
) -> set[int]:
    """Note that these are handed over from now on, and extend the lease to `now + lease`.

    Gives the ids that are ours to send; the others were taken from us and must not be sent.
    """
    ours = {"ids": list(ids), "token": token, "now": now, "lease": now + lease}
    return set(session.scalars(_MARK_SENDING, ours))


# Made once: to make it takes longer than to run it.
_MARK_SENDING = (
    moving(
        Status.SENDING,
        bindparam("now"),
        attempts=_C.attempts + 1,
        sent_at=bindparam("now"),
        lease_until=bindparam("lease"),
    )
    .where(
        among_those(_C.id, "ids"),
        _C.lease_token == bindparam("token"),
        _C.lease_until > bindparam("now"),
    )
    .returning(_C.id)
)


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
    return bool(postpone_all(session, [delivery_id], token, due_at, reason, now))


def postpone_all(
    session: Session,
    ids: Iterable[int],
    token: str,
    due_at: datetime,
    reason: Reason | None,
    now: datetime,
) -> set[int]:
    """Put claimed deliveries off until the same time; gives those that were ours."""
    statement = moving(Status.SCHEDULED, now, before={Status.CLAIMED}, due_at=due_at, reason=reason)
    return _moved(session, statement.where(among(_C.id, ids), _C.lease_token == token))


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
    those = chosen(_C.id, select(lapsed.c.id))
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
    ).where(chosen(_C.id, select(late.c.id)))
    ids = _moved(session, statement)
    if not ids:
        return []
    those = select(Delivery).where(among(Delivery.id, ids))
    return _by_time(session.scalars(those, execution_options=_FRESH))


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
