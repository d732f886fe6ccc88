"""A server that answers as Twilio does, on loopback, with every way to misbehave.

In a test:

    with TwilioServer() as server:
        server.behave(Behaviour(status=429, headers={"Retry-After": "7"}), to="+12025550101")
        ...
        assert server.texts("+12025550102") == ["Hello"]

As a process of its own, which prints its address and outlives whatever it is tested with:

    python -m tests.servers.twilio_server --port 0 --state texts.jsonl

It keeps each text in the state file before it answers, and `GET /_test/texts` lists them.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from drip.clock import system_clock
from tests.servers.twilio_numbers import refusal_of

ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "token"
SENDER = "+15005550006"


@dataclass(frozen=True)
class Behaviour:
    """What happens to a new text.

    It is answered with `status` and, if that is no success, `code`, after `delay` seconds; or
    the connection is treated as `how` says: `hang` (silence), `reset`, `hang up`; `garbage`
    answers with something that is not JSON. `taken` says whether the text is accepted all the
    same; by default it is only if it is answered well. `times` is how often it happens.
    """

    status: int = 201
    code: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    how: str = "answer"
    taken: bool | None = None
    times: int = 1_000_000


class TwilioServer:
    """Accepts texts into `messages`, Twilio's JSON for each.

    `posts` counts requests for each number, `shown` has the ids of messages that were asked for
    one by one, `connections` counts all connections. While `waits` is
    true, texts stay queued: they have no sending date. The list answers with `list_status`, or
    with `list_page` word by word. `clock` gives the time of creation.
    """

    def __init__(
        self,
        port: int = 0,
        state: Path | None = None,
        clock: Callable[[], datetime] = system_clock,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port, self.clock, self.tls, self._state = port, clock, tls, state
        self.messages: list[dict[str, Any]] = []
        self.posts: Counter[str] = Counter()
        self.forms: list[dict[str, str]] = []
        self.connections = 0
        self.most_at_once = 0
        self.waits = False
        self.list_status = 200
        self.list_page: bytes | None = None
        self.shown: list[str] = []
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self._ways: dict[str | None, Behaviour] = {}
        self._http: _Http | None = None
        self._thread: threading.Thread | None = None
        if state is not None and state.exists():
            self.messages = [json.loads(line) for line in state.read_text().splitlines()]

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def behave(self, way: Behaviour | None = None, to: str | None = None) -> None:
        """Treat texts to this number, or all others, in this way from now on."""
        with self.lock:
            self._ways[to] = way or Behaviour()

    def behave_well(self) -> None:
        """Treat all texts well from now on."""
        with self.lock:
            self._ways.clear()

    def texts(self, to: str) -> list[str]:
        """The words of the texts to this number, oldest first."""
        with self.lock:
            return [message["body"] for message in self.messages if message["to"] == to]

    def fail(self, sid: str, code: int) -> None:
        """Let a text come to nothing later."""
        with self.lock:
            for message in self.messages:
                if message["sid"] == sid:
                    message |= {"status": "undelivered", "error_code": code}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; the same port again after a stop."""
        self.stopping.clear()
        self._http = _Http(self)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and end all connections."""
        if self._http is not None and self._thread is not None:
            self.stopping.set()
            self._http.shutdown()
            self._thread.join()
            self._http.end_connections()
            self._http.server_close()
            self._http = None

    def way_to(self, to: str) -> Behaviour:
        """What to do with this text; counts it down."""
        with self.lock:
            key = to if to in self._ways else None
            way = self._ways.get(key, Behaviour())
            if way.times <= 0:
                return Behaviour()
            self._ways[key] = replace(way, times=way.times - 1)
            return way

    def accept(self, form: dict[str, str]) -> dict[str, Any]:
        """Keep a text; what Twilio answers to it."""
        with self.lock:
            now = self.clock()
            number = len(self.messages)
            sid = "SM" + hashlib.md5(f"{number} {now}".encode()).hexdigest()
            uri = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}"
            service = form.get("MessagingServiceSid")
            answer = {
                "account_sid": ACCOUNT_SID,
                "api_version": "2010-04-01",
                "body": form["Body"],
                "date_created": format_datetime(now),
                "date_sent": None,
                "date_updated": format_datetime(now),
                "direction": "outbound-api",
                "error_code": None,
                "error_message": None,
                "from": form.get("From"),
                "messaging_service_sid": service,
                "num_media": "0",
                "num_segments": "0" if service else "1",
                "price": None,
                "price_unit": "USD",
                "sid": sid,
                "status": "accepted" if service else "queued",
                "subresource_uris": {"media": f"{uri}/Media.json"},
                "to": form["To"],
                "uri": f"{uri}.json",
            }
            sent = {} if self.waits else {"date_sent": format_datetime(now), "status": "sent"}
            self.messages.append(answer | sent)
            if self._state is not None:
                with self._state.open("a") as file:
                    file.write(json.dumps(answer | sent) + "\n")
            return answer

    def listed(self, query: dict[str, str], path: str) -> dict[str, Any]:
        """A page of the list of messages, newest first, by Twilio's filters."""
        with self.lock:
            found = [message for message in reversed(self.messages) if _fits(message, query)]
        size, page = int(query.get("PageSize", 50)), int(query.get("Page", 0))
        start, end = page * size, (page + 1) * size

        def uri_of(number: int) -> str:
            return f"{path}?{urlencode(query | {'PageSize': str(size), 'Page': str(number)})}"

        return {
            "end": min(end, len(found)) - 1,
            "first_page_uri": uri_of(0),
            "messages": found[start:end],
            "next_page_uri": uri_of(page + 1) if len(found) > end else None,
            "page": page,
            "page_size": size,
            "previous_page_uri": uri_of(page - 1) if page else None,
            "start": start,
            "uri": uri_of(page),
        }


