"""A plan as a table: what goes out and when, what does not and why."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from drip.cli.printing import print_table, warn
from drip.core.delivery import SAID
from drip.core.planner import Unsendable
from drip.services.trials.previewing import Preview, Previewed


def print_plan(made: Preview, clinic_zone: ZoneInfo) -> None:
    """Print what goes out and when, then what does not and why.

    The session is given on the clinic's clock, the messages on the patient's.
    """
    steps = _by_step(made.deliveries)
    going = [group for group in steps if any(each.reason is None for each in group)]
    out = [group for group in steps if group not in going]
    session_at = made.session_at.astimezone(clinic_zone)
    clock = "" if clinic_zone.key == made.zone.key else f" in {clinic_zone.key}"
    title = f"Session {session_at:%a %Y-%m-%d %H:%M}{clock}, times in {made.zone.key}"
    rows = [(f"{g[0].due_at:%a %Y-%m-%d %H:%M}", g[0].step, _channels(g)) for g in going]
    print_table(("When", "Message", "How"), rows, title)
    if out:
        print_table(("Not sent", "Why"), [(group[0].step, _why(group)) for group in out])


def print_calls(calls: Iterable[Unsendable]) -> None:
    """Say which essential steps no message can carry: somebody must call the patient."""
    for call in calls:
        warn(f"Call the patient: {call.step} ({SAID[call.reason]}).")


def calls_json(calls: Iterable[Unsendable]) -> list[dict[str, str]]:
    """The calls to make, for `--json`."""
    return [{"step": call.step, "reason": call.reason.value} for call in calls]


def _why(group: Sequence[Previewed]) -> str:
    """Why a step goes out on no channel: once where it is the same for all of them."""
    whys = {each.channel: SAID[each.reason] for each in group if each.reason is not None}
    if len(set(whys.values())) == 1:
        return next(iter(whys.values()))
    return "; ".join(f"{channel}: {why}" for channel, why in whys.items())


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
