"""Deliveries that are being handed over, without a sender: what answers are recorded of."""

import random
from collections.abc import Sequence
from datetime import datetime

from drip.core.delivery import Status
from drip.core.outgoing import Answer, Outgoing, SmsContent
from drip.services.outbound.recording import Answered, record
from drip.store import attempts
from drip.store.engine import writing
from drip.store.moves import DELIVERIES, moving
from drip.store.schema import Delivery
from drip.store.types import among
from tests.services.desk import Desk


def take_off(desk: Desk, rows: Sequence[Delivery], now: datetime) -> list[Outgoing]:
    """Write `sending` and an attempt for each of these, as a worker does before it hands over."""
    ids = [row.id for row in rows]
    with writing(desk.engine) as session:
        session.execute(moving(Status.CLAIMED, now).where(among(DELIVERIES.c.id, ids)))
        sending = moving(Status.SENDING, now, attempts=DELIVERIES.c.attempts + 1, sent_at=now)
        session.execute(sending.where(among(DELIVERIES.c.id, ids)))
        opened = attempts.open(session, [_attempt(row, now) for row in rows])
    return [
        Outgoing(row.id, opened[row.id], row.channel, _to(row), SmsContent("Hello"), row.until)
        for row in rows
    ]


def land(
    desk: Desk,
    rows: Sequence[Delivery],
    going: Sequence[Outgoing],
    answers: Sequence[Answer],
    now: datetime,
) -> None:
    """Record what the provider said of them."""
    answered = [
        Answered(outgoing, row, "texts", answer)
        for row, outgoing, answer in zip(rows, going, answers, strict=True)
    ]
    record(desk.engine, answered, now, random.Random(1))


def fly(desk: Desk, rows: Sequence[Delivery], answer: Answer, now: datetime) -> None:
    """Hand over and record in one go."""
    land(desk, rows, take_off(desk, rows, now), [answer] * len(rows), now)


def _to(row: Delivery) -> str:
    return f"+1212555{100 + row.patient_id:04}"


def _attempt(row: Delivery, now: datetime) -> dict[str, object]:
    return {
        "clinic_id": row.clinic_id,
        "delivery_id": row.id,
        "number": row.attempts + 1,
        "provider": "texts",
        "address": _to(row),
        "subject": None,
        "body": "Hello",
        "started_at": now,
    }
