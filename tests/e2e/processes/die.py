"""Sends one batch with the real sender and kills itself: die.py POINT NOW.

POINT is the stage after which it dies: claim, prepare, half (of the hand-over), hand_over or
record.
"""

import os
import signal
import sys
from datetime import datetime

from drip.app import App

point, now = sys.argv[1], datetime.fromisoformat(sys.argv[2])
sender = App.from_environment().sender()


def reached(stage: str) -> None:
    if stage == point:
        os.kill(os.getpid(), signal.SIGKILL)


claim = sender.claim(now)
assert claim.ids, "nothing is due"
reached("claim")
prepared = sender.prepare(claim, now)
reached("prepare")
if point == "half":
    sender.hand_over(prepared.going[::2], now)
    reached("half")
answers = sender.hand_over(prepared.going, now)
reached("hand_over")
sender.record(answers, now)
reached("record")
