"""An email as the bytes that travel: headers, text, HTML and the calendar file.

Written by hand because `email.message.EmailMessage` is the slow part of sending: it costs many
times more than the hand-over itself. The result is plain ASCII with CRLF line ends, so that any
mail server takes it. Rules: rules.md, "Email"; RFC 5322, 2045, 2047, 3834, 8058.
"""

import base64
import binascii
import re
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache
from urllib.parse import quote

from drip.core.outgoing import CalendarFile, EmailContent, Outgoing, Rejected
from drip.errors import SettingsError

CALENDAR_NAME = "visit.ics"
"""What the calendar file is called: it shows on a lock screen, so it says nothing."""

_MAILBOX = re.compile(r"""[^\s<>()\[\]:;,@\\"\x00-\x1f\x7f]+@[^\s<>()\[\]:;,@\\"\x00-\x1f\x7f]+""")
_LINK = re.compile(r"https?://[!-;=?-~]{1,900}")
"""A web address in ASCII that fits into a header between < and >."""
_NOT_IN_HEADERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LINE = 76


def mailbox(address: str) -> str | None:
    """Return the address in ASCII, as it goes over the wire; None if it is not one mailbox.

    A domain in another script becomes its IDNA form. A local part outside ASCII is None: few
    mail servers take it.
    """
    if not _MAILBOX.fullmatch(address):
        return None
    local, _, domain = address.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return f"{local}@{ascii_domain}" if local.isascii() and len(address) <= 254 else None


def sender_mailbox(address: str) -> str:
    """Return the mailbox that mails come from; SettingsError if it is not one."""
    found = mailbox(address)
    if found is None:
        message = f"DRIP_EMAIL_FROM is {address!r}: give one mailbox, such as care@example.com"
        raise SettingsError(message)
    return found


def message_id(outgoing: Outgoing, sender: str) -> str:
    """Return the Message-ID of a delivery or an answer: the same at every attempt."""
    return f"<drip-{outgoing.kind}-{outgoing.delivery_id}@{sender.rpartition('@')[2]}>"


def compose(outgoing: Outgoing, sender: str, now: datetime) -> bytes | Rejected:
    """Put an email into MIME parts.

    `sender` is a mailbox as `sender_mailbox` returns it; `now` (UTC) becomes the Date. What
    cannot be sent is a value: Rejected with the code `address` (the patient's mailbox is not
    one), `header` (a line break or another control character in a name, a subject, a reply
    address or a link) or `content` (not an email, or text that is not Unicode).
    """
    content = outgoing.content
    if not isinstance(content, EmailContent):
        return Rejected("content")
    to = mailbox(outgoing.to)
    if to is None:
        return Rejected("address", address_is_bad=True)
    reply_to = mailbox(content.reply_to)
    if reply_to is None or any(
        _NOT_IN_HEADERS.search(value) for value in (content.subject, content.from_name)
    ):
        return Rejected("header")
    link = content.unsubscribe_url
    if link is not None and not _LINK.fullmatch(link):
        return Rejected("header")
    headers = (
        _from_header(content.from_name, sender),
        f"To: {to}",
        f"Reply-To: {reply_to}",
        _header("Subject", content.subject),
        f"Date: {_date(now)}",
        f"Message-ID: {message_id(outgoing, sender)}",
        *(() if content.to_staff else _unsubscribing(reply_to, link)),
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    )
    try:
        body = _body(content, outgoing.delivery_id)
    except (UnicodeError, ValueError):
        return Rejected("content")
    return ("\r\n".join(headers) + "\r\n" + body).encode("ascii")


def _unsubscribing(reply_to: str, link: str | None) -> tuple[str, ...]:
    """How a mail program unsubscribes the patient: with one POST, where there is a link for it.

    One click is for https alone (RFC 8058, 3.1); who has no such link writes to the clinic.
    """
    mailto = f"<mailto:{quote(reply_to, safe='@')}?subject=unsubscribe>"
    if link is None:
        return (f"List-Unsubscribe: {mailto}",)
    both = f"List-Unsubscribe: <{link}>,\r\n {mailto}"
    one_click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    return (both, one_click) if link.startswith("https://") else (both,)


_date = lru_cache(maxsize=16)(format_datetime)


@lru_cache(maxsize=2_048)
def _header(name: str, value: str) -> str:
    """Write one header: as it is if it is short and plain, in encoded words (RFC 2047) if not."""
    plain = value.isascii() and "=?" not in value and len(name) + 2 + len(value) <= _LINE
    return f"{name}: {value if plain else _encoded(name, value)}"


def _encoded(name: str, value: str) -> str:
    return Header(value, "utf-8", maxlinelen=_LINE, header_name=name).encode(linesep="\r\n")


@lru_cache(maxsize=2_048)
def _from_header(name: str, sender: str) -> str:
    line = f"From: {formataddr((name, sender))}" if name.isascii() and "=?" not in name else ""
    return line if 0 < len(line) <= 998 else f"From: {_encoded('From', name)}\r\n <{sender}>"


def _body(content: EmailContent, delivery_id: int) -> str:
    """Put the parts together, beginning with the header that names the outermost one.

    The boundaries hold `=_`, which neither base64 nor quoted-printable can ever produce.
    """
    inner = f"=_drip_{delivery_id}_words"
    words = _multipart(
        "alternative",
        inner,
        (_text_part("plain", content.text), _text_part("html", content.html)),
    )
    if content.calendar is None:
        return words
    outer = f"=_drip_{delivery_id}_all"
    return _multipart("mixed", outer, (words, _calendar_part(content.calendar)))


def _multipart(kind: str, boundary: str, parts: tuple[str, ...]) -> str:
    opened = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return (
        f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n{opened}--{boundary}--\r\n'
    )


def _text_part(kind: str, text: str) -> str:
    data = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").encode() + b"\n"
    foreign = len(data) > len(text) * 7 // 6 + 1
    encoding = "base64" if foreign else "quoted-printable"
    encoded = (
        _crlf(base64.encodebytes(data))
        if foreign
        else "".join(map(_quoted_line, data.splitlines(keepends=True)))
    )
    return (
        f"Content-Type: text/{kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n{encoded}"
    )


@lru_cache(maxsize=8_192)
def _quoted_line(line: bytes) -> str:
    """A line in quoted-printable. Most lines of an email stand in the next one too."""
    return _crlf(binascii.b2a_qp(line, istext=True))


def _calendar_part(calendar: CalendarFile) -> str:
    """Attach the calendar file under a name that every mail program offers to open.

    It stands beside the words and not among the alternatives: a program that understands
    calendars would show it in their place.
    """
    if not re.fullmatch("[A-Z]+", calendar.method):
        message = "the method of a calendar file is one word, such as PUBLISH"
        raise ValueError(message)
    return (
        f"Content-Type: text/calendar; charset=utf-8; method={calendar.method};\r\n"
        f' name="{CALENDAR_NAME}"\r\n'
        f'Content-Disposition: attachment; filename="{CALENDAR_NAME}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n" + _crlf(base64.encodebytes(calendar.data))
    )


def _crlf(encoded: bytes) -> str:
    return encoded.decode("ascii").replace("\n", "\r\n")
