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
_PACE_IS_SHORT = 0.2

HandOn = Callable[[Channel, Claim], None]


def tick(sender: Sender, hand_on: HandOn, now: datetime) -> float | None:
    """Claim what is due on each channel and hand it on in batches.

    What cannot be handed on is given back. Gives in how many seconds there is something to do
    before the next regular tick; None if there is not. `now` is UTC.
    """
    seen = _look(sender, now)
    due = {line.channel for line in seen.due(now)}
    channels = [channel for channel in Channel if channel in due]
    soon = [_claim(sender, channel, seen, hand_on, now) for channel in channels]
    left = _look(sender, now) if channels else seen
    soon.append(_seconds_to_next(left.next_due_at(), now))
    return min((seconds for seconds in soon if seconds is not None), default=None)


def _look(sender: Sender, now: datetime) -> Look:
    with reading(sender.engine) as session:
        return claiming.look(session, now)


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


def _seconds_to_next(due_at: datetime | None, now: datetime) -> float | None:
    """When the next delivery is due, if before the next tick; what is due already has to wait."""
    if due_at is None:
        return None
    seconds = (due_at - now).total_seconds()
    if seconds <= 0:
        return _PACE_IS_SHORT
    return seconds if seconds < TICK else None
