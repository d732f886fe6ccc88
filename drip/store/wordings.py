"""Wordings: the ledger of how patients want to be spoken to, discreet or plain."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from drip.store.inserting import insert_all
from drip.store.schema import Wording, WordingChoice
from drip.store.types import among

WEB = "web"
"""How a patient chooses on the page of preferences; any other word is where a booking came from."""


def add(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add to the ledger. All rows must have the same keys."""
    insert_all(session, WordingChoice, rows)


def of_patient(session: Session, patient_id: int) -> list[WordingChoice]:
    """All that a patient ever chose, first to last."""
    query = select(WordingChoice).where(WordingChoice.patient_id == patient_id)
    return list(session.scalars(query.order_by(WordingChoice.at, WordingChoice.id)))


def last_booked(session: Session, patient_ids: Iterable[int]) -> dict[int, Wording]:
    """What the last booking of each of these patients chose, whatever they chose since."""
    those = (among(WordingChoice.patient_id, patient_ids), WordingChoice.how != WEB)
    last = select(func.max(WordingChoice.id)).where(*those).group_by(WordingChoice.patient_id)
    query = select(WordingChoice.patient_id, WordingChoice.wording)
    return dict(session.execute(query.where(WordingChoice.id.in_(last))).all())
