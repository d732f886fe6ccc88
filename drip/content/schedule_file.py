"""Schedule files: YAML to `Schedule`, and the same as JSON for the database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from drip.content.problems import BrokenContent, Problem, nearest
from drip.content.sources import ContentDir
from drip.content.strict import NAME, WORD, Strict, validated
from drip.content.yamlfile import Loc, YamlFile, read_yaml
from drip.core.schedule import (
    NOTICES,
    Channel,
    IfLate,
    OnReschedule,
    Schedule,
    Step,
    Weight,
)
from drip.core.when import When, WhenError, parse_when
from drip.errors import ContentError

_Name = Annotated[str, Field(pattern=NAME)]
_Channels = Annotated[list[Literal["sms", "email"]], Field(min_length=1, max_length=2)]
_Weight = Literal["essential", "education"]
_IfLate = Literal["send", "skip"]
_OnReschedule = Literal["resend", "keep"]


class StepEntry(Strict):
    """One step of a schedule: which message, when, on which channels, what if late."""

    step: _Name
    message: _Name
    when: str = Field(description='For example "3 days before session at 10:00"')
    channels: _Channels | None = None
    weight: _Weight | None = None
    if_late: _IfLate | None = None
    until: str | None = Field(default=None, description='For example "3 hours before session"')
    on_reschedule: _OnReschedule | None = None
    answered_by: str | None = Field(default=None, pattern=WORD)
    group: _Name | None = None
    start_group: bool = False
    covers: list[_Name] = Field(default_factory=list)


class Defaults(Strict):
    """What holds for every step that does not say it itself."""

    channels: _Channels | None = None
    weight: _Weight | None = None
    if_late: _IfLate = "skip"
    on_reschedule: _OnReschedule = "keep"


class ScheduleFile(Strict):
    """A schedule: a named, versioned list of steps."""

    schedule: _Name
    title: str
    version: int = Field(ge=1)
    defaults: Defaults = Defaults()
    steps: list[StepEntry] = Field(min_length=1)


def load_schedule(content: ContentDir, name: str) -> Schedule:
    """Read a schedule by name. Raises ContentError; BrokenContent holds every problem found."""
    return read_schedule(content, name)[0]


def read_schedule(content: ContentDir, name: str) -> tuple[Schedule, YamlFile]:
    """The same, with the file that knows the place of each value."""
    file = read_yaml(content.schedule(name))
    entry = validated(ScheduleFile, file)
    problems = sorted(_problems(entry, file, content))
    if entry.schedule != name:
        what = f'the file is called {name}.yaml but says "{entry.schedule}"; make them the same'
        problems.insert(0, file.problem(("schedule",), what))
    if problems:
        raise BrokenContent(problems)
    return _schedule(entry), file


def schedule_from_definition(definition: dict[str, Any]) -> Schedule:
    """The schedule that `definition_of` wrote down. Raises ContentError if it is not one."""
    try:
        return _schedule(ScheduleFile.model_validate(definition))
    except ValueError as error:
        what = " ".join(str(error).split())
        raise ContentError(f"The stored schedule cannot be read: {what}") from None


def definition_of(schedule: Schedule) -> dict[str, Any]:
    """The whole schedule as JSON, with nothing left to defaults; for the database (rule T10)."""
    entry = ScheduleFile(
        schedule=schedule.name,
        title=schedule.title,
        version=schedule.version,
        steps=[_entry(step) for step in schedule.steps],
    )
    return entry.model_dump(mode="json", exclude_none=True, exclude={"defaults"})


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a schedule file, for editors."""
    return ScheduleFile.model_json_schema()


def step_loc(schedule: Schedule, step: Step, field: str = "step") -> Loc:
    """The way to a field of a step in the schedule's file."""
    return ("steps", schedule.steps.index(step), field)


def _schedule(entry: ScheduleFile) -> Schedule:
    steps = tuple(_step(step, entry.defaults) for step in entry.steps)
    return Schedule(entry.schedule, entry.title, entry.version, steps)


