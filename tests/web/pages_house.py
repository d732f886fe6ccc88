"""A clinic whose patients' pages are served by a real server, at a moment that a test chooses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import httpx
import uvicorn
from sqlalchemy import Engine

from drip.app import App
from drip.config import Secret, Settings
from drip.core.links import Links
from drip.web.app import create_app
from tests.services.desk import NOW, Desk

SECRET = "a secret for tests, long enough to be one"


@dataclass
class Moment:
    """A clock that stands until it is set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """The time."""
        return self.now


@dataclass
class House:
    """A desk, and its pages at `address`."""

    desk: Desk
    moment: Moment
    address: str
    links: Links = field(init=False)

    def __post_init__(self) -> None:
        self.links = Links(self.address, SECRET)

    def url(self, delivery_id: int, expires_at: datetime | None = None) -> str:
        """The link of a delivery's page."""
        clinic_id, now = self.desk.scope.clinic_id, self.moment.now
        if expires_at is None:
            return self.links.page(clinic_id, delivery_id, now, now)
        return self.links.url("page", clinic_id, delivery_id, expires_at)

    def enroll(
        self, step: str = "day-before", channel: str = "sms", number: int = 1, **fields: str
    ) -> str:
        """Enrol patient number so-and-so; the link of a step's page."""
        enrolled = self.desk.enroll(number, self.moment.now, **fields)
        return self.url(self.desk.row(enrolled.enrollment_id, step, channel).id)

    def get(self, url: str, **headers: str) -> httpx.Response:
        """What the server answers."""
        return httpx.get(url, headers=headers)

    def press(self, url: str, action: str, **fields: str) -> httpx.Response:
        """Press a button of a page."""
        return httpx.post(f"{url}/{action}", data=fields)


@contextmanager
def pages_house(engine: Engine, **clinic: object) -> Iterator[House]:
    """Open a house on a database with no rows; `clinic` changes the sample clinic's profile."""
    desk = Desk(engine)
    if clinic:
        desk = Desk(engine, replace(desk.clinic, **clinic))  # type: ignore[arg-type]
    moment = Moment()
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(
        database_url=Secret(url), public_url="http://127.0.0.1", secret_key=Secret(SECRET)
    )
    app = App(settings, moment)
    config = uvicorn.Config(
        create_app(app), port=0, log_level="critical", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield House(desk, moment, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join()
        app.engine.dispose()
