"""How the Twilio client speaks HTTP: kept connections, a time-out, and never a second try.

The client's own way (requests) costs four times the processor time for each text, waits without
limit, and may be told to repeat a POST, which would text a patient twice.
"""

import logging
import ssl
import threading
import time
from base64 import b64encode
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from selectors import EVENT_READ, DefaultSelector
from urllib.parse import urlencode, urlsplit

from twilio.http import HttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]

from drip.errors import SettingsError

API = "https://api.twilio.com"
"""Where the Twilio client believes that it sends to."""

_IDLE_SECONDS = 20.0
"""A connection idle for longer is not used again: something on the way may have forgotten it."""

_LONGEST_ANSWER = 4_000_000


class NotSentError(Exception):
    """The request did not go out whole, so that Twilio cannot have acted on it."""


class NoAnswerError(Exception):
    """The request went out and no readable answer came: Twilio may have acted on it."""


class KeptConnections(HttpClient):  # type: ignore[misc]
    """An HttpClient for the Twilio client, to be used from several threads.

    `api_url` stands for Twilio's address (SettingsError if it cannot). Each wait ends after
    `timeout` seconds. Certificates are verified with `tls`, by default against the system's
    authorities. Proxies of the environment are not used. What went wrong is a NotSentError or
    a NoAnswerError: that difference decides whether a text may be sent again.
    """

    def __init__(self, api_url: str, timeout: float, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False, timeout=timeout)
        try:
            parts = urlsplit(api_url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            self._host = ""
        if not self._host or parts.scheme not in {"http", "https"}:
            raise SettingsError(f"DRIP_TWILIO_API_URL is {api_url!r}: write {API} or leave it out")
        self._path = parts.path.rstrip("/")
        self._secure = parts.scheme == "https"
        self._seconds = timeout
        self._tls = tls
        self._idle: list[tuple[HTTPConnection, float]] = []
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: FBT001 - the signature is Twilio's
    ) -> Response:
        """Send one request, once, and read its answer. Redirects are not followed."""
        target = self._path + uri.removeprefix(API)
        if params:
            target += ("&" if "?" in target else "?") + urlencode(params, doseq=True)
        sent = dict(headers or {})
        if auth:
            sent["Authorization"] = "Basic " + b64encode(":".join(auth).encode()).decode("ascii")
        body = urlencode(data, doseq=True).encode("ascii") if data else None
        connection = self._take()
        try:
            response = _exchange(connection, method, target, body, sent)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return response

    def close(self) -> None:
        """End the connections that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _take(self) -> HTTPConnection:
        """Take the open connection that was used last, or make a new one."""
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                return self._connect()
            connection, since = kept
            if time.monotonic() - since < _IDLE_SECONDS and _is_quiet(connection):
                return connection
            connection.close()

    def _connect(self) -> HTTPConnection:
        connection: HTTPConnection
        if self._secure:
            with self._lock:
                self._tls = self._tls or ssl.create_default_context()
            connection = HTTPSConnection(
                self._host, self._port, timeout=self._seconds, context=self._tls
            )
        else:
            connection = HTTPConnection(self._host, self._port, timeout=self._seconds)
        try:
            connection.connect()
        except (OSError, HTTPException) as error:
            connection.close()
            raise NotSentError(_code_of(error)) from error
        return connection

    def _give_back(self, connection: HTTPConnection) -> None:
        if connection.sock is not None:
            with self._lock:
                self._idle.append((connection, time.monotonic()))


def _exchange(
    connection: HTTPConnection,
    method: str,
    target: str,
    body: bytes | None,
    headers: dict[str, str],
) -> Response:
    """Send a request and read its answer. One that breaks off is not whole: nobody acts on it."""
    try:
        connection.request(method, target, body, headers)
    except (OSError, HTTPException) as error:
        raise NotSentError(_code_of(error)) from error
    try:
        answer = connection.getresponse()
        text = answer.read(_LONGEST_ANSWER).decode("utf-8", "replace")
        if not answer.isclosed():
            connection.close()
    except (OSError, HTTPException) as error:
        raise NoAnswerError("timeout" if isinstance(error, TimeoutError) else "lost") from error
    return Response(answer.status, text, answer.headers)


def _is_quiet(connection: HTTPConnection) -> bool:
    """Whether nothing waits to be read: a server that ends a connection leaves its end there."""
    with DefaultSelector() as selector:
        selector.register(connection.sock, EVENT_READ)
        return not selector.select(timeout=0)


def _code_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return "tls"
    return "connect" if isinstance(error, OSError) else "garbled"
