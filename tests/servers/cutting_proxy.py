"""A network that breaks: a TCP proxy that cuts connections after so many bytes each way."""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple, Self

_RESET = struct.pack("ii", 1, 0)


class Fate(NamedTuple):
    """How many bytes a connection lets through until both ends of it are reset; None is no end."""

    requests: int | None = None
    answers: int | None = None


class CuttingProxy:
    """Stands before a server on loopback; `fate` decides on each connection."""

    def __init__(self, port: int, fate: Callable[[], Fate]) -> None:
        self._port, self.fate = port, fate
        self.cuts = 0
        self._ended = False
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._accepting = self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        socket.create_connection(self._listening.getsockname()).close()  # wakes the listener
        self._accepting.join()
        self._listening.close()
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _start(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)
        return thread

    def _accept(self) -> None:
        while True:
            client, _ = self._listening.accept()
            if self._ended:
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            fate = self.fate()
            with self._lock:
                self._open |= {client, server}
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._carry, client, server, fate.requests)
            self._start(self._carry, server, client, fate.answers)

    def _carry(self, source: socket.socket, target: socket.socket, left: int | None) -> None:
        try:
            while left is None or left > 0:
                data = source.recv(65_536)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data if left is None else data[:left])
                left = None if left is None else left - len(data)
            if left == 0:
                source.recv(1)  # one byte too many, which goes no further
        except OSError:
            return
        finally:
            self._finish(source, target, cut=left is not None and left <= 0)

    def _finish(self, source: socket.socket, target: socket.socket, *, cut: bool) -> None:
        """Reset both ends where the connection is cut; the second of the two threads closes."""
        with self._lock:
            self.cuts += cut
            for end in (source, target):
                if end in self._open and cut:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    self._open.discard(end)
                    with contextlib.suppress(OSError):
                        os.close(end.detach())
