"""Kept HTTP/1.1 connections to one server, on asyncio: each request goes out once, or not at all.

General clients repeat requests, follow redirects and look for proxies, and none says whether a
request that failed may have been acted on. That is all that matters for a text: NotSentError
against NoAnswerError decides whether it may be sent again.
"""

import asyncio
import re
import select
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self, cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_IDLE_SECONDS = 20.0
"""A connection idle for longer is not used again: something on the way may have forgotten it."""

_LONGEST_ANSWER = 4_000_000
_READ_AT_ONCE = 16_384

_TARGET = re.compile(r"/[!-~]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~]*")


class NotSentError(Exception):
    """The request did not go out, so that the server cannot have acted on it."""


class NoAnswerError(Exception):
    """The request went out and no readable answer came: the server may have acted on it."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the server said. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """A server, and the path before all targets there ("" for none)."""

    host: str
    port: int
    secure: bool
    path: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Read an http or https address. Anything else is a ValueError."""
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(url)
        if path and not _TARGET.fullmatch(path):
            raise ValueError(url)
        secure = parts.scheme == "https"
        host = parts.hostname.encode("idna").decode("ascii")
        port = parts.port if parts.port is not None else (443 if secure else 80)
        return cls(host, port, secure, path)

    @property
    def host_header(self) -> str:
        """The host as a request names it (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


class Connections:
    """An HTTP client for one server, to be used on one event loop.

    At most `limit` requests are in flight, each on a connection of its own; the others wait
    for their turn. Connecting and the whole answer may take `timeout` seconds each.
    Certificates are verified with `tls`, by default against the system's authorities. There
    are no second tries, redirects, cookies or proxies. A ValueError says that `api_url` is no
    address.
    """

    def __init__(
        self,
        api_url: str,
        *,
        limit: int = 200,
        timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._origin = Origin.of(api_url)
        self._timeout = timeout
        self._tls = tls
        self._places = asyncio.Semaphore(limit)
        self._idle: list[_Connection] = []
        self._busy: dict[_Connection, None] = {}
        self._connecting: set[asyncio.Timeout] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._head = lru_cache(maxsize=16)(self._make_head)

    async def post(
        self, target: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """POST a body. `target` is a path, with its query if it has one."""
        return await self.request("POST", target, headers or {}, body)

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpAnswer:
        """Send one request, once, and read its answer, whatever its status.

        What went wrong is a NotSentError or a NoAnswerError, with a word that says what.
        """
        data = self._head(method, target, tuple(headers.items()))
        if body or method == "POST":
            data += b"Content-Length: %d\r\n" % len(body)
        data += b"\r\n" + body
        async with self._places:
            connection = self._take() or await self._connect()
            return await self._exchange(connection, data)

    def close(self) -> None:
        """End all connections. Requests under way fail at once, those to come as well."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for timeout in self._connecting:
            if not timeout.expired():
                timeout.reschedule(0)
        for connection in [*self._busy, *self._idle]:
            connection.end("closed")
        self._idle.clear()

    def _take(self) -> "_Connection | None":
        """The open connection that was used last, if there is one."""
        if self._closed:
            raise NotSentError("closed")
        oldest = asyncio.get_running_loop().time() - _IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > oldest and connection.is_quiet():
                return connection
            connection.end("idle")
        return None

    async def _connect(self) -> "_Connection":
        origin = self._origin
        if origin.secure and self._tls is None:
            self._tls = ssl.create_default_context()
        timeout = asyncio.timeout(self._timeout)
        try:
            async with timeout:
                self._connecting.add(timeout)
                _, connection = await asyncio.get_running_loop().create_connection(
                    _Connection,
                    origin.host,
                    origin.port,
                    ssl=self._tls if origin.secure else None,
                    server_hostname=origin.host if origin.secure else None,
                )
        except OSError as error:
            raise NotSentError("closed" if self._closed else _code_of(error)) from error
        finally:
            self._connecting.discard(timeout)
        if self._closed or not connection.is_open:
            connection.end("closed")
            raise NotSentError("closed" if self._closed else "connect")
        return connection

    async def _exchange(self, connection: "_Connection", data: bytes) -> HttpAnswer:
        loop = asyncio.get_running_loop()
        connection.deadline = loop.time() + self._timeout
        self._busy[connection] = None
        if self._timer is None:
            self._timer = loop.call_at(connection.deadline, self._end_overdue)
        try:
            return await connection.ask(data)
        finally:
            del self._busy[connection]
            if connection.is_open and connection.is_answered and not self._closed:
                connection.idle_since = loop.time()
                self._idle.append(connection)
            else:
                connection.end("lost")

    def _end_overdue(self) -> None:
        """End the requests whose time is over. The oldest come first: all have the same time."""
        loop = asyncio.get_running_loop()
        self._timer, now = None, loop.time()
        for connection in self._busy:
            if connection.deadline > now:
                self._timer = loop.call_at(connection.deadline, self._end_overdue)
                return
            connection.end("timeout")

    def _make_head(self, method: str, target: str, headers: tuple[tuple[str, str], ...]) -> bytes:
        """The request up to its length. What would break out of its line is not sent."""
        path = self._origin.path + target
        if not (
            _NAME.fullmatch(method)
            and _TARGET.fullmatch(path)
            and all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers)
        ):
            raise NotSentError("garbled")
        fields = {"Host": self._origin.host_header, "Accept-Encoding": "identity"} | dict(headers)
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
        return ("\r\n".join(lines) + "\r\n").encode("ascii")