def _step(entry: StepEntry, defaults: Defaults) -> Step:
    return Step(
        name=entry.step,
        message=entry.message,
        when=parse_when(entry.when),
        channels=tuple(Channel(c) for c in entry.channels or defaults.channels or ()),
        weight=Weight(entry.weight or defaults.weight or ""),
        if_late=IfLate(entry.if_late or defaults.if_late),
        until=None if entry.until is None else parse_when(entry.until),
        on_reschedule=OnReschedule(entry.on_reschedule or defaults.on_reschedule),
        answered_by=entry.answered_by,
        group=entry.group,
        start_group=entry.start_group,
        covers=tuple(entry.covers),
    )


def _entry(step: Step) -> StepEntry:
    return StepEntry(
        step=step.name,
        message=step.message,
        when=str(step.when),
        channels=[channel.value for channel in step.channels],
        weight=step.weight.value,
        if_late=step.if_late.value,
        until=None if step.until is None else str(step.until),
        on_reschedule=step.on_reschedule.value,
        answered_by=step.answered_by,
        group=step.group,
        start_group=step.start_group,
        covers=list(step.covers),
    )


def _problems(entry: ScheduleFile, file: YamlFile, content: ContentDir) -> Iterator[Problem]:
    """What the model alone cannot see: times, names of other things, steps that clash."""
    names = [step.step for step in entry.steps]
    for place, step in enumerate(entry.steps):
        loc: Loc = ("steps", place)
        yield from _time_problems(step, file, loc)
        yield from _left_out(step, entry.defaults, file, loc)
        yield from _name_problems(step, names[:place], file, loc)
        yield from _link_problems(step, names, file, loc)
        if not content.has_message(step.message):
            what = f'no message "{step.message}"; {nearest(step.message, content.messages())}'
            yield file.problem((*loc, "message"), what)


def _time_problems(step: StepEntry, file: YamlFile, loc: Loc) -> Iterator[Problem]:
    times: dict[str, When] = {}
    for field, text in (("when", step.when), ("until", step.until)):
        try:
            if text is not None:
                times[field] = parse_when(text)
        except WhenError as error:
            yield file.problem((*loc, field), str(error), offset=error.column - 1)
    if len(times) == 2 and _never(times["when"], times["until"]):
        what = f'"{step.until}" does not come after "{step.when}"; the step could never be sent'
        yield file.problem((*loc, "until"), what)


def _never(when: When, until: When) -> bool:
    """Whether `until` is not after `when` at any time of day that their one anchor may have."""
    if when.anchor is not until.anchor:
        return False
    zone = ZoneInfo("UTC")
    midnight = datetime(2026, 6, 10, tzinfo=UTC)
    anchors = (midnight + timedelta(minutes=30 * half) for half in range(48))
    return all(until.resolve(a, zone) <= when.resolve(a, zone) for a in anchors)


def _left_out(step: StepEntry, defaults: Defaults, file: YamlFile, loc: Loc) -> Iterator[Problem]:
    for field in ("weight", "channels"):
        if getattr(step, field) is None and getattr(defaults, field) is None:
            yield file.problem(loc, f'"{field}" is missing here; add it, or add it to defaults')


def _name_problems(
    step: StepEntry, earlier: list[str], file: YamlFile, loc: Loc
) -> Iterator[Problem]:
    if step.step in NOTICES:
        what = f'"{step.step}" is sent by itself when a visit changes; give the step another name'
        yield file.problem((*loc, "step"), what)
    if step.step in earlier:
        what = f'there is a step "{step.step}" above already; give this one another name'
        yield file.problem((*loc, "step"), what)
    channels = step.channels or []
    if len(set(channels)) < len(channels):
        yield file.problem((*loc, "channels"), "a channel stands here twice; keep one")


def _link_problems(
    step: StepEntry, names: list[str], file: YamlFile, loc: Loc
) -> Iterator[Problem]:
    for place, covered in enumerate(step.covers):
        others = [name for name in names if name != step.step]
        if covered not in others:
            what = f'covers "{covered}", but there is no other step of that name'
            yield file.problem((*loc, "covers", place), f"{what}; {nearest(covered, others)}")
    if step.group is None:
        for field in ("answered_by", "start_group"):
            if getattr(step, field):
                what = f"{field} works on a group, and this step has none; add group"
                yield file.problem((*loc, field), what, key=True)
