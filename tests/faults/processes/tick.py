"""Ticks until nothing is due and writes the ids that it claimed: tick.py FILE."""

import json
import sys
from pathlib import Path

from drip.app import App
from drip.core.schedule import Channel
from drip.services.outbound.sending import Claim
from drip.worker import ticking

ticking.BACKLOG = 50
app = App.from_environment()
sender = app.sender()
claimed: list[int] = []


def hand_on(_channel: Channel, claim: Claim) -> None:
    claimed.extend(claim.ids)


while True:
    before = len(claimed)
    if ticking.watch(sender, hand_on, app.clock) is None and len(claimed) == before:
        break
    # As if a worker had them: what is claimed counts no more against the backlog.
    ticking.BACKLOG += 50
Path(sys.argv[1]).write_text(json.dumps(claimed))
