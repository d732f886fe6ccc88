# ruff: noqa: N802 - aiosmtpd finds its commands by such names
"""A mail server for tests: real SMTP on loopback, with TLS, login and every way to misbehave.

with SmtpServer() as server:
    server.misbehave("late@example.com", Misbehaviour(reply="451 4.3.0 later"))
    ...
    assert [mail.to for mail in server.mails] == ["ann@example.com"]
"""

import asyncio
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from typing import Any, Self

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Mail:
    """A mail that the server has taken over."""

    sender: str
    to: str
    data: bytes = field(repr=False)

    @cached_property
    def message(self) -> EmailMessage:
        """The mail as Python's own parser reads it."""
        return message_from_bytes(self.data, policy=policy.default)


@dataclass(frozen=True)
class Misbehaviour:
    """What happens to mails to one address.

    `at` is the command: `MAIL`, `RCPT`, `DATA` (the mail was begun and did not get through) or
    `END` (the whole mail is there). The server sends `reply`, or, without one, ends the
    connection (`how="hang up"`), resets it (`"reset"`) or keeps silent (`"hang"`). `taken` says
    whether a mail at `END` is kept all the same; `times` how often it happens.
    """

    at: str = "RCPT"
    reply: str = ""
    how: str = "hang up"
    taken: bool = False
    times: int = 1_000_000


class SmtpServer:
    """A mail server in a thread.

    `tls`: `None`, `"starttls"` or `"implicit"`; clients trust it with `client_tls`. `login`
    demands a user and a password. `limit` ends a connection after so many mails.
    """

    def __init__(
        self,
        tls: str | None = None,
        login: tuple[str, str] | None = None,
        limit: int | None = None,
        greeting: str | None = None,
    ) -> None:
        self.mails: list[Mail] = []
        self.connections = 0
        self.commands: list[str] = []
        self.login, self.limit, self.tls, self.greeting = login, limit, tls, greeting
        self._ways: dict[str, Misbehaviour] = {}
        self._lock = threading.Lock()
        self._authority = trustme.CA()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    def misbehave(self, to: str, way: Misbehaviour) -> None:
        """Treat mails to this address so from now on."""
        self._ways[to] = way

    def behave(self) -> None:
        """Take every mail from now on."""
        self._ways.clear()

    @property
    def url(self) -> str:
        """The address for `DRIP_SMTP_URL`, without user and password."""
        scheme = {None: "smtp", "starttls": "smtp+starttls", "implicit": "smtps"}[self.tls]
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def client_tls(self) -> ssl.SSLContext:
        """A context that trusts this server."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; the same port again after a stop."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        self._thread.start()
        assert ready.wait(10), "the mail server did not start"

    def stop(self) -> None:
        """Stop listening and end all connections."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()
            self._thread = None

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        tls = None
        if self.tls:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert("127.0.0.1").configure_cert(tls)
        open_now: set[_Smtp] = set()
        starttls = tls if self.tls == "starttls" else None
        listener = await self._loop.create_server(
            lambda: _Smtp(self, starttls, open_now),
            "127.0.0.1",
            self.port,
            ssl=tls if self.tls == "implicit" else None,
        )
        self.port = listener.sockets[0].getsockname()[1]
        ready.set()
        await self._stopped.wait()
        listener.close()
        for smtp in list(open_now):
            smtp.reset()
        # One more turn of the loop, in which the connections hear that they have ended.
        await asyncio.sleep(0)

    def way_of(self, to: str, at: str) -> Misbehaviour | None:
        """What to do now to a mail to this address; counts it down."""
        with self._lock:
            way = self._ways.get(to)
            if way is None or way.at != at or way.times <= 0:
                return None
            self._ways[to] = Misbehaviour(way.at, way.reply, way.how, way.taken, way.times - 1)
            return way

    def check(self, _: object, __: object, ___: object, ____: str, data: Any) -> AuthResult:
        """Let in who knows user and password."""
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self.login, handled=False)


class _Handler:
    """The commands of one connection, as aiosmtpd calls them."""

    def __init__(self, server: SmtpServer) -> None:
        self.server = server

    async def handle_MAIL(
        self, smtp: "_Smtp", session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.server.commands.append("MAIL")
        if self.server.login and not session.authenticated:
            return "530 5.7.0 log in first"
        if (way := self.server.way_of("*", "MAIL")) is not None:
            return await smtp.misbehave(way)
        if self.server.limit is not None and smtp.carried >= self.server.limit:
            asyncio.get_running_loop().call_soon(smtp.hang_up)
            return "421 4.7.0 too many mails on this connection"
        envelope.mail_from = address
        return "250 2.1.0 ok"

    async def handle_RCPT(
        self, smtp: "_Smtp", _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.server.commands.append("RCPT")
        if (way := self.server.way_of(address, "RCPT")) is not None:
            return await smtp.misbehave(way)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, smtp: "_Smtp", _: Session, envelope: Envelope) -> str:
        self.server.commands.append("DATA")
        to = envelope.rcpt_tos[0]
        way = self.server.way_of(to, "END")
        if way is None or way.taken:
            assert isinstance(envelope.content, bytes)
            self.server.mails.append(Mail(envelope.mail_from or "", to, envelope.content))
        smtp.carried += 1
        return "250 2.0.0 taken" if way is None else await smtp.misbehave(way)


class _Smtp(SMTP):
    """One connection."""

    def __init__(
        self, server: SmtpServer, tls: ssl.SSLContext | None, open_now: "set[_Smtp]"
    ) -> None:
        super().__init__(
            _Handler(server),
            hostname="mail.example.com",
            ident=server.greeting or "test mail server",
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=server.check if server.login else None,
            auth_require_tls=False,
        )
        self._server, self._open_now = server, open_now
        self.carried = 0

    def connection_made(self, transport: Any) -> None:
        if self.transport is None:
            self._server.connections += 1
            self._open_now.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_now.discard(self)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:
        to = self.envelope.rcpt_tos[0] if self.envelope and self.envelope.rcpt_tos else ""
        if (way := self._server.way_of(to, "DATA")) is not None:
            reply = await self.misbehave(way)
            await self.push(reply)
            return
        await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:
        self._server.commands.append("RSET")
        await super().smtp_RSET(arg)

    async def misbehave(self, way: Misbehaviour) -> str:
        if way.reply:
            return way.reply
        if way.how == "hang":
            await asyncio.sleep(3600)
        (self.hang_up if way.how == "hang up" else self.reset)()
        # The connection is gone: this wait ends when aiosmtpd cancels the handler.
        await asyncio.sleep(3600)
        return ""

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()
