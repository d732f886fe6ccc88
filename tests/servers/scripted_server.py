"""A server that plays a script on each connection: for answers that no well-behaved one gives."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self


class Peer:
    """One connection, seen from the server."""

    def __init__(self, sock: socket.socket, ended: threading.Event) -> None:
        self.sock = sock
        self.ended = ended
        """Set when the test is over."""
        self._held = b""

    def request(self) -> bytes:
        """The next request, whole; empty if the client has gone."""
        while not (whole := self._whole()):
            data = self.sock.recv(65_536)
            if not data:
                return b""
            self._held += data
        request, self._held = self._held[:whole], self._held[whole:]
        return request

    def _whole(self) -> int:
        head, found, _ = self._held.lower().partition(b"\r\n\r\n")
        if not found:
            return 0
        _, named, length = head.partition(b"content-length:")
        size = len(head) + 4 + (int(length.split(b"\r\n")[0]) if named else 0)
        return size if len(self._held) >= size else 0

    def answer(self, body: bytes = b"well", head: bytes = b"") -> None:
        """A plain good answer."""
        length = b"Content-Length: %d\r\n" % len(body)
        self.sock.sendall(b"HTTP/1.1 200 OK\r\n" + length + head + b"\r\n" + body)


class ScriptedServer:
    """Runs `script` with each connection and its number from 0, in a thread, then closes it."""

    def __init__(
        self, script: Callable[[Peer, int], object], tls: ssl.SSLContext | None = None
    ) -> None:
        self.script, self.tls = script, tls
        self.connections = 0
        self.ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes the listener
        self._accepting.join()
        self._listening.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listening.accept()
            if self.ended.is_set():
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._play, args=(sock, self.connections))
            self.connections += 1
            self._threads.append(thread)
            thread.start()

    def _play(self, sock: socket.socket, number: int) -> None:
        # A client that is gone takes the TLS layer with it, which is a ValueError then.
        with contextlib.suppress(OSError, ValueError), sock:
            if self.tls is None:
                self._open.append(sock)
                self.script(Peer(sock, self.ended), number)
                return
            with self.tls.wrap_socket(sock, server_side=True) as secure:
                self._open.append(secure)
                self.script(Peer(secure, self.ended), number)
                secure.unwrap()


def keeping(peer: Peer, _: int) -> None:
    """The script of a good server."""
    while peer.request():
        peer.answer()
