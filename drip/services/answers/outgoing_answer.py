"""An answer as a provider takes it, or is asked about it."""

from html import escape

from drip.core.answers import ALERT
from drip.core.clinic import Clinic
from drip.core.outgoing import EmailContent, Outgoing, SmsContent, Unsettled
from drip.core.schedule import Channel
from drip.store.schema import Answer


def outgoing(answer: Answer, clinic: Clinic) -> Outgoing:
    """What is handed over for an answer."""
    sms = answer.channel is Channel.SMS
    return Outgoing(
        delivery_id=answer.id,
        attempt_id=answer.attempts,
        channel=answer.channel,
        to=answer.address,
        content=SmsContent(answer.body) if sms else _email(answer, clinic),
        give_up_at=answer.until,
        sender=answer.sender,
        kind="answer",
    )


def _email(answer: Answer, clinic: Clinic) -> EmailContent:
    """A plain email, from the name that a lock screen may show."""
    paragraphs = [*answer.body.strip().split("\n\n"), f"{clinic.public_name}, {clinic.address}"]
    html = "\n".join(f"<p>{escape(each).replace(chr(10), '<br>')}</p>" for each in paragraphs)
    return EmailContent(
        subject=answer.subject or clinic.public_name,
        html=html,
        text="\n\n".join(paragraphs) + "\n",
        from_name=clinic.public_name,
        reply_to=clinic.email,
        to_staff=answer.kind == ALERT,
    )


def unsettled(answer: Answer) -> Unsettled:
    """What a provider is asked about an answer that it may have, or may never have seen."""
    sms = answer.channel is Channel.SMS
    return Unsettled(
        delivery_id=answer.id,
        attempt_id=answer.id,
        to=answer.address,
        body=answer.body if sms else None,
        started_at=answer.sent_at or answer.created_at,
        sender=answer.sender,
        kind="answer",
    )
