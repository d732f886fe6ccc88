"""What the services that carry emails tell us: Amazon SES through SNS, and Twilio SendGrid.

A request counts only if the service signed it; any other is 403 and counted. Each event is taken
in once, so that a request that comes again, or is played back, changes nothing.
"""

from functools import lru_cache
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request, Response

from drip.providers import sendgrid, ses
from drip.providers.sns import ForgedError, NotSnsError, Sns
from drip.services import metrics
from drip.services.receipts.bounces import take_in
from drip.web.desk import Desk

router = APIRouter(tags=["webhooks"])
log = structlog.get_logger(__name__)


async def _body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_body)]
"""The body as it came, which is what is signed."""


async def sns_of(desk: Desk) -> Sns | None:
    """The reader of the topic that the settings name; it keeps the certificates it has seen."""
    topic = desk.settings.ses_topic_arn
    return None if topic is None else _reader(topic)


_reader = lru_cache(maxsize=8)(Sns)


def _answer(kind: str, outcome: str, status: int) -> Response:
    metrics.webhook(kind, outcome)
    if status != 204:
        log.warning("webhook.refused", kind=kind, outcome=outcome)
    return Response(status_code=status)


@router.post("/webhooks/ses", status_code=204, response_class=Response)
def from_ses(
    desk: Desk,
    body: Body,
    sns: Annotated[Sns | None, Depends(sns_of)],
) -> Response:
    """A message of the topic that carries what SES says; a new subscription is confirmed."""
    if sns is None:
        return _answer("ses", "off", 404)
    try:
        said = sns.read(body, desk.clock())
        if said["Type"] == "SubscriptionConfirmation":
            sns.confirm(said)
            return _answer("ses", "confirmed", 204)
    except NotSnsError:
        return _answer("ses", "unreadable", 400)
    except ForgedError:
        return _answer("ses", "forged", 403)
    except OSError:
        return _answer("ses", "away", 503)
    if said["Type"] == "Notification":
        take_in(desk.engine, desk.content, ses.events_of(said.get("Message", "")), desk.clock())
    return _answer("ses", "taken", 204)


@router.post("/webhooks/sendgrid", status_code=204, response_class=Response)
def from_sendgrid(request: Request, desk: Desk, body: Body) -> Response:
    """A list of events, signed with the key that the settings hold."""
    if desk.settings.sendgrid_public_key is None:
        return _answer("sendgrid", "off", 404)
    signature = request.headers.get(sendgrid.SIGNATURE, "")
    timestamp = request.headers.get(sendgrid.TIMESTAMP, "")
    key = sendgrid.public_key(desk.settings.sendgrid_public_key)
    if not sendgrid.is_signed(key, signature, timestamp, body):
        return _answer("sendgrid", "forged", 403)
    try:
        events = sendgrid.events_of(body)
    except sendgrid.NotEventsError:
        return _answer("sendgrid", "unreadable", 400)
    take_in(desk.engine, desk.content, events, desk.clock())
    return _answer("sendgrid", "taken", 204)
