"""The services that carry emails, and what they say of the emails of a house."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine

from drip.core.outgoing import Accepted
from drip.core.schedule import Channel
from drip.providers.sendgrid import SIGNATURE, TIMESTAMP
from drip.providers.sns import Sns, fetch
from drip.store import patients
from drip.store.engine import reading
from drip.store.schema import Receipt
from drip.web.email_hooks import sns_of
from tests.web.amazon import (
    TOPIC,
    Amazon,
    amazon_at,
    lead_here,
)
from tests.web.email_house import FROM, EmailHouse, email_house

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()
ANN = "patient1@example.com"


@contextmanager
def mail_house(engine: Engine, amazon: Amazon, patch: pytest.MonkeyPatch) -> Iterator[EmailHouse]:
    """A house whose SNS is on this machine."""
    amazon.fetched.clear()
    lead_here(patch)
    with (
        amazon_at(amazon) as (port, tls),
        email_house(engine, ses_topic_arn=TOPIC, sendgrid_public_key=PUBLIC) as opened,
    ):
        sns = Sns(TOPIC, partial(fetch, tls=tls, port=port))
        opened.served.dependency_overrides[sns_of] = lambda: sns
        opened.desk.email.answer = lambda outgoing, _: Accepted(
            f"<drip-delivery-{outgoing.delivery_id}@example.com>"
        )
        yield opened


def by_ses(house: EmailHouse, message: dict[str, Any]) -> httpx.Response:
    """Post a message of SNS."""
    headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-topic-arn": TOPIC}
    return house.web.post("/webhooks/ses", content=json.dumps(message), headers=headers)


def by_sendgrid(house: EmailHouse, events: object, **changed: str) -> httpx.Response:
    """Post events, signed unless `changed` changes the headers."""
    body = (json.dumps(events) if not isinstance(events, bytes) else events.decode()).encode()
    timestamp = "1764601200"
    signature = KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    headers = {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: timestamp, **changed}
    return house.web.post("/webhooks/sendgrid", content=body, headers=headers)


def message_id(house: EmailHouse) -> str:
    """The Message-ID of the last email."""
    return house.mail()["Message-ID"]


def of_ses(
    house: EmailHouse | None, kind: str, address: str = ANN, **inside: object
) -> dict[str, Any]:
    """What SES says of the last email."""
    known: dict[str, dict[str, Any]] = {
        "Bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [
                {"emailAddress": address, "status": "5.1.1", "diagnosticCode": "smtp; 550"}
            ],
        },
        "Complaint": {
            "complainedRecipients": [{"emailAddress": address}],
            "complaintFeedbackType": "abuse",
        },
        "Delivery": {"recipients": [address]},
    }
    said = {**known[kind], **inside}
    mail: dict[str, Any] = {"messageId": "0100017-of-ses", "destination": [address]}
    if house is not None:
        mail["headers"] = [
            {"name": "From", "value": FROM},
            {"name": "Message-ID", "value": message_id(house)},
        ]
    return {"notificationType": kind, kind.lower(): said, "mail": mail}


def of_sendgrid(house: EmailHouse | None, event: str, **also: object) -> dict[str, object]:
    """What SendGrid says of the last email; without a house it does not say of which."""
    said: dict[str, object] = {"email": ANN, "event": event, "timestamp": 1764601200, **also}
    return said if house is None else {"smtp-id": message_id(house), **said}


def suppressed(house: EmailHouse, address: str = ANN) -> str | None:
    """Why a mailbox gets nothing more; None where it does."""
    pair = (Channel.EMAIL, address)
    with reading(house.desk.engine) as session:
        return patients.suppressed(session, house.desk.scope.clinic_id, [pair]).get(pair)


def state(house: EmailHouse) -> object:
    """All that a webhook might change."""
    with reading(house.desk.engine) as session:
        receipts = session.query(Receipt).count()
    stands = [(row.id, row.status, row.reason, row.updated_at) for row in house.desk.rows()]
    tasks = [(task.id, task.status) for task in house.desk.tasks()]
    return receipts, stands, tasks, house.ledger(), suppressed(house)
