"""When one step may go out, by itself: rules T1 to T6."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from drip.core.delivery import Reason
from drip.core.schedule import IfLate, Step
from drip.core.when import Anchor
from drip.core.window import SendWindow

_AFTERWARDS = timedelta(days=2)
"""How long a step after the session stays useful where its schedule does not say (T5)."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """The two moments that steps are relative to, in UTC."""

    booking: datetime
    session: datetime

    def of(self, anchor: Anchor) -> datetime:
        """The moment of one anchor."""
        return self.booking if anchor is Anchor.BOOKING else self.session


class Timed(NamedTuple):
    """A step's times, all in UTC.

    `planned_at` is what the `when` says; `due_at` is where lateness and the window put it.
    It may be sent in [due_at, until), and not past `ceiling`, which is its anchor where the
    step lies before one. `reason` says why it cannot be sent at all.
    """

    planned_at: datetime
    due_at: datetime
    until: datetime
    ceiling: datetime | None
    reason: Reason | None

    @property
    def last(self) -> datetime:
        """The moment before which it must have gone out."""
        return self.until if self.ceiling is None else min(self.until, self.ceiling)


def time_step(
    step: Step, anchors: Anchors, zone: ZoneInfo, window: SendWindow, now: datetime
) -> Timed:
    """Apply T1 to T6 to one step; `zone` is the patient's, `now` the moment of planning."""
    anchor = anchors.of(step.when.anchor)
    planned_at = step.when.resolve(anchor, zone)
    until = _until(step, planned_at, anchors, zone)
    ceiling = anchor if planned_at < anchor else None
    due_at, reason = _lateness(step, planned_at, until, now)
    if reason is None and not window.contains(due_at, zone):
        floor = max(now, anchor) if planned_at >= anchor else now
        last = until if ceiling is None else min(until, ceiling)
        moved = into_window(due_at, floor, last, zone, window)
        due_at, reason = (due_at, Reason.NO_WINDOW) if moved is None else (moved, None)
    return Timed(planned_at, due_at, until, ceiling, reason)


def _until(step: Step, planned_at: datetime, anchors: Anchors, zone: ZoneInfo) -> datetime:
    if step.until is not None:
        return step.until.resolve(anchors.of(step.until.anchor), zone)
    if step.when.anchor is Anchor.BOOKING or planned_at < anchors.session:
        return anchors.session
    return planned_at + _AFTERWARDS


def _lateness(
    step: Step, planned_at: datetime, until: datetime, now: datetime
) -> tuple[datetime, Reason | None]:
    if planned_at >= until:
        return planned_at, Reason.TOO_LATE
    if planned_at >= now:
        return planned_at, None
    if step.if_late is IfLate.SKIP:
        return planned_at, Reason.LATE
    return now, Reason.TOO_LATE if now >= until else None


def into_window(
    due_at: datetime, floor: datetime, last: datetime, zone: ZoneInfo, window: SendWindow
) -> datetime | None:
    """Move a time outside the window into it (T4), or None where there is no room.

    Forward to the next opening if that is before `last`, else back to the last minute before
    the window closed if that is not before `floor`.
    """
    opening = window.next_opening(due_at, zone)
    if opening is not None and opening < last:
        return opening
    back = window.last_minute_before(due_at, zone)
    return back if back is not None and back >= floor else None
