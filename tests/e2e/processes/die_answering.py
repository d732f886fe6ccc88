"""Hands over what waits to be said and kills itself: die_answering.py POINT NOW.

POINT is the stage after which it dies: begin, half (of the hand-over), hand_over or record.
"""

import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime

from drip.app import App
from drip.core.outgoing import Answer, Outgoing, Settlement, Unsettled
from drip.providers.protocol import Provider
from drip.services.answers.answering import send_waiting

point, now = sys.argv[1], datetime.fromisoformat(sys.argv[2])


def reached(stage: str) -> None:
    if stage == point:
        os.kill(os.getpid(), signal.SIGKILL)


class Dying:
    """A provider under whose hands the process dies."""

    def __init__(self, inner: Provider) -> None:
        self.name = inner.name
        self._inner = inner

    def send(self, batch: Sequence[Outgoing], now: datetime) -> list[Answer]:
        reached("begin")
        if point == "half":
            self._inner.send(batch[::2], now)
            reached("half")
        answers = self._inner.send(batch, now)
        reached("hand_over")
        return answers

    def settle(self, batch: Sequence[Unsettled], now: datetime) -> list[Settlement]:
        return self._inner.settle(batch, now)

    def close(self) -> None:
        self._inner.close()


app = App.from_environment()
dying = {channel: Dying(provider) for channel, provider in app.providers().items()}
assert send_waiting(app.engine, dying, now) > 0, "nothing waits"
reached("record")
