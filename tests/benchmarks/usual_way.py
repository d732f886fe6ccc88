"""What engine figures are held against: reminders as they are usually sent with Celery.

One task a message with its `eta`, the official Twilio client as it comes, a Jinja2 template, and
one UPDATE each. `BENCH_DATABASE`, `BENCH_REDIS` and `BENCH_SINK` say where.
"""

import os
from functools import cache
from typing import Any

from celery import Celery
from jinja2 import Template
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from drip.clock import system_clock

app = Celery("usual_way", broker=os.environ.get("BENCH_REDIS"))
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True

TABLE = """
CREATE TABLE messages (
    id bigint PRIMARY KEY, phone text NOT NULL, name text NOT NULL, due_at timestamptz NOT NULL,
    status text NOT NULL, sid text, sent_at timestamptz
)
"""
MESSAGES = """
INSERT INTO messages
SELECT n, '+1' || (200 + n / 100) || '55501' || lpad((n % 100)::text, 2, '0'), 'Pat ' || n, now(),
    'scheduled'
FROM generate_series(1, {count}) AS n
"""

_BODY = Template(
    "River Clinic: Hi {{ name }}, your visit is on {{ when }}. Please arrange a ride home now: you"
    " cannot drive yourself that day. Questions? Call +1 212 555 0100. Reply STOP to end texts."
)
_MARK = text("UPDATE messages SET status = 'accepted', sid = :sid, sent_at = :at WHERE id = :id")


class AtSink(TwilioHttpClient):  # type: ignore[misc]
    """The official client's own way over `requests`, to the sink in Twilio's stead."""

    def request(self, method: str, url: str, *args: Any, **more: Any) -> Response:
        there = url.replace("https://api.twilio.com", os.environ["BENCH_SINK"])
        return super().request(method, there, *args, **more)


@cache
def _client() -> Client:
    return Client("AC" + "0" * 32, "token", http_client=AtSink())


@cache
def _engine() -> Engine:
    return create_engine(os.environ["BENCH_DATABASE"].replace("postgresql:", "postgresql+psycopg:"))


@app.task  # type: ignore[untyped-decorator]
def send(id_: int, phone: str, name: str) -> None:
    """Send one message and note that it is sent."""
    message = _client().messages.create(
        to=phone,
        messaging_service_sid="MG" + "0" * 32,
        body=_BODY.render(name=name, when="Thu Nov 26 at 9:15 AM"),
        status_callback=f"https://drip.example.com/webhooks/twilio/status/{id_}",
    )
    with _engine().begin() as connection:
        connection.execute(_MARK, {"sid": message.sid, "at": system_clock(), "id": id_})
