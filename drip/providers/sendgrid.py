"""Twilio SendGrid's signed events: who signed them, and what they say of emails."""

import base64
import binascii
import json
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from drip.core.email_events import EmailEvent, EmailFate
from drip.errors import SettingsError

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"

_NAME = "sendgrid"
_FATES = {
    "delivered": EmailFate.DELIVERED,
    "deferred": EmailFate.DEFERRED,
    "bounce": EmailFate.BOUNCED,
    "dropped": EmailFate.DEFERRED,
    "spamreport": EmailFate.COMPLAINED,
}
_DROPPED = {
    "bounced address": EmailFate.BOUNCED,
    "invalid": EmailFate.BOUNCED,
    "spam reporting address": EmailFate.COMPLAINED,
}
"""Why an email was not even tried, where the address is why."""


class NotEventsError(ValueError):
    """The body is no list of events."""


def public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The key as SendGrid's page shows it, base64 on one line. Raises SettingsError."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SettingsError(
            "DRIP_SENDGRID_PUBLIC_KEY is not the verification key: copy it from SendGrid's page "
            '"Event Webhook", "Signature Verification".'
        )
    return key


def is_signed(key: ec.EllipticCurvePublicKey, signature: str, timestamp: str, body: bytes) -> bool:
    """Whether SendGrid signed this body; the other two come in headers."""
    try:
        said = base64.b64decode(signature, validate=True)
        key.verify(said, timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def events_of(body: bytes) -> list[EmailEvent]:
    """The events in a signed body that say what became of emails. Raises NotEventsError."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise NotEventsError("not JSON") from None
    if not isinstance(said, list):
        raise NotEventsError("no list of events")
    found = (_event(each) for each in said if isinstance(each, dict))
    return [each for each in found if each is not None]


def _event(said: dict[str, Any]) -> EmailEvent | None:
    kind, address = said.get("event"), said.get("email")
    fate = _FATES.get(kind) if isinstance(kind, str) else None
    if fate is None or not isinstance(address, str) or not address:
        return None
    reason = _text(said, "reason")
    if kind == "dropped":
        fate = _DROPPED.get((reason or "").lower(), fate)
    elif kind == "bounce" and said.get("type") == "blocked":
        # The server refused it this time; the mailbox may well be there.
        fate = EmailFate.DEFERRED
    code = _text(said, "status") or (reason if kind == "dropped" else None)
    return EmailEvent(_NAME, fate, address, _text(said, "smtp-id"), code)


def _text(said: dict[str, Any], name: str) -> str | None:
    found = said.get(name)
    return found[:100] if isinstance(found, str) and found else None
