"""Twilio's webhooks beside a bare handler that checks the signature and inserts one row.

Both are served by one uvicorn process on PostgreSQL. `DRIP_TEST_RECEIPTS` says how many receipts
"many" is, and `DRIP_TEST_WEBHOOKS` how many requests a round has: smaller ones make a short form.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlencode
from urllib.request import urlopen

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from tests.benchmarks.bare_webhook import PUBLIC, TABLE, TOKEN
from tests.benchmarks.figures import Figure
from tests.benchmarks.population import population
from tests.benchmarks.stage import Stage, connect, stage, wait_until
from tests.web.conftest import free_port

MANY = int(os.environ.get("DRIP_TEST_RECEIPTS", "1000000"))
REQUESTS = int(os.environ.get("DRIP_TEST_WEBHOOKS", "2000"))
STOPS = max(REQUESTS // 5, 100)
ROUNDS = 3
AT_ONCE = 32
WARM_UP = 100

_VALIDATOR = RequestValidator(TOKEN)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A server, and requests for it that were signed before: receipts, and texts that say STOP."""

    port: int
    receipts: Iterator[bytes]
    stops: Iterator[bytes]


def measure() -> list[Figure]:
    """All in turns in one run; the medians of the rounds."""
    patients = STOPS * ROUNDS + WARM_UP
    with (
        stage() as on,
        population(on.server, max(patients, REQUESTS * ROUNDS // 2)) as people,
        people.copy() as few_receipts,
        people.copy() as many_receipts,
    ):
        for database, count in ((few_receipts, 0), (many_receipts, MANY)):
            _fill(database, count)
        with (
            _drip(on, few_receipts) as few,
            _drip(on, many_receipts) as many,
            _bare(on, few_receipts) as bare,
        ):
            for each in (few, many, bare):
                _load(each.port, list(islice(each.receipts, WARM_UP)), AT_ONCE)
                _load(each.port, list(islice(each.stops, WARM_UP // 2)), 1)
            rates = [[_rate(each) for each in (few, many, bare)] for _ in range(ROUNDS)]
            waits = [[_p99(each) for each in (few, many, bare)] for _ in range(ROUNDS)]
    few_rate, many_rate, bare_rate = map(statistics.median, zip(*rates, strict=True))
    few_p99, many_p99, bare_p99 = map(statistics.median, zip(*waits, strict=True))
    return [
        Figure("status webhooks a second", few_rate, bare_rate, 0.5, "/s", "at least"),
        Figure("p99 of an inbound STOP / of a bare insert", few_p99, bare_p99, 5, "ms"),
        Figure(
            f"a status webhook with {MANY:,} receipts / with none",
            1000 / many_rate,
            1000 / few_rate,
            1.3,
            "ms",
        ),
        Figure(f"p99 of a STOP with {MANY:,} receipts / with none", many_p99, few_p99, 1.3, "ms"),
    ]


def _rate(to: Receiver) -> float:
    """Receipts a second, from many connections."""
    requests = list(islice(to.receipts, REQUESTS))
    start = time.perf_counter()
    _load(to.port, requests, AT_ONCE)
    return len(requests) / (time.perf_counter() - start)


def _p99(to: Receiver) -> float:
    """The 99th percentile of texts, one after the other, in milliseconds."""
    waits = _load(to.port, list(islice(to.stops, STOPS)), 1)
    return statistics.quantiles(waits, n=100, method="inclusive")[98] * 1000


# --- Requests -------------------------------------------------------------------------------------


def _load(port: int, requests: Sequence[bytes], at_once: int) -> list[float]:
    """Post them over kept connections; gives the seconds that each took."""
    left = iter(requests)
    waits: list[float] = []

    async def post_what_is_left() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in left:
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith((b"HTTP/1.1 204", b"HTTP/1.1 200")), head
            if b"content-length: " in head:
                await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r")[0]))
            waits.append(time.perf_counter() - start)
        writer.close()
        await writer.wait_closed()

    async def post_all() -> None:
        await asyncio.gather(*(post_what_is_left() for _ in range(at_once)))

    asyncio.run(post_all())
    return waits


def _request(path: str, fields: dict[str, str]) -> bytes:
    body = urlencode(fields)
    signature = _VALIDATOR.compute_signature(PUBLIC + path, fields)
    return (
        f"POST {path} HTTP/1.1\r\nHost: inside\r\nX-Twilio-Signature: {signature}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _receipt(delivery_id: int) -> bytes:
    sid = f"SM{delivery_id:032}"
    return _request(
        f"/webhooks/twilio/status/{delivery_id}",
        {
            "AccountSid": "AC" + "0" * 32,
            "ApiVersion": "2010-04-01",
            "From": "+15005550006",
            "MessageSid": sid,
            "MessageStatus": "delivered",
            "SmsSid": sid,
            "SmsStatus": "delivered",
            "To": "+12005550101",
        },
    )


def _stop(number: int, phone: str) -> bytes:
    sid = f"SM{number:032x}"
    return _request(
        "/webhooks/twilio/inbound",
        {
            "AccountSid": "AC" + "0" * 32,
            "Body": "STOP",
            "From": phone,
            "MessageSid": sid,
            "NumMedia": "0",
            "To": "+15005550006",
        },
    )


# --- Servers and rows -----------------------------------------------------------------------------


@contextmanager
def _drip(on: Stage, database: str) -> Iterator[Receiver]:
    port = free_port()
    settings = {
        "DRIP_DATABASE_URL": database,
        "DRIP_PUBLIC_URL": PUBLIC,
        "DRIP_TWILIO_AUTH_TOKEN": TOKEN,
        "DRIP_LOG_LEVEL": "warning",
    }
    ids, phones = _those(database)
    with on.process(["-m", "drip", "serve", "--port", str(port)], settings):
        wait_until(lambda: _answers(port), 0.1)
        stops = (_stop(number, phone) for number, phone in enumerate(phones))
        yield Receiver(port, map(_receipt, ids), stops)


@contextmanager
def _bare(on: Stage, database: str) -> Iterator[Receiver]:
    port = free_port()
    with connect(database) as connection:
        connection.execute(TABLE)
    ids, _ = _those(database)
    with on.process(["-m", "tests.benchmarks.bare_webhook", database, str(port)]):
        wait_until(lambda: _answers(port), 0.1)
        requests = map(_receipt, ids)
        yield Receiver(port, requests, requests)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=5):
            return True
    except OSError:
        return False


def _those(database: str) -> tuple[list[int], list[str]]:
    """The deliveries that Twilio accepted, and the phones."""
    with connect(database) as connection:
        ids = connection.execute(
            "SELECT id FROM deliveries WHERE status = 'accepted' AND channel = 'sms' ORDER BY id"
        )
        phones = connection.execute("SELECT phone FROM patients ORDER BY id")
        return [id_ for (id_,) in ids.fetchall()], [phone for (phone,) in phones.fetchall()]


def _fill(database: str, count: int) -> None:
    """An attempt for all that was accepted, and so many receipts of other messages."""
    with connect(database) as connection:
        connection.execute("SET session_replication_role = replica")  # no foreign keys
        connection.execute(
            "INSERT INTO attempts (clinic_id, delivery_id, number, provider, address, body,"
            " started_at, finished_at, outcome, provider_id)"
            " SELECT clinic_id, id, 1, 'twilio', '+12005550101', 'Hello', sent_at, sent_at,"
            " 'accepted', 'SM' || lpad(id::text, 32, '0') FROM deliveries"
            " WHERE status = 'accepted' AND channel = 'sms'"
        )
        connection.execute(
            "INSERT INTO receipts (clinic_id, delivery_id, provider, provider_id, status,"
            " received_at) SELECT 1, 10000000 + g / 3, 'twilio', 'SM' || md5((g / 3)::text),"
            " (ARRAY['queued', 'sent', 'delivered'])[g %% 3 + 1], now()"
            " FROM generate_series(1, %s) AS g",
            (count,),
        )
        for table in ("addresses", "consents", "deliveries", "enrollments", "patients"):
            connection.execute(  # the copies of the population have taken ids without asking
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
            )
        connection.execute("VACUUM ANALYZE")
