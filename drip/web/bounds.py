"""What holds for every request and every answer: bounded bodies, careful headers."""

from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drip.services import metrics

BODY = 64 * 1024
"""Bytes that a body may have: Twilio's have one or two thousand."""

BODY_OF_EVENTS = 1024 * 1024
"""The same for events about emails, of which providers send many in one request."""

_THROWN_AWAY = 1024 * 1024

_WEBHOOKS = "/webhooks/"
_TWILIO = "/webhooks/twilio/"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}


class Bounds:
    """Refuses bodies that are too long, before anything is done with them, with 413.

    No more of it is kept in memory than the bound, with or without a length. Answers carry
    headers that keep them out of caches, indexes and others' logs, unless they have their own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send_with_headers)
            return
        body = await _body(scope, receive)
        if body is None:
            if scope["path"].startswith(_WEBHOOKS):
                metrics.webhook("any", "too_long")
            refused = JSONResponse({"detail": "This is too long."}, 413, {"Connection": "close"})
            await refused(scope, receive, send_with_headers)
            return
        await self._app(scope, _replayed(body, receive), send_with_headers)


def _limit(path: str) -> int:
    of_events = path.startswith(_WEBHOOKS) and not path.startswith(_TWILIO)
    return BODY_OF_EVENTS if of_events else BODY


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None where it is too long. What a client broke off counts as it is.

    Some of what is too long is read all the same, and thrown away: a client that is cut off
    while it writes does not see the answer.
    """
    limit = _limit(scope["path"])
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= limit:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if size <= limit else None
        if size > limit + _THROWN_AWAY:
            return None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body in one piece, and then whatever else comes."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
