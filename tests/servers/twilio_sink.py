"""Takes texts as Twilio's API does, as fast as one core can: for figures, not for behaviour.

A process of its own: `python -m tests.servers.twilio_sink [--delay SECONDS]` prints its address.
Every POST is answered `201` with a new sid, at once or after the delay; its body is kept and read
only when it is asked for:

    GET /_count        {"count", "first", "last"}; the times are the sink's clock
    GET /_duplicates   the keys that came more than once
    GET /_arrivals     [key, time] of each, in order
    POST /_reset       forget all

The key of a text is the last part of its StatusCallback, or its To and Body where it has none.
"""

import argparse
import asyncio
import gc
import json
import time
from collections import Counter
from urllib.parse import parse_qs

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Texts:
    """What came, and when (Unix time)."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.times: list[float] = []

    def keys(self) -> list[str]:
        return [_key(body) for body in self.bodies]

    def tell(self, path: str) -> object:
        """The answer to a question."""
        match path:
            case "/_count":
                first, last = (self.times[0], self.times[-1]) if self.times else (None, None)
                return {"count": len(self.bodies), "first": first, "last": last}
            case "/_duplicates":
                return [key for key, times in Counter(self.keys()).items() if times > 1]
            case "/_arrivals":
                return list(zip(self.keys(), self.times, strict=True))
            case "/_reset":
                self.bodies.clear()
                self.times.clear()
                return {}
        return None


class Connection(asyncio.Protocol):
    """One client: HTTP/1.1, kept alive, with any number of requests under way."""

    def __init__(self, texts: Texts, delay: float) -> None:
        self._texts, self._delay = texts, delay
        self._later = asyncio.get_running_loop().call_later
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        held = self._held + data if self._held else data
        answers = []
        while (end := held.find(_HEAD_END)) >= 0:
            head, body_at = held[:end], end + 4
            whole = body_at + _content_length(head)
            if len(held) < whole:
                break
            answers.append(self._answer(head, held[body_at:whole]))
            held = held[whole:]
        self._held = held
        if answers and self._delay:
            self._later(self._delay, self._write, b"".join(answers))
        elif answers:
            self._transport.write(b"".join(answers))

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

    def _answer(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/_"):
            told = json.dumps(self._texts.tell(path.decode())).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)
        texts = self._texts
        texts.bodies.append(body)
        texts.times.append(time.time())  # noqa: TID251 - compared with what a database holds
        return _TAKEN % len(texts.bodies)


def _content_length(head: bytes) -> int:
    low = head.lower()
    at = low.find(_LENGTH)
    if at < 0:
        return 0
    return int(low[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


def _key(body: bytes) -> str:
    form = parse_qs(body.decode("ascii"))
    if callback := form.get("StatusCallback"):
        return callback[0].rpartition("/")[2]
    return f"{form['To'][0]} {form['Body'][0]}"


def _taken() -> bytes:
    """The answer to a text, as a template: the number makes the sid."""
    fields = {
        "sid": "SM%032x",
        "account_sid": "AC" + "0" * 32,
        "status": "accepted",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "num_segments": "1",
        "date_created": "Mon, 07 Jan 2030 15:00:00 +0000",
        "uri": "/2010-04-01/Accounts/AC/Messages.json",
    }
    body = json.dumps(fields)
    head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body % 0)}\r\n\r\n{body}".encode()


_TAKEN = _taken()


async def serve(port: int, delay: float) -> None:
    """Listen until killed; the address is printed."""
    texts = Texts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(texts, delay), "127.0.0.1", port, backlog=2000
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds until an answer")
    given = parser.parse_args()
    gc.disable()  # nothing here makes a circle
    asyncio.run(serve(given.port, given.delay))


if __name__ == "__main__":
    main()
