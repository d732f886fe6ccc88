"""A provider that carries nothing: it takes every message, counts it and forgets it.

It is what a simulation sends through, where a folder of a hundred thousand files would help
nobody, and a fake for your own tests where only the number of messages matters:

    nothing = Nothing()
    answers = nothing.send(batch, now)
    assert nothing.counts[Channel.SMS] == 12

Never use it for patients: what it accepts reaches nobody.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from drip.core.outgoing import Accepted, Answer, Outgoing, Settlement, Unknown, Unsettled
from drip.core.schedule import Channel


class Nothing:
    """Accepts whatever it is given. `counts` says how many of each channel that was."""

    name = "nothing"

    def __init__(self) -> None:
        self.counts: Counter[Channel] = Counter()

    def send(self, batch: Sequence[Outgoing], now: datetime) -> list[Answer]:
        """Accept each under the number of its attempt."""
        self.counts.update(outgoing.channel for outgoing in batch)
        return [Accepted(f"nothing-{outgoing.attempt_id}") for outgoing in batch]

    def settle(self, batch: Sequence[Unsettled], now: datetime) -> list[Settlement]:
        """Say that it does not know: nothing was kept to look at."""
        return [Unknown("nothing is kept") for _ in batch]

    def close(self) -> None:
        """Do nothing: there is no connection."""
