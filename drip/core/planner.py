"""What should be against what is: a plan is the difference (rules T8, T9, T11 and T12)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from drip.core.clinic import Crowding
from drip.core.delivery import Reason, Status, held_because
from drip.core.history import Existing, History
from drip.core.placing import Placed, Wanted, place
from drip.core.schedule import NOTICES, RESCHEDULED, Channel, IfLate, Schedule, Step, Weight
from drip.core.slots import Slots
from drip.core.timing import Anchors, Timed, into_window, time_step
from drip.core.window import SendWindow

_TEXTS_ONLY = (Channel.SMS,)

_SAID_ALREADY = frozenset({Reason.COVERED, Reason.NO_SHOW})

Reach = Mapping[Channel, Reason | None]
"""For every channel why it cannot be used; None where it can."""


@dataclass(frozen=True, slots=True)
class Journey:
    """One enrollment as the planner sees it.

    `zone` is the patient's, `window` and `crowding` the clinic's. `revision` grows whenever
    the enrollment is to be planned anew: at a reschedule or a resume. While `paused`, what is
    planned is held; while `education_paused`, after a crisis, the education steps alone are.
    After a `no_show` nothing is planned for the time after the session (T9). `answered` are the
    steps that a reply about this session has made needless: they are not planned.
    """

    schedule: Schedule
    anchors: Anchors
    zone: ZoneInfo
    window: SendWindow
    crowding: Crowding
    reach: Reach
    revision: int = 1
    paused: bool = False
    education_paused: bool = False
    no_show: bool = False
    answered: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One step on one channel as it should be; all times in UTC.

    `session_at` is the session that it speaks of. Unique by step, channel and occurrence.
    """

    step: str
    message: str
    channel: Channel
    occurrence: int
    weight: Weight
    status: Status
    reason: Reason | None
    planned_at: datetime
    due_at: datetime
    until: datetime
    session_at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Unsendable:
    """An essential step that no channel can carry: somebody must call the patient (T12)."""

    step: str
    message: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """The difference to make: rows to add, to change and to cancel, and calls to make."""

    add: tuple[PlannedDelivery, ...] = ()
    change: tuple[tuple[int, PlannedDelivery], ...] = ()
    cancel: tuple[tuple[int, Reason], ...] = ()
    unsendable: tuple[Unsendable, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.add or self.change or self.cancel)


def plan(
    journey: Journey,
    now: datetime,
    existing: Sequence[Existing] = (),
    elsewhere: Iterable[datetime] = (),
) -> Plan:
    """Compare what should be with what exists; `now` is aware UTC.

    A row that was planned under the journey's revision, or was handed over, stays as it is;
    hence planning again at any later `now` changes nothing (T11). `elsewhere` are the times
    (UTC) of the same patient's steps in other enrollments.
    """
    history = History(existing, journey.anchors.session, journey.revision)
    slots = Slots(journey.crowding, journey.window, journey.zone, elsewhere)
    for moment in history.taken():
        slots.take(moment)
    rows, calls = _moved_notice(journey, history, now)
    if any(row.status is not Status.SKIPPED for row in rows):
        slots.take(rows[0].due_at)
    wanted = _wanted(journey, history, now)
    again = {each.step.name for each in wanted if not each.begun}
    out = {name: at for name, at in history.out().items() if name not in again}
    placed = place(wanted, slots, journey.schedule, out)
    for each in wanted:
        step_rows = rows_of(each, placed[each.step.name], journey)
        rows += step_rows
        if not each.begun:
            calls += calls_for(step_rows)
    return _difference(rows, calls, history, journey.answered)


def rows_of(wanted: Wanted, placed: Placed, journey: Journey) -> list[PlannedDelivery]:
    """The deliveries of one placed step, one a channel."""
    step, channels, timed, occurrence, _ = wanted
    held = held_because(
        step.weight, paused=journey.paused, education_paused=journey.education_paused
    )
    going = Status.SCHEDULED if held is None else Status.HELD
    rows = []
    for channel in channels:
        reason = journey.reach[channel] or placed.reason
        status = going if reason is None else Status.SKIPPED
        if status is Status.HELD:
            reason = held
        rows.append(
            PlannedDelivery(
                step.name,
                step.message,
                channel,
                occurrence,
                step.weight,
                status,
                reason,
                timed.planned_at,
                placed.due_at,
                timed.until,
                journey.anchors.session,
                journey.revision,
            )
        )
    return rows


def channels_of(step: Step, reach: Reach) -> tuple[Channel, ...]:
    """The channels of a step; a text-only essential one has email too where no text can go."""
    if step.channels != _TEXTS_ONLY or not step.essential or reach[Channel.SMS] is None:
        return step.channels
    return step.channels if reach[Channel.EMAIL] is not None else (Channel.SMS, Channel.EMAIL)


