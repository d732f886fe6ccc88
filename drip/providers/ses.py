"""What Amazon SES says of emails: bounces, complaints and deliveries, as SNS carries them.

Both of its formats are read: notifications of an identity and events of a configuration set.
"""

import json
from collections.abc import Iterator
from typing import Any

from drip.core.email_events import EmailEvent, EmailFate

_NAME = "ses"


def events_of(message: str) -> list[EmailEvent]:
    """The events in the text of an SNS message; empty for what is none or is of no interest."""
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return []
    if not isinstance(said, dict):
        return []
    kind = said.get("eventType") or said.get("notificationType")
    message_id = _message_id(_dict(said, "mail"))
    return list(_events(kind, said, message_id))


def _events(kind: object, said: dict[str, Any], message_id: str | None) -> Iterator[EmailEvent]:
    if kind == "Bounce":
        bounce = _dict(said, "bounce")
        permanent = bounce.get("bounceType") == "Permanent"
        fate = EmailFate.BOUNCED if permanent else EmailFate.DEFERRED
        for each in _dicts(bounce, "bouncedRecipients"):
            code = _text(each, "status") or _text(bounce, "bounceSubType")
            yield from _event(fate, each.get("emailAddress"), message_id, code)
    elif kind == "Complaint":
        complaint = _dict(said, "complaint")
        # Somebody took it out of the spam: the opposite of a complaint.
        if complaint.get("complaintFeedbackType") != "not-spam":
            code = _text(complaint, "complaintFeedbackType")
            for each in _dicts(complaint, "complainedRecipients"):
                yield from _event(EmailFate.COMPLAINED, each.get("emailAddress"), message_id, code)
    elif kind == "DeliveryDelay":
        delay = _dict(said, "deliveryDelay")
        for each in _dicts(delay, "delayedRecipients"):
            code = _text(each, "status") or _text(delay, "delayType")
            yield from _event(EmailFate.DEFERRED, each.get("emailAddress"), message_id, code)
    elif kind == "Delivery":
        recipients = _dict(said, "delivery").get("recipients")
        for address in recipients if isinstance(recipients, list) else []:
            yield from _event(EmailFate.DELIVERED, address, message_id, None)


def _event(
    fate: EmailFate, address: object, message_id: str | None, code: str | None
) -> Iterator[EmailEvent]:
    if isinstance(address, str) and address:
        yield EmailEvent(_NAME, fate, address, message_id, code)


def _message_id(mail: dict[str, Any]) -> str | None:
    """The Message-ID that we gave; `mail.messageId` itself is SES's own."""
    for header in _dicts(mail, "headers"):
        if str(header.get("name", "")).lower() == "message-id":
            return _text(header, "value")
    return _text(_dict(mail, "commonHeaders"), "messageId")


def _dict(said: dict[str, Any], name: str) -> dict[str, Any]:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def _dicts(said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = said.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _text(said: dict[str, Any], name: str) -> str | None:
    found = said.get(name)
    return found[:100] if isinstance(found, str) and found else None
