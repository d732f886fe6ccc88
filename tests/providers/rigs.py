"""Each provider with the place where its messages arrive, behind one face for the tests."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Protocol

from drip.core.outgoing import CalendarFile, EmailContent, Outgoing, SmsContent, Unsettled
from drip.core.schedule import Channel
from drip.providers.outbox import Outbox
from drip.providers.protocol import Provider
from drip.providers.smtp import Smtp
from drip.providers.twilio import Twilio
from tests.servers.smtp_server import Misbehaviour, SmtpServer
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER, Behaviour, TwilioServer

NOW = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
TIMEOUT = 0.4
CARE = "care@example.com"


Make = Callable[..., Twilio]
"""Makes a Twilio provider with other options than usual."""


class Moment:
    """A clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def text_to(to: str, body: str = "Hello", delivery_id: int = 1) -> Outgoing:
    """A text that may be given up an hour from now."""
    return Outgoing(
        delivery_id, delivery_id, Channel.SMS, to, SmsContent(body), NOW + timedelta(hours=1)
    )


def email_to(
    to: str,
    text: str = "Hello",
    delivery_id: int = 1,
    *,
    subject: str = "Your visit",
    html: str | None = None,
    from_name: str = "River Clinic",
    reply_to: str = "clinic@example.com",
    calendar: CalendarFile | None = None,
) -> Outgoing:
    """An email that may be given up an hour from now."""
    shown = f"<p>{text}</p>" if html is None else html
    content = EmailContent(subject, shown, text, from_name, reply_to, calendar)
    return Outgoing(delivery_id, delivery_id, Channel.EMAIL, to, content, NOW + timedelta(hours=1))


def unsettled(outgoing: Outgoing, started_at: datetime = NOW) -> Unsettled:
    """The attempt at this message, with no answer."""
    content = outgoing.content
    body = content.body if isinstance(content, SmsContent) else None
    return Unsettled(outgoing.delivery_id, outgoing.attempt_id, outgoing.to, body, started_at)


@dataclass(frozen=True)
class Arrival:
    """A message where it arrives."""

    to: str
    words: str


class Rig(Protocol):
    """A provider, its sink, and how to trouble them."""

    provider: Provider
    bad: str

    def outgoing(self, number: int, words: str = "Hello") -> Outgoing: ...
    def outgoing_to(self, to: str) -> Outgoing: ...
    def arrived(self) -> list[Arrival]: ...
    def cut_off(self) -> None: ...
    def mend(self) -> None: ...


class RemoteRig(Rig, Protocol):
    """A provider behind a network."""

    def lose_answer(self, to: str, *, taken: bool) -> None: ...
    def fall_silent(self, to: str) -> None: ...
    def connections(self) -> int: ...


class OutboxRig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.provider: Provider = Outbox(folder)
        self.bad = "not a number"

    def outgoing(self, number: int, words: str = "Hello") -> Outgoing:
        return text_to(f"+1202555{number:04}", words, number)

    def outgoing_to(self, to: str) -> Outgoing:
        return text_to(to, delivery_id=9_000)

    def arrived(self) -> list[Arrival]:
        found = []
        for path in sorted(self.folder.glob("*.txt"), key=lambda path: len(path.name)):
            to, _, rest = path.read_text(encoding="utf-8").partition("\n")
            found.append(Arrival(to.removeprefix("To: "), rest.partition("\n\n")[2].strip("\n")))
        return found

    def cut_off(self) -> None:
        """Put a file where the folder would be: nobody can write into it, not even root."""
        with contextlib.suppress(FileNotFoundError):
            self.folder.rename(self.folder.with_suffix(".away"))
        self.folder.write_text("in the way")

    def mend(self) -> None:
        self.folder.unlink()
        with contextlib.suppress(FileNotFoundError):
            self.folder.with_suffix(".away").rename(self.folder)


class SmtpRig:
    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self.provider: Provider = Smtp(server.url, CARE, timeout=TIMEOUT)
        self.bad = "gone@example.com"
        server.misbehave(self.bad, Misbehaviour(reply="550 no such mailbox"))

    def outgoing(self, number: int, words: str = "Hello") -> Outgoing:
        return email_to(f"patient{number}@example.com", words, number)

    def outgoing_to(self, to: str) -> Outgoing:
        return email_to(to, delivery_id=9_000)

    def arrived(self) -> list[Arrival]:
        found = []
        for mail in self.server.mails:
            words = message_from_bytes(mail.data, policy=policy.default).get_body(("plain",))
            assert words is not None
            text = words.get_content().replace("\r\n", "\n").strip("\n")
            found.append(Arrival(mail.to, text))
        return found

    def cut_off(self) -> None:
        self.server.stop()

    def mend(self) -> None:
        self.server.start()

    def lose_answer(self, to: str, *, taken: bool) -> None:
        self.server.misbehave(to, Misbehaviour(at="END", how="reset", taken=taken))

    def fall_silent(self, to: str) -> None:
        self.server.misbehave(to, Misbehaviour(at="END", how="hang"))

    def connections(self) -> int:
        return self.server.connections


class TwilioRig:
    def __init__(self, server: TwilioServer) -> None:
        self.server = server
        self.provider: Provider = Twilio(
            ACCOUNT_SID, AUTH_TOKEN, sender=SENDER, api_url=server.url, timeout=TIMEOUT
        )
        self.bad = "+15005550001"

    def outgoing(self, number: int, words: str = "Hello") -> Outgoing:
        return text_to(f"+1202555{number:04}", words, number)

    def outgoing_to(self, to: str) -> Outgoing:
        return text_to(to, delivery_id=9_000)

    def arrived(self) -> list[Arrival]:
        return [Arrival(message["to"], message["body"]) for message in self.server.messages]

    def cut_off(self) -> None:
        self.server.stop()

    def mend(self) -> None:
        self.server.start()

    def lose_answer(self, to: str, *, taken: bool) -> None:
        self.server.behave(Behaviour(how="reset", taken=taken), to)

    def fall_silent(self, to: str) -> None:
        self.server.behave(Behaviour(how="hang"), to)

    def connections(self) -> int:
        return self.server.connections


@contextlib.contextmanager
def rigged(kind: str, folder: Path) -> Iterator[Rig]:
    """A rig of this kind; everything that it opened is closed afterwards."""
    with contextlib.ExitStack() as stack:
        rig: Rig
        if kind == "outbox":
            rig = OutboxRig(folder / "outbox")
        elif kind == "smtp":
            rig = SmtpRig(stack.enter_context(SmtpServer()))
        else:
            rig = TwilioRig(stack.enter_context(TwilioServer(clock=lambda: NOW)))
        stack.callback(rig.provider.close)
        yield rig