def calls_for(rows: Sequence[PlannedDelivery]) -> tuple[Unsendable, ...]:
    """The call to make where no delivery of an essential step goes out (T12).

    Whatever the reason: also where the schedule says to skip a step that is late, or with its
    group. Only what is covered is said by another step, and after a no-show nothing is to say.
    """
    if not rows or rows[0].weight is not Weight.ESSENTIAL:
        return ()
    reasons = [row.reason for row in rows if row.reason and row.status is Status.SKIPPED]
    if len(reasons) < len(rows) or not _SAID_ALREADY.isdisjoint(reasons):
        return ()
    # An address that is there but may not be used says more than one that is missing.
    told = next((reason for reason in reasons if reason is not Reason.NO_ADDRESS), reasons[0])
    return (Unsendable(rows[0].step, rows[0].message, told),)


def until_of_notice(session_at: datetime, told: Existing | None, now: datetime) -> datetime:
    """Until when a notice is of use: the earlier of the old and the new session (T9), in UTC.

    The old session is the one that the patient was last `told` of; one that is past already is
    nobody's expectation.
    """
    known = told.session_at if told is not None and told.session_at > now else session_at
    return min(session_at, known)


def notice_rows(
    name: str, journey: Journey, last: datetime, occurrence: int, now: datetime
) -> list[PlannedDelivery]:
    """The deliveries of a notice that goes out at once and is of use until `last` (UTC)."""
    due_at: datetime | None = now
    if not journey.window.contains(now, journey.zone):
        due_at = into_window(now, now, last, journey.zone, journey.window)
    reason = Reason.NO_WINDOW if due_at is None else None
    timed = Timed(now, due_at or now, last, None, reason)
    placed = Placed(timed.due_at, reason)
    step = NOTICES[name]
    channels = channels_of(step, journey.reach)
    return rows_of(Wanted(step, channels, timed, occurrence, begun=False), placed, journey)


def add_or_change(
    rows: Iterable[PlannedDelivery], history: History
) -> tuple[tuple[PlannedDelivery, ...], tuple[tuple[int, PlannedDelivery], ...]]:
    """What of these rows is new, and what changes a row (by id) that was not handed over."""
    if not history.by_key:
        return tuple(rows), ()
    add: list[PlannedDelivery] = []
    change: list[tuple[int, PlannedDelivery]] = []
    for row in rows:
        old = history.by_key.get((row.step, row.channel, row.occurrence))
        if old is None:
            add.append(row)
        elif not old.handed_over:
            change.append((old.id, row))
    return tuple(add), tuple(change)


def _wanted(journey: Journey, history: History, now: datetime) -> list[Wanted]:
    """The steps to plan, in the order of the file."""
    wanted = []
    for step in journey.schedule.steps:
        if step.name in journey.answered:
            continue
        if (occurrence := history.occurrence_of(step)) is not None:
            channels = _channels_left(step, occurrence, journey.reach, history)
            timed = _timed(step, channels, journey, history, now)
            begun = history.has_begun(step.name, occurrence)
            wanted.append(Wanted(step, channels, timed, occurrence, begun))
    return wanted


def _channels_left(
    step: Step, occurrence: int, reach: Reach, history: History
) -> tuple[Channel, ...]:
    """The channels on which an occurrence may still go out.

    Not one on which it failed already; and by email where that was planned in a text's place.
    """
    channels = channels_of(step, reach)
    failed = history.failed_on(step.name, occurrence)
    if not failed:
        return channels
    in_place = (step.name, Channel.EMAIL, occurrence) in history.by_key
    left = dict.fromkeys((*channels, Channel.EMAIL) if in_place else channels)
    return tuple(channel for channel in left if channel not in failed) or channels


def _timed(
    step: Step, channels: Sequence[Channel], journey: Journey, history: History, now: datetime
) -> Timed:
    """The times of a step, with its lateness judged once (T6) and its channels asked (T12)."""
    zone, window = journey.zone, journey.window
    timed = time_step(step, journey.anchors, zone, window, now)
    if timed.reason is Reason.LATE and history.still_waits(step.name, timed.planned_at):
        timed = time_step(replace(step, if_late=IfLate.SEND), journey.anchors, zone, window, now)
    if journey.no_show and timed.planned_at >= journey.anchors.session:
        return timed._replace(reason=Reason.NO_SHOW)
    reasons = [journey.reach[channel] for channel in channels]
    return timed if None in reasons else timed._replace(reason=reasons[0])


def _moved_notice(
    journey: Journey, history: History, now: datetime
) -> tuple[list[PlannedDelivery], tuple[Unsendable, ...]]:
    """The `rescheduled` message where the patient was told of another session (T8)."""
    session_at, told = journey.anchors.session, history.last_told
    if told is None or history.knows_session() or history.is_settled(RESCHEDULED):
        return [], ()
    if now >= session_at:
        return [], ()
    last = until_of_notice(session_at, told, now)
    rows = notice_rows(RESCHEDULED, journey, last, history.next_occurrence(RESCHEDULED), now)
    return rows, calls_for(rows)


def _difference(
    rows: Iterable[PlannedDelivery],
    calls: tuple[Unsendable, ...],
    history: History,
    answered: frozenset[str],
) -> Plan:
    add, change = add_or_change(rows, history)
    changed = {id_ for id_, _ in change}
    cancel = tuple(
        (old.id, Reason.ANSWERED if old.step in answered else history.why_dropped(old))
        for old in history.loose()
        if old.id not in changed
    )
    return Plan(add, change, cancel, calls)
