"""One connection to a mail server and the talk over it (RFC 5321)."""

import contextlib
import smtplib
import ssl

from drip.core.outgoing import Rejected, Retry
from drip.core.retry import RetryKind
from drip.providers.smtp_url import SmtpAddress

_BAD_ADDRESS = frozenset({550, 551, 553})
"""Said to RCPT, these mean the mailbox, unless an enhanced code 5.7.x says that it is policy."""

_NO_MAILBOX = (b"5.1.1", b"5.1.2", b"5.1.3", b"5.1.6", b"5.1.10")
"""Enhanced codes (RFC 3463, 7505) that say it plainly: there is no such mailbox, so none of ours go
there again. Without one the code may be a server's policy of today."""

_LOGIN = frozenset({530, 534, 535, 538})
"""The server wants a login, or another one: a setting is wrong, not the message."""

_LOGIN_SAID = "the mail server wants a login, or another one: check DRIP_SMTP_URL"

_CLOSING = 421
_SECONDS_TO_PART = 2.0

Refusal = Retry | Rejected


class NoSessionError(Exception):
    """No connection could be made; `code` is what the Retry answer says."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    def as_answer(self) -> Retry:
        """The answer for every mail that waits for a connection."""
        return _try_again(self.code)


class LostError(Exception):
    """The connection ended in the middle of a mail, or the server fell silent.

    `handed_over` says that the whole mail had gone out: it may or may not be on its way.
    """

    def __init__(self, code: str, *, handed_over: bool) -> None:
        super().__init__(code)
        self.code = code
        self.handed_over = handed_over

    @property
    def timed_out(self) -> bool:
        """Whether the server kept silent, rather than end the connection."""
        return self.code == "timeout"


class Session:
    """A connection that carries one mail after the other. `fresh` until the first one."""

    def __init__(self, connection: smtplib.SMTP) -> None:
        self._connection = connection
        self.fresh = True

    @classmethod
    def begin(
        cls, address: SmtpAddress, hello: str, timeout: float, tls: ssl.SSLContext
    ) -> "Session":
        """Connect, encrypt and log in, as the address says; NoSessionError if any of it fails.

        `hello` is the name that we give ourselves; each wait ends after `timeout` seconds.
        """
        with contextlib.ExitStack() as undo:
            try:
                connection = _connect(address, hello, timeout, tls)
                undo.callback(connection.close)
                if address.scheme == "smtp+starttls":
                    connection.starttls(context=tls)
                if address.user is not None:
                    connection.login(address.user, address.password)
                else:
                    connection.ehlo_or_helo_if_needed()
            except OSError as error:
                raise NoSessionError(_code_of(error)) from error
            undo.pop_all()
        return cls(connection)

    def is_alive(self) -> bool:
        """Ask the server to forget what was begun; False if it is no longer there."""
        try:
            code, _ = self._connection.rset()
        except OSError:
            return False
        return code == 250

    def hand_over(self, sender: str, to: str, mail: bytes) -> Refusal | None:
        """Carry one mail; None says that the server has taken it over. LostError if it went silent.

        `mail` has CRLF line ends and ends with one.
        """
        try:
            refusal = self._offer(sender, to)
            if refusal is None:
                self._connection.send(mail.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        except OSError as error:
            raise LostError(_code_of(error), handed_over=False) from error
        if refusal is None:
            refusal = self._verdict()
        self.fresh = False
        return refusal

    def end(self, *, politely: bool = False) -> None:
        """Close the connection, after a QUIT if there is nothing wrong with it."""
        if politely and self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.settimeout(_SECONDS_TO_PART)
                self._connection.quit()
        self._connection.close()

    def _offer(self, sender: str, to: str) -> Refusal | None:
        """MAIL, RCPT and DATA; None says that the server waits for the mail."""
        code, text = self._connection.mail(sender)
        if 200 <= code < 300:
            code, text = self._connection.rcpt(to)
            if 200 <= code < 300:
                code, text = self._connection.docmd("DATA")
                if code == 354:
                    return None
            elif code in _BAD_ADDRESS and not text.startswith(b"5.7."):
                gone = text.startswith(_NO_MAILBOX)
                return Rejected(str(code), address_is_bad=True, suppress=gone)
        return _refusal(code)

    def _verdict(self) -> Refusal | None:
        """What the server says once the whole mail is with it."""
        try:
            code, _ = self._connection.getreply()
        except OSError as error:
            raise LostError(_code_of(error), handed_over=True) from error
        if 200 <= code < 300:
            return None
        if not 400 <= code < 600:
            raise LostError("garbled", handed_over=True)
        return Rejected(str(code)) if code >= 500 else Retry(str(code))


def _connect(address: SmtpAddress, hello: str, timeout: float, tls: ssl.SSLContext) -> smtplib.SMTP:
    """Open the connection. Our own name is given: smtplib would ask DNS for it, without limit."""
    if address.scheme == "smtps":
        return smtplib.SMTP_SSL(address.host, address.port, hello, timeout=timeout, context=tls)
    return smtplib.SMTP(address.host, address.port, hello, timeout=timeout)


def _refusal(code: int) -> Refusal:
    """What a refusal of the envelope means; LostError if the server ends the connection with it."""
    if code == _CLOSING:
        raise LostError(str(code), handed_over=False)
    if code in _LOGIN or code < 500:
        return _try_again(str(code) if code > 0 else "garbled")
    return Rejected(str(code))


def _try_again(code: str) -> Retry:
    login = code.isdigit() and int(code) in _LOGIN
    if login:
        return Retry(code, alert=_LOGIN_SAID, kind=RetryKind.CONFIGURATION)
    # A number is the server's own word: it is there, and may be busy.
    return Retry(code, kind=RetryKind.BUSY if code.isdigit() else RetryKind.AWAY)


def _code_of(error: OSError) -> str:
    """A word for staff. smtplib hides a time-out behind an error of its own."""
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "timeout"
    if isinstance(error, smtplib.SMTPResponseException):
        return str(error.smtp_code)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "not-supported"
    if isinstance(error, ssl.SSLError):
        return "tls"
    return "lost" if isinstance(error, smtplib.SMTPServerDisconnected) else "connect"
