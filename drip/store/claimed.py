"""What a sender has claimed, with all that decides whether it may go out; read in a few statements.

They are made once: to make them takes longer than to run them, for the few deliveries of a quiet
hour. Rows are plain, since they are read for every message. Instants are UTC.
"""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, case, or_, select
from sqlalchemy.orm import Session

from drip.core.delivery import HANDED_OVER, REACHED, WAITING, Reason, Status
from drip.core.schedule import Channel, Weight
from drip.store.moves import DELIVERIES, stands
from drip.store.schema import Consent, Delivery, Enrollment, EnrollmentStatus, Patient, Wording
from drip.store.types import among_those, chosen

# The tables themselves: what is chosen of models takes a slower way through SQLAlchemy.
_CONSENTS, _ENROLLMENTS, _PATIENTS = (
    cast(Table, model.__table__) for model in (Consent, Enrollment, Patient)
)
_BEHIND = (_PATIENTS, _ENROLLMENTS, DELIVERIES)
_C = DELIVERIES.c


class Claimed(NamedTuple):
    """A claimed delivery, with what its enrollment and its patient are by now.

    `session_at` is the session that the delivery speaks of, `booked_for` the one that the
    enrollment is for. `address` is the patient's on the delivery's channel, and `consented` the
    last word on that channel; None where there is none.
    """

    id: int
    clinic_id: int
    enrollment_id: int
    patient_id: int
    step: str
    message: str
    channel: Channel
    occurrence: int
    weight: Weight
    priority: int
    planned_at: datetime
    due_at: datetime
    until: datetime
    session_at: datetime
    revision: int
    attempts: int
    enrollment_status: EnrollmentStatus
    booked_for: datetime
    no_show_at: datetime | None
    education_paused_at: datetime | None
    schedule: str
    schedule_version: int
    route: str | None
    sequence: int
    name: str
    language: str
    timezone: str | None
    wording: Wording
    address: str | None
    consented: bool | None


Known = Claimed | Delivery
"""A delivery, with or without what is behind it."""


class Reachable(NamedTuple):
    """The addresses of a patient."""

    clinic_id: int
    phone: str | None
    email: str | None


class Beside(NamedTuple):
    """What another delivery of a patient has to say to one that may go out; times in UTC."""

    patient_id: int
    enrollment_id: int
    step: str
    occurrence: int
    message: str
    weight: Weight
    status: Status
    reason: Reason | None
    due_at: datetime
    session_at: datetime
    sent_at: datetime | None

    @property
    def waiting(self) -> bool:
        """Whether it is still meant to be sent."""
        return self.status in WAITING

    @property
    def reached_patient(self) -> bool:
        """Whether the patient has, or may have, read it."""
        return self.status in REACHED

    @property
    def went_at(self) -> datetime:
        """When it went out, or is to."""
        return self.sent_at if self.status in HANDED_OVER and self.sent_at else self.due_at


def addresses(session: Session, ids: Iterable[int], token: str, now: datetime) -> list[Reachable]:
    """The addresses of the patients of those of `ids` that are still claimed under `token`."""
    ours = {"ids": list(ids), "token": token, "now": now}
    return [Reachable._make(row) for row in session.execute(_ADDRESSES, ours)]


def lock(session: Session, ids: Iterable[int], token: str, now: datetime) -> list[Claimed]:
    """Those of `ids` that are still claimed under `token`, the more important first.

    Nobody else may change them until the transaction ends. They are locked in the order of
    their ids, as by everybody, and after the addresses of their patients.
    """
    ours = {"ids": list(ids), "token": token, "now": now}
    rows = [Claimed._make(row) for row in session.execute(_OURS, ours)]
    return sorted(rows, key=attrgetter("priority", "due_at", "id"))


_CLAIMED = (
    among_those(_C.id, "ids"),
    stands(Status.CLAIMED),
    _C.lease_token == bindparam("token"),
    _C.lease_until > bindparam("now"),
)
_ADDRESSES = select(_PATIENTS.c.clinic_id, _PATIENTS.c.phone, _PATIENTS.c.email).where(
    chosen(_PATIENTS.c.id, select(_C.patient_id).where(*_CLAIMED))
)
_LAST_WORD = (
    select(_CONSENTS.c.given)
    .where(_CONSENTS.c.patient_id == _C.patient_id, _CONSENTS.c.channel == _C.channel)
    .order_by(_CONSENTS.c.at.desc(), _CONSENTS.c.id.desc())
    .limit(1)
    .correlate(DELIVERIES)
    .scalar_subquery()
)
_COLUMNS = {
    **{column.name: column for table in _BEHIND for column in table.c},
    "enrollment_status": _ENROLLMENTS.c.status,
    "booked_for": _ENROLLMENTS.c.session_at,
    "address": case((_C.channel == Channel.SMS, _PATIENTS.c.phone), else_=_PATIENTS.c.email),
    "consented": _LAST_WORD,
}
_OURS = (
    select(*(_COLUMNS[name] for name in Claimed._fields))
    .join_from(DELIVERIES, _ENROLLMENTS, _ENROLLMENTS.c.id == _C.enrollment_id)
    .join(_PATIENTS, _PATIENTS.c.id == _C.patient_id)
    .where(*_CLAIMED)
    .order_by(_C.id)
    .with_for_update(of=DELIVERIES)
)


def beside(
    session: Session,
    patient_ids: Iterable[int],
    *,
    around: tuple[datetime, datetime] | None = None,
    steps: Iterable[str] = (),
) -> dict[int, list[Beside]]:
    """What each of these patients has had or is to have, of every enrollment, by time.

    With `around` only what the patient got or is to get between these two instants, and `steps`
    at any time, in no order: that is read for every patient of every batch.
    """
    those: dict[str, Any] = {"patients": list(patient_ids)}
    if around is not None:
        those |= {"from": around[0], "to": around[1], "steps": list(steps)}
    found: dict[int, list[Beside]] = {}
    for row in session.execute(_BESIDE if around is None else _AROUND, those):
        found.setdefault(row.patient_id, []).append(Beside._make(row))
    return found


_BESIDE = (
    select(*(getattr(_C, name) for name in Beside._fields))
    .where(
        chosen(
            _C.enrollment_id,
            select(_ENROLLMENTS.c.id).where(among_those(_ENROLLMENTS.c.patient_id, "patients")),
        )
    )
    .order_by(_C.due_at, _C.id)
)
_AROUND = _BESIDE.order_by(None).where(
    _C.status.in_(sorted(WAITING | REACHED)),
    or_(
        _C.due_at.between(bindparam("from"), bindparam("to")),
        _C.sent_at.between(bindparam("from"), bindparam("to")),
        among_those(_C.step, "steps"),
    ),
)