def _fits(message: dict[str, Any], query: dict[str, str]) -> bool:
    if any(query.get(name, message[name.lower()]) != message[name.lower()] for name in _EXACT):
        return False
    dates = {name: value[:10] for name, value in query.items() if name.startswith("DateSent")}
    if not dates:
        return True
    if message["date_sent"] is None:
        return False
    sent = parsedate_to_datetime(message["date_sent"]).date().isoformat()
    return (
        dates.get("DateSent", sent) == sent
        and sent <= dates.get("DateSent<", sent)
        and sent >= dates.get("DateSent>", sent)
    )


_EXACT = ("To", "From")


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 256

    def __init__(self, twilio: TwilioServer) -> None:
        self.twilio = twilio
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", twilio.port), _Handler)
        if twilio.tls is not None:
            self.socket = twilio.tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.twilio.lock:
            self.twilio.connections += 1
            self._open.add(request)
            self.twilio.most_at_once = max(self.twilio.most_at_once, len(self._open))
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.twilio.lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        with self.twilio.lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Http

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
        elif self.path == "/_test/list_status":
            self.server.twilio.list_status = json.loads(body)["status"]
            self._answer(200, {})
        elif self.path == "/_test/behave_well":
            self.server.twilio.behave_well()
            self._answer(200, {})
        elif self.path == "/_test/behave":
            asked = json.loads(body)
            self.server.twilio.behave(Behaviour(**asked["way"]), asked.get("to"))
            self._answer(200, {})
        elif self._may_come_in():
            self._create({name: v[0] for name, v in parse_qs(body.decode(), True).items()})

    def do_GET(self) -> None:
        twilio = self.server.twilio
        parts = urlsplit(self.path)
        if parts.path == "/_test/texts":
            self._answer(200, {"messages": twilio.messages, "posts": dict(twilio.posts)})
        elif self._may_come_in():
            if twilio.list_status != 200:
                self._refuse(twilio.list_status, 20500, "Internal Server Error")
                return
            if twilio.list_page is not None:
                self._write(200, twilio.list_page, {})
                return
            if not parts.path.endswith("/Messages.json"):
                self._show(parts.path.rpartition("/")[2].removesuffix(".json"))
                return
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._answer(200, twilio.listed(query, parts.path))

    def _show(self, sid: str) -> None:
        with self.server.twilio.lock:
            self.server.twilio.shown.append(sid)
            found = [each for each in self.server.twilio.messages if each["sid"] == sid]
        if found:
            self._answer(200, found[0])
        else:
            self._refuse(404, 20404, "The requested resource was not found")

    def _may_come_in(self) -> bool:
        login = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            self._refuse(401, 20003, "Authenticate")
            return False
        account = re.escape(f"/2010-04-01/Accounts/{ACCOUNT_SID}")
        if not re.fullmatch(f"{account}/Messages(/SM[0-9a-f]+)?\\.json", urlsplit(self.path).path):
            self._refuse(404, 20404, "The requested resource was not found")
            return False
        return True

    def _create(self, form: dict[str, str]) -> None:
        twilio = self.server.twilio
        with twilio.lock:
            twilio.posts[form.get("To", "")] += 1
            twilio.forms.append(form)
        way = twilio.way_to(form.get("To", ""))
        if way.delay:
            twilio.stopping.wait(way.delay)
        refusal = refusal_of(form)
        answer: dict[str, Any] = {}
        well = way.how == "answer" and way.status < 300
        if refusal is None and (well if way.taken is None else way.taken):
            answer = twilio.accept(form)
        if way.how in {"hang", "reset", "hang up"}:
            self._go_silent(way.how)
        elif way.how == "garbage":
            self._write(way.status, b"<html>this is not Twilio</html>", {})
        elif well and refusal is not None:
            self._refuse(400, *refusal)
        elif well:
            self._answer(way.status, answer)
        else:
            code = way.code if way.code is not None else way.status * 100
            self._refuse(way.status, code, "as the test asked", way.headers)

    def _go_silent(self, how: str) -> None:
        self.close_connection = True
        if how == "hang":
            self.server.twilio.stopping.wait(3600)
        elif how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    def _refuse(
        self, status: int, code: int, message: str, headers: dict[str, str] | None = None
    ) -> None:
        more = f"https://www.twilio.com/docs/errors/{code}"
        answer = {"code": code, "message": message, "more_info": more, "status": status}
        self._answer(status, answer, headers)

    def _answer(
        self, status: int, answer: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        self._write(
            status,
            json.dumps(answer).encode(),
            {"Content-Type": "application/json"} | (headers or {}),
        )

    def _write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A server that answers as Twilio does")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--ahead", type=Path, help="how many seconds its clock is fast: a file")
    options = parser.parse_args()

    def clock() -> datetime:
        return system_clock() + timedelta(seconds=float(options.ahead.read_text()))

    server = TwilioServer(options.port, options.state, clock if options.ahead else system_clock)
    server.behave(Behaviour(delay=options.delay))
    with server, contextlib.suppress(KeyboardInterrupt):
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