class _Connection(asyncio.BufferedProtocol):
    """One connection with at most one request under way; asyncio and httptools call it back."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self.is_open = False
        self.deadline = self.idle_since = 0.0
        self._read = memoryview(bytearray(_READ_AT_ONCE))
        self._poll = select.poll()
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[HttpAnswer] | None = None
        self._forget()

    def _forget(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._has_all_headers = False

    @property
    def is_answered(self) -> bool:
        """Whether no answer is awaited."""
        return self._answer is None

    def is_quiet(self) -> bool:
        """Whether it is open and nothing waits to be read.

        A server that ends a connection leaves its end there, perhaps before the loop sees it.
        """
        return self.is_open and not self._transport.is_closing() and not self._poll.poll(0)

    def ask(self, data: bytes) -> asyncio.Future[HttpAnswer]:
        """Write a request. From here on the server may have acted on it, whatever happens."""
        self._forget()
        answer = self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return answer

    def end(self, why: str) -> None:
        """End the connection; a request under way has no answer."""
        self.is_open = False
        self._transport.abort()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(NoAnswerError(why))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.end("lost")

    def eof_received(self) -> None:
        """The server has ended: so has an answer whose length was not given (RFC 9112, 6.3)."""
        ends_here = b"content-length" not in self._headers
        if self._has_all_headers and ends_here and b"transfer-encoding" not in self._headers:
            self.on_message_complete()
        self.end("lost")

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._read

    def buffer_updated(self, nbytes: int) -> None:
        self._size += nbytes
        if self._answer is None or self._size > _LONGEST_ANSWER:
            self.end("garbled")
            return
        try:
            self._parser.feed_data(self._read[:nbytes])
        except (HttpParserError, HttpParserUpgrade):
            self.end("garbled")

    def on_message_begin(self) -> None:
        if self._answer is None:  # more than was asked for
            self.is_open = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._has_all_headers = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # the answer is still to come (RFC 9110, 15.2)
            self._has_all_headers = False
            self._headers = {}
            return
        answer, self._answer = self._answer, None
        if not self._parser.should_keep_alive():
            self.is_open = False
        if answer is not None and not answer.done():
            answer.set_result(HttpAnswer(status, self._headers, b"".join(self._body)))


def _code_of(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return "tls" if isinstance(error, ssl.SSLError) else "connect"
