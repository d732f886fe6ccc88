"""Email over SMTP: one connection carries many mails (rules.md, "Email")."""

import ssl
import threading
import time
from collections.abc import Sequence
from datetime import datetime

from drip.core.outgoing import (
    Accepted,
    Answer,
    Outgoing,
    Rejected,
    Retry,
    Settlement,
    Unknown,
    Unsettled,
)
from drip.core.retry import RetryKind
from drip.providers.mime import compose, mailbox, message_id, sender_mailbox
from drip.providers.smtp_session import LostError, NoSessionError, Session
from drip.providers.smtp_url import SmtpAddress


class Smtp:
    """Hands emails to a mail server, one after the other over one kept connection.

    `url` is read by `SmtpAddress.parse`; `sender` is the mailbox that mails come from; a wrong
    one is a SettingsError. Every wait (connecting, TLS, each reply) ends after `timeout`
    seconds. Certificates are verified with `tls`, by default against the system's authorities.
    Several threads may use it; they take turns.
    """

    name = "smtp"

    def __init__(
        self,
        url: str,
        sender: str,
        *,
        timeout: float = 30.0,
        batch_seconds: float = 120.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._address = SmtpAddress.parse(url)
        self._sender = sender_mailbox(sender)
        self._timeout = timeout
        self._tls = tls
        self._batch_seconds = batch_seconds
        self._turn = threading.Lock()
        self._session: Session | None = None

    def send(self, batch: Sequence[Outgoing], now: datetime) -> list[Answer]:
        """Hand the mails over in order. `now` (UTC) becomes their Date.

        Once the server cannot be reached or keeps silent, or has taken two minutes over the
        batch, the rest of it is Retry: a batch ends well before the lease on it.
        """
        answers: list[Answer] = []
        down: Retry | None = None
        deadline = time.monotonic() + self._batch_seconds
        with self._turn:
            if self._session is not None and not self._session.is_alive():
                self._drop()
            for outgoing in batch:
                mail = compose(outgoing, self._sender, now)
                if isinstance(mail, Rejected):
                    answers.append(mail)
                elif down is not None:
                    answers.append(down)
                else:
                    answer, down = self._answer(outgoing, mail)
                    answers.append(answer)
                    if time.monotonic() > deadline:
                        down = Retry("slow", kind=RetryKind.AWAY)
        return answers

    def settle(self, batch: Sequence[Unsettled], now: datetime) -> list[Settlement]:
        """Answer Unknown: a mail server cannot be asked what became of a mail."""
        return [Unknown("a mail server cannot be asked") for _ in batch]

    def close(self) -> None:
        """Take leave of the server. Sending again connects again."""
        with self._turn:
            session, self._session = self._session, None
            if session is not None:
                session.end(politely=True)

    def _answer(self, outgoing: Outgoing, mail: bytes) -> tuple[Answer, Retry | None]:
        """Answer for one mail and, if the server is out of reach, for those after it."""
        try:
            refusal = self._hand_over(outgoing, mail)
        except NoSessionError as failure:
            down = failure.as_answer()
            return down, down
        except LostError as lost:
            self._drop()
            retry = Retry(lost.code, kind=RetryKind.AWAY)
            return (
                Unknown("the mail went out and the mail server did not answer")
                if lost.handed_over
                else retry,
                retry if lost.timed_out else None,
            )
        if refusal is not None:
            self._clear()
            return refusal, None
        return Accepted(message_id(outgoing, self._sender)), None

    def _hand_over(self, outgoing: Outgoing, mail: bytes) -> Retry | Rejected | None:
        """Carry one mail, on a new connection if the kept one has ended.

        Servers end connections that were idle or have carried many mails. What had not gone
        out whole may be said again.
        """
        to = mailbox(outgoing.to) or outgoing.to
        session = self._session or self._begin()
        try:
            return session.hand_over(self._sender, to, mail)
        except LostError as lost:
            if session.fresh or lost.handed_over or lost.timed_out:
                raise
        self._drop()
        return self._begin().hand_over(self._sender, to, mail)

    def _begin(self) -> Session:
        hello = self._sender.rpartition("@")[2]
        tls = self._tls or ssl.create_default_context()
        self._session = Session.begin(self._address, hello, self._timeout, tls)
        return self._session

    def _clear(self) -> None:
        """Begin anew after a refusal; a connection that does not hear is given up."""
        if self._session is not None and not self._session.is_alive():
            self._drop()

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.end()
