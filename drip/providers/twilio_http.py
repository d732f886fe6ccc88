"""How the official Twilio client speaks HTTP: over our connections, and never a second try.

The client's own way (requests) costs ten times the processor time for each text, waits without
limit, and may be told to repeat a POST, which would text a patient twice.
"""

import logging
import ssl
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlencode

from twilio.http import AsyncHttpClient, HttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]

from drip.errors import SettingsError
from drip.providers.connections import Connections, NoAnswerError, NotSentError, Origin
from drip.providers.connections_thread import ConnectionsThread

__all__ = ["API", "BlockingHttp", "Http", "NoAnswerError", "NotSentError", "thread_to"]

API = "https://api.twilio.com"
"""Where the Twilio client believes that it sends to."""

_CODES = [
    (mark, quote_plus(mark))
    # First those that stand in the codes of others.
    for mark in ("%", "+", *(chr(i) for i in range(128) if chr(i) not in "%+"))
    if quote_plus(mark) != mark
]
"""Each ASCII character that a form does not take as it is, with what stands for it."""

_LOG = logging.getLogger(__name__)


def thread_to(
    api_url: str, connections: int, timeout: float, tls: ssl.SSLContext | None
) -> ConnectionsThread:
    """Connections to the address that stands for Twilio's; SettingsError if it cannot."""
    try:
        Origin.of(api_url)
    except ValueError:
        raise SettingsError(
            f"DRIP_TWILIO_API_URL is {api_url!r}: write {API} or leave it out"
        ) from None
    return ConnectionsThread(
        lambda: Connections(api_url, limit=connections, timeout=timeout, tls=tls)
    )


class Http(AsyncHttpClient):  # type: ignore[misc]
    """For the Twilio client's `request_async`, on the event loop of the connections."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(_LOG, is_async=True)
        self._connections = connections

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: FBT001 - the signature is Twilio's
    ) -> Response:
        """Send one request, once. Raises NotSentError or NoAnswerError.

        The connections have their own time-out, and redirects are not followed.
        """
        target = uri.removeprefix(API)
        if params:
            target += ("&" if "?" in target else "?") + urlencode(params, doseq=True)
        fields = dict(headers or {})
        if auth:
            fields["Authorization"] = _basic(auth)
        body = form_of(data) if data else b""
        answer = await self._connections.request(method, target, fields, body)
        said = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in answer.headers.items()
        }
        return Response(answer.status, answer.body.decode("utf-8", "replace"), said)


class BlockingHttp(HttpClient):  # type: ignore[misc]
    """For the Twilio client's other calls, from any thread, over the same connections."""

    def __init__(self, thread: ConnectionsThread) -> None:
        super().__init__(_LOG, is_async=False)
        self._thread = thread

    def request(self, *args: Any, **options: Any) -> Response:
        """Send one request, once, and wait for its answer: see Http.request."""
        return self._thread.run(lambda connections: Http(connections).request(*args, **options))


@lru_cache(maxsize=4)
def _basic(auth: tuple[str, str]) -> str:
    return "Basic " + b64encode(":".join(auth).encode()).decode("ascii")


def form_of(fields: Mapping[str, object]) -> bytes:
    """A form (WHATWG URL, 5.2), as `urllib.parse.urlencode` makes it at six times the price.

    A list stands for its members. A UnicodeError says that words are not Unicode.
    """
    return "&".join(
        [
            f"{_quoted(name)}={_quoted(str(one))}"
            for name, value in fields.items()
            for one in (value if isinstance(value, list) else (value,))
        ]
    ).encode("ascii")


def _quoted(words: str) -> str:
    if not words.isascii():
        return quote_plus(words)
    for mark, code in _CODES:
        if mark in words:
            words = words.replace(mark, code)
    return words
