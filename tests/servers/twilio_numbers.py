"""Twilio's test numbers, and what else it refuses at once."""

import re

REFUSED_TO = {
    "+15005550001": (21211, "The 'To' number is not a valid phone number."),
    "+15005550002": (21612, "The 'To' phone number cannot be reached from the 'From' number."),
    "+15005550003": (21408, "Permission to send to this region has not been enabled."),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient."),
    "+15005550009": (21614, "The 'To' number is not a valid mobile number."),
}
REFUSED_FROM = {
    "+15005550001": (21212, "The 'From' number is not a valid phone number."),
    "+15005550007": (21606, "The 'From' number is not SMS-capable."),
    "+15005550008": (21611, "The 'From' number has a full queue."),
}


def refusal_of(form: dict[str, str]) -> tuple[int, str] | None:
    """Why Twilio would not take a text, if it would not."""
    to, body = form.get("To", ""), form.get("Body", "")
    sender = form.get("From", "")
    if not sender and not form.get("MessagingServiceSid"):
        return 21603, "A 'From' phone number is required."
    if to in REFUSED_TO:
        return REFUSED_TO[to]
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", to):
        return 21211, "The 'To' number is not a valid phone number."
    if sender in REFUSED_FROM:
        return REFUSED_FROM[sender]
    if not body:
        return 21602, "Message body is required."
    return (21617, "The message body is too long.") if len(body) > 1600 else None
