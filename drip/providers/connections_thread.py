"""Connections for callers that wait: on an event loop in a thread of its own."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from drip.providers.connections import Connections

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Running:
    loop: asyncio.AbstractEventLoop
    connections: Connections
    thread: threading.Thread


class ConnectionsThread:
    """Runs work that needs Connections, for any number of threads at once.

    The event loop and its thread start with the first work. `close` ends them, as does the end
    of the process; work after that starts them anew, and so does work after a fork, since
    threads do not outlive one. `make` makes the connections, on the loop's thread or not.
    """

    def __init__(self, make: Callable[[], Connections]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None
        _ALL.add(self)

    def run(self, work: Callable[[Connections], Coroutine[Any, Any, _T]]) -> _T:
        """Do the work and wait for it. If the wait is interrupted, the work is cancelled."""
        with self._lock:
            running = self._running or self._start()
            future = asyncio.run_coroutine_threadsafe(work(running.connections), running.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the connections and the thread. Requests under way fail at once, as closed."""
        with self._lock:
            running, self._running = self._running, None
            finalizer, self._finalizer = self._finalizer, None
        if running is not None and finalizer is not None:
            finalizer()
            running.thread.join()

    def forget(self) -> None:
        """Leave what runs to the parent process, whose it is: called in a forked child."""
        self._lock = threading.Lock()
        if self._running is not None and self._finalizer is not None:
            _INHERITED.append(self._running)
            self._finalizer.detach()
            self._running = self._finalizer = None

    def _start(self) -> _Running:
        loop, connections = asyncio.new_event_loop(), self._make()
        thread = threading.Thread(
            target=_serve, args=(loop, connections), name="connections", daemon=True
        )
        thread.start()
        self._running = _Running(loop, connections, thread)
        self._finalizer = weakref.finalize(self, loop.call_soon_threadsafe, loop.stop)
        return self._running


def _serve(loop: asyncio.AbstractEventLoop, connections: Connections) -> None:
    """Run the loop until it is stopped, then end everything on it."""
    try:
        loop.run_forever()
        loop.run_until_complete(_end(connections))
    finally:
        loop.close()


async def _end(connections: Connections) -> None:
    connections.close()
    if rest := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(rest)
    await asyncio.sleep(0)  # the sockets are closed now


def _forget_all() -> None:
    for one in _ALL:
        one.forget()


_ALL: weakref.WeakSet[ConnectionsThread] = weakref.WeakSet()

_INHERITED: list[_Running] = []
"""What a forked child has of its parent's loops. Ending them would trouble the parent: both share
the sockets and the epoll behind them."""

os.register_at_fork(after_in_child=_forget_all)
