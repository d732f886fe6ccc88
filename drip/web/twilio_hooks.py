"""Twilio's webhooks: what became of a text, and what somebody wrote (rules.md, "Twilio")."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from drip.core.inbound import InboundText, ReceiptWord
from drip.services import metrics
from drip.services.answers import answering
from drip.services.inbound import hearing
from drip.web.desk import Answers, Desk, Receipts

Form = ImmutableMultiDict[str, str]

PREFIX = "/webhooks/twilio"
_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
_LONGEST_ID = 64
_MOST_PICTURES = 99
_OPTED = frozenset({"STOP", "START", "HELP"})
_BIG = 2**63 - 1

router = APIRouter(prefix=PREFIX, tags=["twilio"])


# --- Whose request it is --------------------------------------------------------------------------


def _signed(kind: str) -> Callable[..., Awaitable[Form]]:
    """The form of a request that Twilio signed; anything else is refused with 403 and counted."""

    async def form_of(request: Request, desk: Desk) -> Form:
        form = form_in(await request.body())
        token, public_url = desk.settings.twilio_auth_token, desk.settings.public_url
        signature = request.headers.get("x-twilio-signature", "")
        if token is None or public_url is None:
            metrics.webhook(kind, "not_set_up")
        elif not signature:
            metrics.webhook(kind, "unsigned")
        elif not _validator(token.reveal()).validate(_url(public_url, request), form, signature):
            metrics.webhook(kind, "forged")
        else:
            return form
        raise HTTPException(403, "This is for Twilio, which signs what it sends.")

    return form_of


def form_in(body: bytes) -> Form:
    """The fields of a form, in order, doubled ones too; what is not UTF-8 is replaced."""
    text = body.decode("utf-8", "replace")
    return ImmutableMultiDict(parse_qsl(text, keep_blank_values=True, errors="replace"))


def _url(public_url: str, request: Request) -> str:
    """The address that Twilio called: by the settings, since a proxy may show us another."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return public_url + (path + (b"?" + query if query else b"")).decode("latin-1")


@lru_cache(maxsize=4)
def _validator(token: str) -> RequestValidator:
    return RequestValidator(token)


# --- What it says ---------------------------------------------------------------------------------


def receipt_in(form: Form) -> ReceiptWord | None:
    """The receipt in a form; None where it does not say of which message, or what."""
    sid = _id(form, "MessageSid", "SmsSid")
    status = _id(form, "MessageStatus", "SmsStatus")
    if sid is None or status is None:
        return None
    code = _id(form, "ErrorCode")
    return ReceiptWord("twilio", sid, status.lower(), None if code == "0" else code)


def text_in(form: Form) -> InboundText | None:
    """The text in a form; None where it does not say which it is, or whose."""
    sid = _id(form, "MessageSid", "SmsSid", "SmsMessageSid")
    address = _id(form, "From")
    if sid is None or address is None:
        return None
    opted = (_id(form, "OptOutType") or "").upper()
    pictures = _id(form, "NumMedia") or "0"
    return InboundText(
        provider="twilio",
        provider_id=sid,
        address=address,
        sender=_id(form, "To") or "",
        body=_clean(form.get("Body", "")),
        media=min(int(pictures), _MOST_PICTURES) if pictures.isdecimal() else 0,
        opted=opted if opted in _OPTED else None,
    )


def _id(form: Form, *names: str) -> str | None:
    """The first of these fields that has something; what is too long for any of them is nothing."""
    for name in names:
        value = _clean(form.get(name, "")).strip()
        if value and len(value) <= _LONGEST_ID:
            return value
    return None


def _clean(value: str) -> str:
    """Without NUL, which no database keeps in a text."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}")


# --- The end points -------------------------------------------------------------------------------


def _described(*fields: str) -> dict[str, Any]:
    """How the description of the service tells of a form that Twilio posts."""
    properties = {name: {"type": "string"} for name in fields}
    form = {"schema": {"type": "object", "properties": properties}}
    return {
        "requestBody": {"content": {"application/x-www-form-urlencoded": form}},
        "parameters": [
            {"name": "X-Twilio-Signature", "in": "header", "schema": {"type": "string"}}
        ],
    }


_REFUSALS: dict[int | str, dict[str, Any]] = {
    403: {"description": "It is not signed by Twilio."},
    413: {"description": "It is too long."},
    503: {"description": "The database is away."},
}
_OF_RECEIPT = _described("MessageSid", "MessageStatus", "ErrorCode")
_OF_TEXT = _described("MessageSid", "From", "To", "Body", "NumMedia", "OptOutType")

Id = Annotated[int, Path(ge=0, le=_BIG)]
"""The id of a delivery, or of an answer, which stands in the address that Twilio was given."""


@router.post("/status/{delivery_id}/", status_code=204, include_in_schema=False)
@router.post(
    "/status/{delivery_id}", status_code=204, responses=_REFUSALS, openapi_extra=_OF_RECEIPT
)
async def status(
    delivery_id: Id,
    form: Annotated[Form, Depends(_signed("twilio_status"))],
    receipts: Receipts,
) -> Response:
    """What became of a delivery. A receipt of none that we know is counted, and that is all."""
    word = receipt_in(form)
    outcome = "incomplete" if word is None else await receipts.add((delivery_id, word))
    metrics.webhook("twilio_status", outcome)
    return Response(status_code=204)


@router.post("/answer/{answer_id}/", status_code=204, include_in_schema=False)
@router.post("/answer/{answer_id}", status_code=204, responses=_REFUSALS, openapi_extra=_OF_RECEIPT)
async def answer_status(
    answer_id: Id, form: Annotated[Form, Depends(_signed("twilio_answer"))], desk: Desk
) -> Response:
    """What became of an answer."""
    word = receipt_in(form)
    if word is not None:
        await run_in_threadpool(answering.receipt, desk.engine, answer_id, word, desk.clock())
    metrics.webhook("twilio_answer", "incomplete" if word is None else "kept")
    return Response(status_code=204)


@router.post("/inbound/", include_in_schema=False)
@router.post("/inbound", responses=_REFUSALS, openapi_extra=_OF_TEXT)
async def inbound(
    form: Annotated[Form, Depends(_signed("twilio_inbound"))], desk: Desk, answers: Answers
) -> Response:
    """What somebody wrote. The answer goes out by itself, and not in this response."""
    text = text_in(form)
    if text is not None:
        await run_in_threadpool(hearing.hear, desk.engine, desk.content, text, desk.clock())
        answers.ask()
    metrics.webhook("twilio_inbound", "incomplete" if text is None else "heard")
    return Response(_TWIML, media_type="text/xml")
