"""How a process that goes on until it is stopped hears of that."""

import signal
import threading
from types import FrameType


def stop_when_asked() -> threading.Event:
    """An event that Ctrl-C or SIGTERM sets."""
    stop = threading.Event()

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        # From another thread: this one may be inside `stop`, holding its lock.
        threading.Thread(target=stop.set).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    return stop
