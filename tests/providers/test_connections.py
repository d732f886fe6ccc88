"""Connections: one request, one answer, and what is known when there is none."""

import asyncio
import gc
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from drip.providers import connections as module
from drip.providers.connections import (
    Connections,
    HttpAnswer,
    NoAnswerError,
    NotSentError,
    Origin,
)
from drip.providers.connections_thread import ConnectionsThread
from tests.servers.scripted_server import Peer, ScriptedServer, keeping

Script = Callable[[Peer, int], object]
Serve = Callable[..., ScriptedServer]
TIMEOUT = 0.4
LONG = 30.0
"""For what must not run into a time-out."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that end with the test."""
    running: list[ScriptedServer] = []

    def start(script: Script = keeping, tls: ssl.SSLContext | None = None) -> ScriptedServer:
        running.append(ScriptedServer(script, tls))
        return running[-1].__enter__()

    yield start
    for server in running:
        server.__exit__()


Threaded = Callable[..., ConnectionsThread]


@pytest.fixture
def threaded() -> Iterator[Threaded]:
    """Make connections in a thread, ended after the test."""
    made: list[ConnectionsThread] = []

    def make(url: str, timeout: float = LONG, **options: Any) -> ConnectionsThread:
        made.append(ConnectionsThread(lambda: Connections(url, timeout=timeout, **options)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def post(thread: ConnectionsThread, body: bytes = b"a=1") -> HttpAnswer:
    return thread.run(lambda connections: connections.post("/texts", body))


def saying(raw: bytes, *, then_close: bool = False, at_once: bool = True) -> Script:
    """A script that answers each request with these bytes, one by one if not `at_once`."""

    def script(peer: Peer, _: int) -> None:
        while peer.request():
            for piece in [raw] if at_once else [bytes([byte]) for byte in raw]:
                peer.sock.sendall(piece)
            if then_close:
                return

    return script


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n2\r\nwe\r\n2;x=y\r\nll\r\n0\r\n"


def test_a_request_goes_out_as_it_should(serve: Serve, threaded: Threaded) -> None:
    seen: list[bytes] = []

    def script(peer: Peer, _: int) -> None:
        while request := peer.request():
            seen.append(request)
            peer.answer()

    server = serve(script)
    thread = threaded(server.url + "/v1/")
    fields = {"Accept": "application/json"}
    thread.run(lambda it: it.post("/texts?a=%20", b"b=1", fields))
    thread.run(lambda it: it.request("GET", "/texts", fields))
    common = f"Host: 127.0.0.1:{server.port}\r\nAccept-Encoding: identity\r\n"
    common += "Accept: application/json\r\n"
    assert [request.decode() for request in seen] == [
        f"POST /v1/texts?a=%20 HTTP/1.1\r\n{common}Content-Length: 3\r\n\r\nb=1",
        f"GET /v1/texts HTTP/1.1\r\n{common}\r\n",
    ]


@pytest.mark.parametrize("at_once", [True, False], ids=["whole", "byte by byte"])
@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (OK + b"Content-Length: 4\r\n\r\nwell", True),
        (OK + CHUNKS + b"\r\n", True),
        (OK + CHUNKS + b"Trailer: x\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 4\r\n\r\nwell", True),
        (b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK + CHUNKS + b"\r\n", True),
        (OK + b"Connection: close\r\nContent-Length: 4\r\n\r\nwell", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nwell", False),
        (OK + b"\r\nwell", False),
    ],
    ids=["length", "chunks", "trailer", "100", "103", "close", "1.0", "until closed"],
)
def test_an_answer_is_read_in_every_form_and_the_connection_kept_if_it_may_be(
    serve: Serve, threaded: Threaded, raw: bytes, *, kept: bool, at_once: bool
) -> None:
    server = serve(saying(raw, then_close=not kept, at_once=at_once))
    thread = threaded(server.url)
    for _ in range(3):
        answer = post(thread)
        assert (answer.status, answer.body) == (200, b"well")
    assert server.connections == (1 if kept else 3)


def test_an_answer_without_a_body_is_whole(serve: Serve, threaded: Threaded) -> None:
    server = serve(saying(b"HTTP/1.1 204 No Content\r\nX-Empty:\r\nRetry-After: 7\r\n\r\n"))
    thread = threaded(server.url)
    for _ in range(2):
        answer = post(thread)
        assert answer == HttpAnswer(204, {b"x-empty": b"", b"retry-after": b"7"}, b"")
    assert server.connections == 1


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"this is not HTTP\r\n\r\n", "garbled"),
        (OK + b"Content-Length: x\r\n\r\n", "garbled"),
        (OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nwell", "garbled"),
        (OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nwell", "garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nz\r\n", "garbled"),
        (b"HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "garbled"),
        (b"", "lost"),
        (b"HTTP/1.1 200", "lost"),
        (OK, "lost"),
        (OK + b"Content-Length: 5\r\n\r\nwell", "lost"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n", "lost"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "lost"),
    ],
)
def test_an_answer_that_is_broken_or_breaks_off_is_none(
    serve: Serve, threaded: Threaded, raw: bytes, why: str
) -> None:
    with pytest.raises(NoAnswerError, match=why):
        post(threaded(serve(saying(raw, then_close=True)).url))


def test_an_answer_that_does_not_end_is_none_and_is_not_kept_in_memory(
    serve: Serve, threaded: Threaded
) -> None:
    def script(peer: Peer, _: int) -> None:
        peer.request()
        peer.sock.sendall(OK + b"\r\n")
        while True:
            peer.sock.sendall(b"x" * 100_000)

    with pytest.raises(NoAnswerError, match="garbled"):
        post(threaded(serve(script).url))


def test_an_answer_that_only_drips_is_over_with_its_time(serve: Serve, threaded: Threaded) -> None:
    def script(peer: Peer, _: int) -> None:
        peer.request()
        peer.sock.sendall(OK + b"X: ")
        while not peer.ended.wait(0.05):
            peer.sock.sendall(b"x")

    started = time.monotonic()
    with pytest.raises(NoAnswerError, match="timeout"):
        post(threaded(serve(script).url, timeout=TIMEOUT))
    assert TIMEOUT <= time.monotonic() - started < TIMEOUT + 5


def test_requests_that_wait_for_an_answer_end_each_at_its_own_time(
    serve: Serve, threaded: Threaded
) -> None:
    def script(peer: Peer, _: int) -> None:
        peer.request()
        peer.ended.wait()

    async def one_after_another(connections: Connections) -> tuple[float, ...]:
        async def wait(after: float) -> float:
            await asyncio.sleep(after)
            started = time.monotonic()
            with pytest.raises(NoAnswerError, match="timeout"):
                await connections.post("/", b"")
            return time.monotonic() - started

        return await asyncio.gather(wait(0), wait(TIMEOUT / 2), wait(TIMEOUT * 2))

    waits = threaded(serve(script).url, timeout=TIMEOUT).run(one_after_another)
    assert all(TIMEOUT - 0.01 <= wait < TIMEOUT + 5 for wait in waits)


def test_nothing_listens_so_nothing_was_sent(threaded: Threaded) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSentError, match="connect"):
        post(threaded(f"http://127.0.0.1:{port}"))


def test_a_server_without_tls_was_sent_nothing(serve: Serve, threaded: Threaded) -> None:
    def script(peer: Peer, _: int) -> None:
        peer.sock.recv(65_536)
        peer.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.ended.wait()

    with pytest.raises(NotSentError, match="tls"):
        post(threaded(serve(script).url.replace("http:", "https:")))


def test_a_handshake_that_does_not_come_is_over_with_its_time(
    serve: Serve, threaded: Threaded
) -> None:
    server = serve(lambda peer, _: peer.ended.wait())
    with pytest.raises(NotSentError, match="timeout"):
        post(threaded(server.url.replace("http:", "https:"), timeout=TIMEOUT))


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("POST", "/\r\nX: y", {}),
        ("POST", "/ HTTP/1.1", {}),
        ("POST", "/é", {}),
        ("POST", "http://elsewhere.example.com/", {}),
        ("POST /", "/", {}),
        ("POST", "/", {"X": "y\r\nZ: z"}),
        ("POST", "/", {"X": "y\nZ: z"}),
        ("POST", "/", {"X\r\nZ": "z"}),
        ("POST", "/", {"X:": "z"}),
        ("POST", "/", {"X": "y\x00"}),
    ],
)
def test_what_would_break_out_of_its_line_is_not_sent(
    serve: Serve, threaded: Threaded, method: str, target: str, headers: dict[str, str]
) -> None:
    server = serve()
    with pytest.raises(NotSentError, match="garbled"):
        threaded(server.url).run(lambda it: it.request(method, target, headers))
    assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    ["", "h", "ftp://h", "http://", "http://h:x", "http://h:99999", "http://h/a b", "http://a..b"],
)
def test_what_is_no_address_is_an_error(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - urllib and idna have their own words
        Connections(url)


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("https://h/", Origin("h", 443, True, ""), "h"),
        ("http://h/v1/", Origin("h", 80, False, "/v1"), "h"),
        ("https://h:80", Origin("h", 80, True, ""), "h:80"),
        ("http://[::1]:8080", Origin("::1", 8080, False, ""), "[::1]:8080"),
        ("https://münchen.example.com", Origin("xn--mnchen-3ya.example.com", 443, True, ""), None),
    ],
)
def test_an_address_has_parts(url: str, origin: Origin, host: str | None) -> None:
    assert Origin.of(url) == origin
    assert origin.host_header == host or host is None


