"""A tick: what is due is claimed and handed on, and it is said when to look again."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from types import MappingProxyType

from drip.clock import Clock
from drip.core.schedule import Channel
from drip.services.outbound.sending import Claim, Sender
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

_MOMENT = 0.04
"""Seconds for which what is due next is waited for here: another tick would come no sooner."""

_FEW = 2
"""Deliveries that may wait for a worker while the next ones are claimed as they fall due. Where
there are more, those of a while are claimed together."""

_WORKERS_ARE_BUSY = 0.1

HandOn = Callable[[Channel, Claim], None]


def watch(sender: Sender, hand_on: HandOn, clock: Clock) -> float | None:
    """Tick as long as there is something to do within a moment, and no longer than `TICK`.

    Gives in how many seconds to look again, if that is before the next regular tick.
    """
    end = clock() + timedelta(seconds=TICK)
    seen: Look | None = None
    while True:
        now = clock()
        if seen is None:
            with reading(sender.engine) as session:
                seen = claiming.look(session, now)
        soon = tick(sender, hand_on, now, seen)
        if soon is None:
            return None
        if soon > _MOMENT or now >= end:
            return max(soon - _MOMENT, 0.0)
        if soon > 0:
            time.sleep(soon)
        else:
            seen = None


def tick(sender: Sender, hand_on: HandOn, now: datetime, seen: Look) -> float | None:
    """Claim what is due on each channel and hand it on in batches; `seen` is a look of just before.

    What cannot be handed on is given back. Gives in how many seconds from `now` (UTC) there is
    something to do before the next regular tick, 0.0 if it takes another look; None if there is
    nothing. What waits for its sender's pace waits for that tick: the bucket holds what is
    allowed meanwhile.
    """
    due = {line.channel for line in seen.due(now)}
    soon = [_claim(sender, channel, seen, hand_on, now) for channel in Channel if channel in due]
    if (next_at := seen.next_at(now)) is not None:
        soon.append((next_at - now).total_seconds())
    first = min((s for s in soon if s is not None and s < TICK), default=None)
    if first is not None and sum(seen.claimed.values()) > _FEW:
        return max(first, _WORKERS_ARE_BUSY)
    return first


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
    return 0.0 if claim.ids else None
