"""Whether a claimed delivery may go out this minute: the rules asked again when it is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from drip.core.delivery import Reason, Status
from drip.core.slots import Slots
from drip.core.window import SendWindow


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a delivery at the moment of sending; all times in UTC.

    `ended` is the end that the enrollment's own state gives it (cancelled, paused, moved),
    None where it is alive. `blocked` is why its channel cannot be used. `last` is the moment
    before which it must go: `until`, or the anchor that it may not cross. `told_at` is when a
    step that covers it went or goes out. `slots` are the patient's around now, None where
    spacing does not apply: notices, and a step whose other channel went out already.
    `all_slots` gives those of any time, which only a step needs that finds no room now.
    """

    ended: tuple[Status, Reason] | None
    blocked: Reason | None
    essential: bool
    until: datetime
    last: datetime
    told_at: datetime | None
    zone: ZoneInfo
    window: SendWindow
    slots: Slots | None
    all_slots: Callable[[], Slots] | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """It may go out now; past `give_up_at` (UTC) it must not reach the patient any more."""

    give_up_at: datetime


@dataclass(frozen=True, slots=True)
class Postpone:
    """Not now, but at this time (UTC)."""

    due_at: datetime


@dataclass(frozen=True, slots=True)
class End:
    """Not at all."""

    status: Status
    reason: Reason


Decision = Go | Postpone | End


def decide(situation: Situation, now: datetime) -> Decision:
    """Ask everything again: enrollment, permission, `until`, window and spacing."""
    if situation.ended is not None:
        return End(*situation.ended)
    if situation.blocked is not None:
        return End(Status.SKIPPED, situation.blocked)
    if now >= situation.last:
        return End(Status.EXPIRED, Reason.UNTIL_PASSED)
    if not situation.window.contains(now, situation.zone):
        opening = situation.window.next_opening(now, situation.zone)
        if opening is None or opening >= situation.last:
            return End(Status.SKIPPED, Reason.NO_WINDOW)
        return Postpone(opening)
    return _spaced(situation, now)


def _spaced(situation: Situation, now: datetime) -> Decision:
    closing = situation.window.closing(now, situation.zone)
    go = Go(min(situation.last, closing))
    if situation.slots is None or situation.slots.is_free(now):
        return go
    slots = situation.slots if situation.all_slots is None else situation.all_slots()
    free = slots.next_free(now, situation.last)
    if free is not None:
        return Postpone(free)
    if not situation.essential:
        return End(Status.SKIPPED, Reason.CROWDED)
    if situation.told_at is not None and situation.told_at <= situation.until:
        return End(Status.SKIPPED, Reason.COVERED)
    return go