def test_a_connection_that_the_server_ended_is_not_used_though_the_loop_has_not_seen_it(
    serve: Serve, threaded: Threaded
) -> None:
    closed = threading.Semaphore(0)

    def script(peer: Peer, _: int) -> None:
        peer.request()
        peer.answer()
        peer.sock.close()
        closed.release()

    async def twenty(connections: Connections) -> None:
        for _ in range(20):
            assert (await connections.post("/", b"")).body == b"well"
            closed.acquire()  # the loop stands still meanwhile

    server = serve(script)
    threaded(server.url).run(twenty)
    assert server.connections == 20


@pytest.mark.parametrize("late", [True, False])
def test_an_answer_that_nobody_asked_for_is_nobodys(
    serve: Serve, threaded: Threaded, *, late: bool
) -> None:
    stray = threading.Semaphore(0)

    def script(peer: Peer, number: int) -> None:
        while peer.request():
            peer.answer(b"%d" % number, b"" if late else b"X: " + b"x" * 20 + b"\r\n")
            peer.answer(b"stray")
            stray.release()

    async def twice(connections: Connections) -> list[bytes]:
        first = await connections.post("/", b"")
        stray.acquire()
        if late:
            await asyncio.sleep(0.01)
        return [first.body, (await connections.post("/", b"")).body]

    assert threaded(serve(script).url).run(twice) == [b"0", b"1"]


