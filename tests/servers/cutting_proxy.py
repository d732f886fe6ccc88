"""A network that breaks: a TCP proxy that cuts connections after so many bytes each way."""

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple, Self

_RESET = struct.pack("ii", 1, 0)
_LOOK_EVERY = 0.1


class Fate(NamedTuple):
    """How many bytes a connection lets through until both ends of it are reset; None is no end."""

    requests: int | None = None
    answers: int | None = None


class CuttingProxy:
    """Stands before a server on loopback; `fate` decides on each connection."""

    def __init__(self, port: int, fate: Callable[[], Fate]) -> None:
        self._port, self.fate = port, fate
        self.cuts = 0
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while not self._ended.is_set():
            if select.select([self._listening], [], [], _LOOK_EVERY)[0]:
                client, _ = self._listening.accept()
                self._start(self._carry, client, self.fate())

    def _carry(self, client: socket.socket, fate: Fate) -> None:
        """Carry bytes both ways; the first beyond what the fate allows resets both ends."""
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            left = {client: fate.requests, server: fate.answers}
            other = {client: server, server: client}
            with contextlib.suppress(OSError):
                while not self._ended.is_set():
                    for source in select.select([client, server], [], [], _LOOK_EVERY)[0]:
                        data = source.recv(65_536)
                        if not data:
                            return
                        allowed = left[source]
                        other[source].sendall(data[:allowed])
                        if allowed is not None and len(data) > allowed:
                            self._reset(client, server)
                            return
                        left[source] = None if allowed is None else allowed - len(data)

    def _reset(self, *ends: socket.socket) -> None:
        self.cuts += 1
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
