"""Emails through one sender's process, against the same mails built and sent by the library.

Ours is everything from the claim to what is recorded: decisions, rendering of the real templates,
the attempt and its outcome. The bare loop gets subject, text and HTML for nothing, builds an
`EmailMessage` of them and sends it over one `smtplib` connection.
"""

import os
import smtplib
from collections.abc import Sequence
from contextlib import redirect_stderr
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from urllib.parse import urlsplit

from drip.clock import system_clock
from drip.config import Settings
from drip.content.sources import content_dir
from drip.core.links import Links
from drip.core.outgoing import (
    Accepted,
    Answer,
    EmailContent,
    Outgoing,
    Settlement,
    Unknown,
    Unsettled,
)
from drip.core.schedule import Channel
from drip.logs import configure_logs
from drip.providers.smtp import Smtp
from drip.services.outbound.sending import Sender
from drip.store.engine import open_engine
from tests.benchmarks.figures import Figure, timed
from tests.benchmarks.population import make_due, population, unfinished
from tests.benchmarks.stage import Sink, connect, sink, stage

EMAILS = int(os.environ.get("DRIP_TEST_EMAILS", "20000"))
MODELS = 500
"""Emails that go out before, to warm up, and of which the bare loop has its words."""
FROM = "care@example.com"
LINKS = Links("https://drip.example.com", "a secret for the benchmark, long enough")
CLAIMED_AT_ONCE = 1000


class Kept:
    """A provider that keeps what it is handed."""

    name = "kept"

    def __init__(self) -> None:
        self.outgoing: list[Outgoing] = []

    def send(self, batch: Sequence[Outgoing], now: datetime) -> list[Answer]:
        self.outgoing += batch
        return [Accepted(str(each.delivery_id)) for each in batch]

    def settle(self, batch: Sequence[Unsettled], now: datetime) -> list[Settlement]:
        return [Unknown("nobody is asked here") for _ in batch]

    def close(self) -> None:
        pass


def measure() -> list[Figure]:
    """Both, one after the other, as emails a second."""
    ids = (MODELS + 1, MODELS + EMAILS)
    with (
        stage() as on,
        population(on.server, MODELS + EMAILS) as people,
        sink("smtp_sink") as at,
        people.copy() as database,
        connect(database) as connection,
    ):
        configure_logs(Settings(log_format="json"))
        engine = open_engine(database)
        kept, smtp = Kept(), Smtp(at.url, FROM)
        make_due(connection, Channel.EMAIL, 1, MODELS, system_clock())
        with (on.folder / "warm-up.log").open("w") as log, redirect_stderr(log):
            send_all(Sender(engine, content_dir(), {Channel.EMAIL: kept}, links=LINKS))
        bare = EMAILS / timed(lambda: send_barely(at, kept.outgoing))
        assert at.ask("reset")["count"] == 0
        make_due(connection, Channel.EMAIL, *ids, system_clock())
        connection.execute("VACUUM ANALYZE")
        sender = Sender(engine, content_dir(), {Channel.EMAIL: smtp}, links=LINKS)
        with (on.folder / "emails.log").open("w") as log, redirect_stderr(log):
            ours = EMAILS / timed(lambda: send_all(sender))
        assert at.ask("count") == {"count": EMAILS, "distinct": EMAILS}
        assert unfinished(connection, ids) == 0
        smtp.close()
        engine.dispose()
    what = f"{EMAILS:,} emails, one process / built and sent by the library"
    return [Figure(what, ours, bare, 1.5, "emails/s", "at least")]


def send_all(sender: Sender) -> None:
    """Send every email that is due, as a worker does."""
    while (claim := sender.claim(system_clock(), Channel.EMAIL, CLAIMED_AT_ONCE)).ids:
        sender.work_through(claim, system_clock)
    sender.close()


def send_barely(at: Sink, models: Sequence[Outgoing]) -> None:
    """Build and send so many mails with the words of the models."""
    there = urlsplit(at.url)
    with smtplib.SMTP(there.hostname or "", there.port or 0) as server:
        for n in range(EMAILS):
            model = models[n % len(models)]
            assert isinstance(model.content, EmailContent)
            mail = build(model.content, f"p{n}@example.com", n, system_clock())
            server.send_message(mail, FROM, [mail["To"]])


def build(content: EmailContent, to: str, n: int, now: datetime) -> EmailMessage:
    """The same mail as Drip's, with the standard library."""
    mail = EmailMessage()
    mail["From"] = formataddr((content.from_name, FROM))
    mail["To"] = to
    mail["Reply-To"] = content.reply_to
    mail["Subject"] = content.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<bare-{n}@example.com>"
    mailto = f"<mailto:{content.reply_to}?subject=unsubscribe>"
    mail["List-Unsubscribe"] = f"<{content.unsubscribe_url}>, {mailto}"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(content.text)
    mail.add_alternative(content.html, subtype="html")
    return mail