def test_two_answers_at_once_are_one_too_many(serve: Serve, threaded: Threaded) -> None:
    two = OK + b"Content-Length: 4\r\n\r\nwell"
    server = serve(saying(two + two))
    thread = threaded(server.url)
    assert [post(thread).body, post(thread).body] == [b"well", b"well"]
    assert server.connections == 2


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    serve: Serve, threaded: Threaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    thread = threaded(server.url)
    post(thread)
    post(thread)
    assert server.connections == 1
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)
    post(thread)
    assert server.connections == 2


def test_a_request_that_was_cancelled_leaves_no_answer_for_the_next(
    serve: Serve, threaded: Threaded
) -> None:
    asked, go = threading.Event(), threading.Event()

    def script(peer: Peer, number: int) -> None:
        while peer.request():
            if number == 0:
                asked.set()
                go.wait()
            peer.answer(b"%d" % number)

    async def cancel_one(connections: Connections) -> bytes:
        task = asyncio.create_task(connections.post("/", b""))
        while not asked.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        go.set()
        return (await connections.post("/", b"")).body

    assert threaded(serve(script).url).run(cancel_one) == b"1"


def test_no_more_are_in_flight_than_allowed_however_many_threads_ask(
    serve: Serve, threaded: Threaded
) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def script(peer: Peer, _: int) -> None:
        nonlocal now, most
        while peer.request():
            with lock:
                now += 1
                most = max(most, now)
            peer.ended.wait(0.005)
            with lock:
                now -= 1
            peer.answer()

    async def many(connections: Connections) -> None:
        await asyncio.gather(*(connections.post("/", b"") for _ in range(20)))

    server = serve(script)
    thread = threaded(server.url, limit=7)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: thread.run(many), range(8)))
    assert most == server.connections == 7


