"""A clinic whose emails carry links, and a real server behind them."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from drip.app import App
from drip.config import Secret, Settings
from drip.core.links import Links
from drip.core.outgoing import Outgoing
from drip.providers.mime import compose
from drip.services.outbound.sending import Sender
from drip.store.engine import reading
from drip.store.schema import Consent
from drip.web.app import create_app
from tests.services.desk import Desk
from tests.web.pages_house import SECRET, Moment

PUBLIC_URL = "https://drip.example.com"
FROM = "care@example.com"


@dataclass
class EmailHouse:
    """A desk whose sender knows the links, and a client of its server."""

    desk: Desk
    moment: Moment
    served: FastAPI
    web: httpx.Client
    links: Links = field(default_factory=lambda: Links(PUBLIC_URL, SECRET))

    def __post_init__(self) -> None:
        self.desk.sender.links = self.links

    def new_sender(self) -> Sender:
        """Another sender that knows the links."""
        sender = self.desk.new_sender()
        sender.links = self.links
        return sender

    def enroll(self, number: int = 1, **fields: str) -> int:
        """Enrol a patient and send what is due; gives the enrollment."""
        enrolled = self.desk.enroll(number, self.moment.now, **fields)
        self.desk.send_all(self.moment.now)
        return enrolled.enrollment_id

    def mail(self, outgoing: Outgoing | None = None) -> Mapping[str, str]:
        """The headers of an email, the last one by default, as they go over the wire."""
        last = outgoing or self.desk.email.sent[-1][1]
        data = compose(last, FROM, self.moment.now)
        assert isinstance(data, bytes)
        return dict(message_from_bytes(data, policy=policy.default).items())

    def unsubscribe_path(self) -> str:
        """Where the last email's header sends a mail program."""
        found = re.match(rf"<{PUBLIC_URL}(/u/[^>]+)>", self.mail()["List-Unsubscribe"])
        assert found is not None
        return found[1]

    def preferences_path(self) -> str:
        """Where the last email's footer sends a patient who chooses."""
        content = self.desk.email.sent[-1][1].content
        found = re.search(rf'href="{PUBLIC_URL}(/p/[^"]+)"', getattr(content, "html", ""))
        assert found is not None
        return found[1]

    def ledger(self) -> list[str]:
        """Every word on consent, as "sms given web patient"."""
        with reading(self.desk.engine) as session:
            return [
                f"{row.channel} {'given' if row.given else 'taken back'} {row.how} {row.by_whom}"
                for row in session.query(Consent).order_by(Consent.id)
            ]


@contextmanager
def email_house(engine: Engine, **settings: str) -> Iterator[EmailHouse]:
    """Open a house on a database with no rows."""
    desk, moment = Desk(engine), Moment()
    made = Settings(
        database_url=Secret("sqlite://"),
        public_url=PUBLIC_URL,
        secret_key=Secret(SECRET),
        **settings,  # type: ignore[arg-type]
    )
    app = App(made, moment)
    app.__dict__["engine"] = engine
    served = create_app(app)
    with serving(served) as address, httpx.Client(base_url=address, timeout=30) as web:
        yield EmailHouse(desk, moment, served, web)


@contextmanager
def serving(served: FastAPI) -> Iterator[str]:
    """Serve an application on a port of this machine; gives its address."""
    server = uvicorn.Server(uvicorn.Config(served, port=0, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
