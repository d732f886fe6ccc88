"""What processes hold in memory, looked at while they work. Linux only, as the engine's hosts."""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.05


class Watch:
    """Looks at a process and its children until it is left; MiB resident, by process."""

    def __init__(self, pid: int) -> None:
        self.seen: dict[int, list[float]] = {}
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def peak(self) -> float:
        """The most that one of the processes held."""
        return max(max(each) for each in self.seen.values())

    @property
    def last_thirds(self) -> tuple[float, float]:
        """The most in the last third of the time, and in the middle one, of who grew most."""
        pairs = []
        for each in self.seen.values():
            third = len(each) // 3
            pairs.append((max(each[2 * third :]), max(each[third : 2 * third])))
        return max(pairs, key=lambda pair: pair[0] / pair[1])

    def _look(self) -> None:
        pids = [self._pid, *_children(self._pid)]
        while not self._stop.wait(_EVERY):
            for pid in pids:
                self.seen.setdefault(pid, []).append(_resident(pid))


def _children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * _PAGE / 2**20
