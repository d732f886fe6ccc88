"""Which clinic got its digest on which day: one each, however many look at the clock."""

from datetime import date, datetime
from typing import cast

from sqlalchemy import Table, delete
from sqlalchemy.orm import Session

from drip.store.inserting import insert_or
from drip.store.schema import Digest

_C = cast(Table, Digest.__table__).c


def begin(session: Session, clinic_id: int, day: date, now: datetime) -> bool:
    """Note that a clinic's digest of its local day goes out now (UTC). False if it did already."""
    statement = insert_or(session, Digest).values(
        clinic_id=clinic_id, day=day.isoformat(), sent_at=now
    )
    added = session.scalars(statement.on_conflict_do_nothing().returning(_C.id))
    return added.first() is not None


def forget(session: Session, clinic_id: int, day: date) -> None:
    """Take that back: it did not go out, and may be tried again."""
    session.execute(delete(Digest).where(_C.clinic_id == clinic_id, _C.day == day.isoformat()))
