"""How requests share work: many writes become one transaction, many wake-ups one errand."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import structlog

from drip.errors import DripError, StoreError

log = structlog.get_logger(__name__)

In = TypeVar("In")
Out = TypeVar("Out")

_MOST = 200
"""How many are written together: no request waits for long on those of others."""


class Gathered(Generic[In, Out]):
    """Writes what requests bring, as much together as came while the last was written.

    One thread writes. A single request waits for nobody; under load a commit, which costs most,
    is shared by many. `write` gives an answer for each, in order.
    """

    def __init__(self, write: Callable[[Sequence[In]], Sequence[Out]]) -> None:
        self._write = write
        self._waiting: list[tuple[In, asyncio.Future[Out]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "gathered")

    async def add(self, one: In) -> Out:
        """Have one written; gives its answer. Raises what `write` raises."""
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await future

    async def _write_all(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            await self._write_some(some)

    async def _write_some(self, some: list[tuple[In, asyncio.Future[Out]]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            done = await loop.run_in_executor(self._thread, self._write, [one for one, _ in some])
        except Exception as error:  # noqa: BLE001 - each request is told its own
            if len(some) == 1 or isinstance(error, StoreError):
                _fail(some, error)
                return
            for each in some:  # one that cannot be written is not to take others with it
                await self._write_some([each])
        else:
            for (_, future), answer in zip(some, done, strict=True):
                if not future.done():
                    future.set_result(answer)


def _fail(some: Sequence[tuple[In, asyncio.Future[Out]]], error: Exception) -> None:
    for _, future in some:
        if not future.done():
            future.set_exception(error)


class Errand:
    """Something that a thread does when it is asked to; asked meanwhile, it does it once more."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._again = False

    def ask(self) -> None:
        """Have it done soon; returns at once."""
        with self._lock:
            if self._thread is not None:
                self._again = True
                return
            self._thread = threading.Thread(target=self._run, name="errand", daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until what was asked for is done, for so long at most."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        while True:
            try:
                self._do()
            except DripError as error:
                log.error("errand.trouble", what=str(error))
            except Exception:
                log.exception("errand.trouble")
            with self._lock:
                if not self._again:
                    self._thread = None
                    return
                self._again = False