def test_closing_ends_what_waits_and_says_what_may_have_been_acted_on(
    serve: Serve, threaded: Threaded
) -> None:
    asked = threading.Event()

    def script(peer: Peer, _: int) -> None:
        peer.request()
        asked.set()
        peer.ended.wait()

    async def two(connections: Connections) -> list[BaseException | HttpAnswer]:
        asks = [connections.post("/", b"") for _ in range(2)]
        return await asyncio.gather(*asks, return_exceptions=True)

    thread = threaded(serve(script).url, limit=1)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(thread.run, two)
        asked.wait()
        thread.close()
        first, second = waiting.result(timeout=5)
    assert isinstance(first, NoAnswerError)
    assert isinstance(second, NotSentError)
    assert {str(first), str(second)} == {"closed"}


def test_closing_ends_a_connection_that_does_not_come_about(
    serve: Serve, threaded: Threaded
) -> None:
    came = threading.Event()

    def script(peer: Peer, _: int) -> None:
        came.set()
        peer.ended.wait()

    thread = threaded(serve(script).url.replace("http:", "https:"))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(post, thread)
        came.wait()
        thread.close()
        with pytest.raises(NotSentError, match="closed"):
            waiting.result(timeout=5)


def running() -> int:
    return sum(thread.name == "connections" for thread in threading.enumerate())


def test_the_thread_ends_with_closing_and_starts_with_the_next_request(
    serve: Serve, threaded: Threaded
) -> None:
    thread = threaded(serve().url)
    assert running() == 0
    for _ in range(2):
        assert post(thread).body == b"well"
        assert running() == 1
        thread.close()
        assert running() == 0


def test_the_thread_ends_with_its_owner(serve: Serve, threaded: Threaded) -> None:
    url = serve().url
    owner = ConnectionsThread(lambda: Connections(url))
    post(owner)
    [loop] = [thread for thread in threading.enumerate() if thread.name == "connections"]
    del owner
    gc.collect()
    loop.join(5)
    assert not loop.is_alive()


def test_a_forked_process_has_connections_of_its_own_and_leaves_the_parents_alone(
    serve: Serve, threaded: Threaded
) -> None:
    server = serve()
    thread = threaded(server.url)
    post(thread)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        child = os.fork()
    if child == 0:
        try:
            answer = post(thread)
            thread.close()
            os._exit(0 if answer.body == b"well" else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert server.connections == 2
    assert post(thread).body == b"well"
    assert server.connections == 2


def test_a_process_ends_though_nothing_was_closed_and_says_nothing(serve: Serve) -> None:
    program = """
import sys
from drip.providers.connections import Connections
from drip.providers.connections_thread import ConnectionsThread
thread = ConnectionsThread(lambda: Connections(sys.argv[1]))
print(thread.run(lambda it: it.post("/", b"")).body.decode())
"""
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program, serve().url],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[2],
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "well\n", "")


def test_the_proxies_of_the_environment_are_not_used(
    serve: Serve, threaded: Threaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(threaded(serve().url)).body == b"well"


@pytest.mark.parametrize("ends", [True, False], ids=["until closed", "kept"])
def test_a_long_answer_comes_over_tls(serve: Serve, threaded: Threaded, *, ends: bool) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    long = b"0123456789" * 100_000

    def script(peer: Peer, _: int) -> None:
        while peer.request():
            if ends:
                peer.sock.sendall(OK + b"\r\n" + long)
                return
            peer.answer(long)

    server = serve(script, context)
    thread = threaded(server.url, tls=trusting)
    assert [post(thread).body == long for _ in range(3)] == [True] * 3
    assert server.connections == (3 if ends else 1)


def test_a_reset_is_no_answer(serve: Serve, threaded: Threaded) -> None:
    def script(peer: Peer, _: int) -> None:
        peer.request()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with pytest.raises(NoAnswerError, match="lost"):
        post(threaded(serve(script).url))
