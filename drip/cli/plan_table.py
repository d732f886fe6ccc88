"""A plan as a table: what goes out and when, what does not and why."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from drip.cli.printing import print_table, warn
from drip.core.delivery import SAID
from drip.core.planner import Unsendable
from drip.services.previewing import Preview, Previewed


def print_plan(made: Preview) -> None:
    """Print what goes out and when, then what does not and why."""
    steps = _by_step(made.deliveries)
    going = [group for group in steps if any(each.reason is None for each in group)]
    out = [group for group in steps if group not in going]
    clock = made.zone.key
    title = f"Session {made.session_at:%a %Y-%m-%d %H:%M}, times in {clock}"
    rows = [(f"{g[0].due_at:%a %Y-%m-%d %H:%M}", g[0].step, _channels(g)) for g in going]
    print_table(("When", "Message", "How"), rows, title)
    if out:
        skipped = [(group[0].step, SAID[group[0].reason]) for group in out if group[0].reason]
        print_table(("Not sent", "Why"), skipped)


def print_calls(calls: Iterable[Unsendable]) -> None:
    """Say which essential steps no message can carry: somebody must call the patient."""
    for call in calls:
        warn(f"Call the patient: {call.step} ({SAID[call.reason]}).")


def calls_json(calls: Iterable[Unsendable]) -> list[dict[str, str]]:
    """The calls to make, for `--json`."""
    return [{"step": call.step, "reason": call.reason.value} for call in calls]


def _by_step(deliveries: Sequence[Previewed]) -> list[list[Previewed]]:
    """The deliveries of a step together, in order of time."""
    groups: dict[tuple[str, datetime], list[Previewed]] = {}
    for each in deliveries:
        groups.setdefault((each.step, each.due_at), []).append(each)
    return list(groups.values())


def _channels(group: Sequence[Previewed]) -> str:
    return ", ".join(_channel(each) for each in group)


def _channel(each: Previewed) -> str:
    if each.reason is not None:
        return f"no {each.channel}: {SAID[each.reason]}"
    status = "" if each.status == "planned" else f" {each.status}"
    if each.said.parts is None:
        return f"{each.channel}{status}"
    parts = f"{each.said.parts.count} part{'' if each.said.parts.count == 1 else 's'}"
    return f"{each.channel}{status} ({parts})"
