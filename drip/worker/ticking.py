"""A tick: what is due is claimed and handed on, and it is said when to look again."""

from collections.abc import Callable
from datetime import datetime
from types import MappingProxyType

from drip.core.schedule import Channel
from drip.services.sending import Claim, Sender
from drip.store import claiming
from drip.store.claiming import Look
from drip.store.engine import reading

TICK = 1.0
"""Seconds between two looks for what is due; sooner only where a tick asks for it."""

BATCH = MappingProxyType({Channel.SMS: 1000, Channel.EMAIL: 50})
"""Deliveries that are handed to a worker together. Of emails fewer: what became of those that a
dying worker was sending nobody can be asked."""

BACKLOG = 4000
"""Deliveries of a channel that may wait for a worker: what workers do well within a lease."""

_MORE_WAITS = 0.05
_WORKERS_ARE_BUSY = 0.1

HandOn = Callable[[Channel, Claim], None]


def tick(sender: Sender, hand_on: HandOn, now: datetime) -> float | None:
    """Claim what is due on each channel and hand it on in batches.

    What cannot be handed on is given back. Gives in how many seconds from `now` (UTC) there is
    something to do before the next regular tick; None if there is not. What waits for its
    sender's pace waits for that one: the bucket holds what is allowed meanwhile.
    """
    with reading(sender.engine) as session:
        seen = claiming.look(session, now)
    due = {line.channel for line in seen.due(now)}
    soon = [_claim(sender, channel, seen, hand_on, now) for channel in Channel if channel in due]
    if seen.later_at is not None:
        soon.append((seen.later_at - now).total_seconds())
    return min(
        (seconds for seconds in soon if seconds is not None and seconds < TICK), default=None
    )


def _claim(
    sender: Sender, channel: Channel, seen: Look, hand_on: HandOn, now: datetime
) -> float | None:
    most = BACKLOG - sum(n for line, n in seen.claimed.items() if line.channel is channel)
    if most <= 0:
        return _WORKERS_ARE_BUSY
    claim = sender.claim(now, channel, most, seen)
    size = BATCH[channel]
    for start in range(0, len(claim.ids), size):
        try:
            hand_on(channel, Claim(claim.token, claim.ids[start : start + size]))
        except Exception:
            sender.give_back(Claim(claim.token, claim.ids[start:]), now)
            raise
    return _MORE_WAITS if len(claim.ids) == most else None
