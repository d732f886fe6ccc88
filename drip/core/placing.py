"""Giving each step of a plan its slot, the ones that matter most first: rule T7."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from drip.core.delivery import Reason
from drip.core.schedule import Channel, Schedule, Step
from drip.core.slots import Slots
from drip.core.timing import Timed


class Wanted(NamedTuple):
    """A step that should go out on some channels, with its times by T1 to T6.

    `occurrence` counts how often it is planned. `begun` says that one of its channels has
    reached the patient: the channels of a step count once, so the others need no slot.
    """

    step: Step
    channels: tuple[Channel, ...]
    timed: Timed
    occurrence: int
    begun: bool


class Placed(NamedTuple):
    """Where a step ended up: `due_at` in UTC, and the reason if it does not go out."""

    due_at: datetime
    reason: Reason | None


def place(
    wanted: Sequence[Wanted], slots: Slots, schedule: Schedule, out: Mapping[str, datetime]
) -> dict[str, Placed]:
    """Give every wanted step a slot, in the order of T7; the slots given are taken.

    `wanted` is in the order of the file. `out` are the steps that have gone out already or are
    settled, with their times (UTC); `slots` holds those times too.
    """
    placed: dict[str, Placed] = {}
    goes = dict(out)
    floor = out.get(schedule.welcome or "")
    for each in _in_order(wanted, schedule, out):
        step = each.step
        if each.timed.reason is None and _is_orphan(step, schedule, placed):
            placed[step.name] = Placed(each.timed.due_at, Reason.GROUP_SKIPPED)
            continue
        told = [goes[name] for name in schedule.coverers.get(step.name, ()) if name in goes]
        put = placed[step.name] = _put(each, slots, floor, told)
        if put.reason is None:
            goes.setdefault(step.name, put.due_at)
            if not each.begun:
                slots.take(put.due_at)
                floor = put.due_at if step.name == schedule.welcome else floor
    return placed


def _in_order(
    wanted: Sequence[Wanted], schedule: Schedule, out: Mapping[str, datetime]
) -> Sequence[Wanted]:
    """The order in which slots are given; it is known of an opener first whether it goes."""
    going = out.keys() | {each.step.name for each in wanted if each.timed.reason is None}
    # Sorting keeps the order of the file among equals.
    ranked = sorted(wanted, key=lambda w: (_rank(w.step, schedule, going), w.timed.due_at))
    if not schedule.openers:
        return ranked
    by_name = {each.step.name: each for each in wanted}
    names: dict[str, None] = {}
    for each in ranked:
        opener = schedule.openers.get(each.step.name)
        names |= dict.fromkeys(name for name in (opener, each.step.name) if name in by_name)
    return [by_name[name] for name in names]


def _rank(step: Step, schedule: Schedule, going: Set[str]) -> int:
    if step.name == schedule.welcome:
        return 0
    if not step.essential:
        return 3
    coverers = schedule.coverers.get(step.name)
    return 2 if coverers and not going.isdisjoint(coverers) else 1


def _is_orphan(step: Step, schedule: Schedule, placed: Mapping[str, Placed]) -> bool:
    """Whether a step follows up on a group's opener that does not go out (T6)."""
    opener = placed.get(schedule.openers.get(step.name, ""))
    return opener is not None and opener.reason is not None


def _put(wanted: Wanted, slots: Slots, floor: datetime | None, told: Sequence[datetime]) -> Placed:
    """Find a slot for one step; `told` is when the steps that cover it go out."""
    timed = wanted.timed
    if timed.reason is not None:
        return Placed(timed.due_at, timed.reason)
    due_at = timed.due_at if floor is None else max(timed.due_at, floor)
    if due_at >= timed.last:
        return Placed(due_at, Reason.TOO_LATE)
    if wanted.begun or slots.is_free(due_at):
        return Placed(due_at, None)
    free = slots.next_free(due_at, timed.last)
    if free is not None:
        return Placed(free, None)
    if not wanted.step.essential:
        return Placed(due_at, Reason.CROWDED)
    if any(told_at <= timed.until for told_at in told):
        return Placed(due_at, Reason.COVERED)
    return Placed(due_at, None)
