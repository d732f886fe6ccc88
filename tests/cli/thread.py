"""A thread with a patient: replies, answers and receipts put straight into the database."""

from datetime import datetime, timedelta
from typing import Any

from drip.app import App
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel
from drip.store import tasks
from drip.store.engine import reading, writing
from drip.store.schema import Answer, Receipt, Reply, Row
from tests.cli.conftest import Drip

ANA = "+12125550101"
OURS = "+12125550190"


def add_reply(
    drip: Drip,
    body: str,
    reply_class: ReplyClass = ReplyClass.OTHER,
    *,
    address: str = ANA,
    at: datetime | None = None,
    **columns: Any,
) -> int:
    """A reply that came from a phone, now if not said otherwise; gives the id."""
    values = {"stop": False, "clinic_id": 1, "provider": "twilio", "sender": OURS, **columns}
    received_at = at or drip.now
    number = _count(drip, Reply) + 1
    reply = Reply(
        provider_id=f"SM{number:032}",
        address=address,
        body=body,
        received_at=received_at,
        reply_class=reply_class,
        **values,
    )
    return _add(reply)


def add_answer(
    drip: Drip,
    body: str,
    kind: str = "other",
    *,
    address: str = ANA,
    channel: Channel = Channel.SMS,
    at: datetime | None = None,
    **columns: Any,
) -> int:
    """An answer that a provider took, now if not said otherwise; gives the id."""
    said_at = at or drip.now
    values = {"by_whom": "drip", "status": "accepted", "sent_at": said_at, **columns}
    answer = Answer(
        clinic_id=1,
        kind=kind,
        channel=channel,
        address=address,
        body=body,
        due_at=said_at,
        until=said_at + timedelta(hours=12),
        created_at=said_at,
        **values,
    )
    return _add(answer)


def add_receipt(drip: Drip, delivery_id: int, status: str, code: str | None = None) -> int:
    """A provider's later word about a delivery; gives the id."""
    receipt = Receipt(
        clinic_id=1,
        delivery_id=delivery_id,
        provider="twilio",
        provider_id="SM1",
        status=status,
        code=code,
        received_at=drip.now,
    )
    return _add(receipt)


def add_task(drip: Drip, says: str, **columns: Any) -> int:
    """A task that opens now; gives the id."""
    key = f"test:{_count(drip, Reply)}:{says}"
    values = {"key": key, "kind": "reply", "now": drip.now, **columns}
    with writing(App.from_environment().engine) as session:
        return tasks.open_task(session, 1, says=says, **values).id


def answers(drip: Drip) -> list[Answer]:
    """All answers, as they stand."""
    with reading(App.from_environment().engine) as session:
        found = session.query(Answer).order_by(Answer.id).all()
    drip.close()
    return found


def _add(row: Row) -> int:
    with writing(App.from_environment().engine) as session:
        session.add(row)
        session.flush()
        return row.id


def _count(drip: Drip, table: type[Row]) -> int:
    with reading(App.from_environment().engine) as session:
        found = session.query(table).count()
    drip.close()
    return found
