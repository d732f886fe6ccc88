"""What holds for every enrollment, in every zone, at every date, whatever its schedule says."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from drip.core.clinic import Crowding
from drip.core.delivery import Reason, Status
from drip.core.planner import Journey, Plan, PlannedDelivery, plan
from drip.core.schedule import Channel, OnReschedule
from drip.core.timing import Anchors, Timed, time_step
from drip.core.when import When
from drip.core.window import SendWindow
from tests.core import strategies as some
from tests.core.journeys import Enrollment, booked, shipped, step
from tests.core.strategies import Case

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def first_plan(case: Case) -> Plan:
    return plan(case.journey, case.now, (), case.elsewhere)


def going(rows: Iterable[PlannedDelivery]) -> dict[str, PlannedDelivery]:
    """One delivery of every step that goes out."""
    return {row.step: row for row in rows if row.status is not Status.SKIPPED}


def is_open(window: SendWindow, moment: datetime, zone: ZoneInfo) -> bool:
    local = moment.astimezone(zone)
    hours = window.days[local.weekday()]
    return hours is not None and hours[0] <= local.hour * 60 + local.minute < hours[1]


def last_moment(row: PlannedDelivery, journey: Journey) -> datetime:
    """The moment before which a delivery goes out: `until`, or the anchor that it lies before."""
    anchor = journey.anchors.of(journey.schedule.by_name[row.step].when.anchor)
    return min(row.until, anchor) if row.planned_at < anchor else row.until


@given(some.cases())
def test_nothing_goes_out_of_hours_or_out_of_time(case: Case) -> None:
    journey, now, _ = case
    planned = first_plan(case)
    for row in planned.add:
        if row.status is Status.SCHEDULED:
            assert now <= row.due_at < row.until
            assert is_open(journey.window, row.due_at, journey.zone)


@given(some.cases())
def test_a_move_never_crosses_the_anchor(case: Case) -> None:
    journey = case.journey
    planned = first_plan(case)
    for row in going(planned.add).values():
        anchor = journey.anchors.of(journey.schedule.by_name[row.step].when.anchor)
        assert (row.due_at < anchor) if row.planned_at < anchor else (row.due_at >= anchor)


@given(some.cases())
def test_nothing_goes_before_welcome(case: Case) -> None:
    journey = case.journey
    planned = first_plan(case)
    rows = going(planned.add)
    first = rows.get(journey.schedule.welcome or "")
    if first is not None:
        assert all(row.due_at >= first.due_at for row in rows.values())


def clashes(moment: datetime, others: Iterable[datetime], journey: Journey) -> bool:
    """Whether a step at a moment would crowd, or be crowded by, the others."""
    rules, zone = journey.crowding, journey.zone
    day = moment.astimezone(zone).date()
    same_day = sum(other.astimezone(zone).date() == day for other in others)
    near = any(abs(other - moment) < rules.spacing for other in others)
    return near or same_day >= rules.steps_per_day


def candidates(
    start: datetime, last: datetime, others: Iterable[datetime], journey: Journey
) -> Iterator[datetime]:
    """The moments of which one must be the first free slot, if there is any."""
    yield start
    yield from (other + journey.crowding.spacing for other in others)
    day = start.astimezone(journey.zone).date()
    while day <= last.astimezone(journey.zone).date():
        hours = journey.window.days[day.weekday()]
        for minute in {0, hours[0] if hours else 0}:
            clock = time(*divmod(minute, 60))
            yield datetime.combine(day, clock, journey.zone).astimezone(UTC)
        day += DAY


def has_free_slot(row: PlannedDelivery, rows: dict[str, PlannedDelivery], case: Case) -> bool:
    """Whether a step could go out, from its own time on, without crowding any other."""
    journey = case.journey
    others = [other.due_at for name, other in rows.items() if name != row.step] + case.elsewhere
    last = last_moment(row, journey)
    return any(
        row.due_at <= moment < last
        and is_open(journey.window, moment, journey.zone)
        and not clashes(moment, others, journey)
        for moment in candidates(row.due_at, last, others, journey)
    )


@given(some.cases())
def test_steps_keep_their_distance_unless_one_is_essential_and_finds_no_slot(case: Case) -> None:
    journey = case.journey
    planned = first_plan(case)
    rows = going(planned.add)
    steps = journey.schedule.by_name
    beside = {
        name
        for name, row in rows.items()
        if steps[name].essential and not has_free_slot(row, rows, case)
    }
    calm = [row.due_at for name, row in rows.items() if name not in beside]
    for place, moment in enumerate(calm):
        others = calm[:place] + calm[place + 1 :] + case.elsewhere
        assert not clashes(moment, others, journey)


@given(some.cases())
def test_only_education_without_a_free_slot_is_crowded_out(case: Case) -> None:
    journey = case.journey
    planned = first_plan(case)
    rows = going(planned.add)
    for row in planned.add:
        if row.reason is Reason.CROWDED:
            assert not journey.schedule.by_name[row.step].essential
            assert not has_free_slot(row, rows, case)


@given(some.cases())
def test_what_is_covered_is_said_again_in_time(case: Case) -> None:
    journey = case.journey
    planned = first_plan(case)
    rows = going(planned.add)
    for row in planned.add:
        if row.reason is Reason.COVERED:
            coverers = journey.schedule.coverers[row.step]
            assert journey.schedule.by_name[row.step].essential
            assert any(name in rows and rows[name].due_at <= row.until for name in coverers)
            assert not has_free_slot(row, rows, case)


@given(some.cases())
def test_a_follow_up_goes_only_with_its_opener(case: Case) -> None:
    journey = case.journey
    planned = first_plan(case)
    rows = going(planned.add)
    for name, opener in journey.schedule.openers.items():
        assert name not in rows or opener in rows
    for row in planned.add:
        if row.reason is Reason.GROUP_SKIPPED:
            assert journey.schedule.openers[row.step] not in rows


@given(some.cases())
def test_every_essential_step_goes_is_covered_or_is_a_call(case: Case) -> None:
    journey = case.journey
    planned = first_plan(case)
    calls = [call.step for call in planned.unsendable]
    rows = going(planned.add)
    covered = {row.step for row in planned.add if row.reason is Reason.COVERED}
    assert len(calls) == len(set(calls))
    for one in journey.schedule.steps:
        fates = [one.name in rows, one.name in covered, one.name in calls]
        assert sum(fates) == (1 if one.essential else int(one.name in rows))


@given(some.cases())
def test_there_is_a_delivery_for_every_step_and_channel_and_a_reason_for_every_skip(
    case: Case,
) -> None:
    journey = case.journey
    planned = first_plan(case)
    assert not planned.change
    assert not planned.cancel
    found = {(row.step, row.channel) for row in planned.add}
    assert len(found) == len(planned.add)
    for one in journey.schedule.steps:
        channels = {channel for name, channel in found if name == one.name}
        assert channels >= set(one.channels)
        if channels != set(one.channels):
            assert one.essential
            assert journey.reach[Channel.SMS] is not None
            assert channels == {Channel.SMS, Channel.EMAIL}
    for row in planned.add:
        assert (row.reason is None) is (row.status is Status.SCHEDULED)
        assert journey.reach[row.channel] is None or row.reason is journey.reach[row.channel]


@given(some.cases())
def test_only_lateness_skips_a_lesson_as_late(case: Case) -> None:
    journey, now, _ = case
    planned = first_plan(case)
    for row in planned.add:
        if row.reason is Reason.LATE:
            assert row.planned_at < now
            assert journey.schedule.by_name[row.step].if_late == "skip"


@given(
    st.tuples(some.whens, some.moments, some.zones)
    | st.tuples(some.near_whens, some.near_clock_changes, some.changing_zones)
)
def test_hours_are_elapsed_and_days_are_calendar_steps(
    example: tuple[When, datetime, ZoneInfo],
) -> None:
    when, anchor, zone = example
    found = when.resolve(anchor, zone)
    assert found.tzinfo is UTC
    if when.at is None and not when.days:
        assert found - anchor == when.minutes * MINUTE
        return
    wall = anchor.astimezone(zone).replace(tzinfo=None) + when.days * DAY
    wall = wall if when.at is None else datetime.combine(wall.date(), when.at)
    local = found.astimezone(zone)
    moved = local.replace(tzinfo=None) - wall
    if moved:
        # The wall clock was never there: it lies in the gap that it was moved by.
        assert moved > timedelta()
        assert (
            wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall
        )
    else:
        assert local.fold == 0


def steady(moment: datetime, zone: ZoneInfo, days: int) -> bool:
    """Whether no clock change lies within so many days."""
    offsets = {(moment + n * DAY).astimezone(zone).utcoffset() for n in range(-days, days + 1)}
    return len(offsets) == 1


@given(some.whens, some.moments, some.zones, some.windows, st.integers(0, 3 * 1440))
def test_a_time_outside_the_window_goes_forward_else_back_else_nowhere(
    when: When, session: datetime, zone: ZoneInfo, window: SendWindow, delay: int
) -> None:
    assume(steady(session, zone, 40))
    anchors = Anchors(session - 21 * DAY, session)
    now = anchors.booking + delay * MINUTE
    found = time_step(replace(step("a", "at session"), when=when), anchors, zone, window, now)
    assume(found.reason in (None, Reason.NO_WINDOW))
    start = max(found.planned_at, now)
    assert (found.due_at if found.reason is None else None) == slowly(
        start, found, anchors.of(when.anchor), now, window, zone
    )


def slowly(
    start: datetime,
    timed: Timed,
    anchor: datetime,
    now: datetime,
    window: SendWindow,
    zone: ZoneInfo,
) -> datetime | None:
    """T4 by looking at every minute."""
    if is_open(window, start, zone):
        return start
    moment = start
    while (moment := moment + MINUTE) < timed.last and moment - start < 8 * DAY:
        if is_open(window, moment, zone):
            return moment
    floor = max(now, anchor) if timed.planned_at >= anchor else now
    moment = start
    while (moment := moment - MINUTE) >= floor:
        if is_open(window, moment, zone):
            return moment
    return None


FATES = st.sampled_from(
    [
        Status.CLAIMED,
        Status.SENDING,
        Status.UNKNOWN,
        Status.ACCEPTED,
        Status.DELIVERED,
        Status.UNDELIVERED,
        Status.FAILED,
        Status.EXPIRED,
        Status.CANCELLED,
        Status.SKIPPED,
        Status.HELD,
    ]
)


def live(enrollment: Enrollment, moment: datetime, data: st.DataObject) -> None:
    """Let time pass until a moment: what is due goes out a little late, or does not."""
    for row in enrollment.existing:
        if row.status is not Status.SCHEDULED or row.due_at >= moment:
            continue
        late = min(timedelta(minutes=data.draw(st.integers(0, 90))), moment - row.due_at)
        status = data.draw(st.sampled_from([Status.ACCEPTED] * 8 + [Status.UNKNOWN]) | FATES)
        enrollment.become(row, status, row.due_at + late)
        enrollment.reasons[row.id] = None if row.handed_over else Reason.UNTIL_PASSED


@given(some.cases(), st.data())
def test_planning_again_at_any_later_moment_changes_nothing(
    case: Case, data: st.DataObject
) -> None:
    journey, now, _ = case
    enrollment = booked(journey, now)
    assert plan(journey, now, enrollment.existing) == Plan()
    for _ in range(3):
        now += data.draw(st.integers(0, 30 * 1440)) * MINUTE
        live(enrollment, now, data)
        assert plan(journey, now, enrollment.existing) == Plan()


EVENTS = st.sampled_from(
    [
        *("move", "move", "move", "back", "same", "pause", "resume", "cancel", "stop", "no-show"),
        *("wait", "crisis"),
    ]
)

AFTER_CANCEL = st.sampled_from(["move", "back", "same", "cancel", "stop", "wait"])


class Told:
    """What happened to an enrollment, for what may be sent again."""

    def __init__(self, journey: Journey) -> None:
        self.sessions = [journey.anchors.session]
        self.turns = 0


def happen(event: str, enrollment: Enrollment, now: datetime, told: Told, ahead: int) -> None:
    """One event of an enrollment's life, as the services would handle it."""
    session = enrollment.journey.anchors.session
    match event:
        case "move" | "back" | "same":
            to = now + ahead * MINUTE if event == "move" else told.sessions[0]
            to = session if event == "same" else to
            if to > now:
                enrollment.reschedule(to, now)
                told.turns += 1
                told.sessions.append(to)
        case "pause":
            enrollment.pause(now)
        case "crisis":
            enrollment.pause_education(now)
        case "resume":
            enrollment.resume(now)
        case "cancel":
            enrollment.cancel(now)
        case "stop":
            enrollment.stop("sms", now)
        case "no-show" if now >= session:
            enrollment.no_show(now)


@given(some.journeys(), st.data())
def test_a_life_of_changes(journey: Journey, data: st.DataObject) -> None:
    now = journey.anchors.booking
    enrollment, told = booked(journey, now), Told(journey)
    cancelled = False
    for _ in range(data.draw(st.integers(1, 6))):
        now += data.draw(st.integers(0, 600) | st.integers(0, 20 * 1440)) * MINUTE
        live(enrollment, now, data)
        before = {row.id: row for row in enrollment.existing if row.handed_over}
        event = data.draw(AFTER_CANCEL if cancelled else EVENTS)
        turns, revision = told.turns, enrollment.journey.revision
        happen(event, enrollment, now, told, data.draw(st.integers(1, 20 * 1440)))
        cancelled = event == "cancel" or (cancelled and told.turns == turns)
        for id_, row in before.items():
            assert enrollment.rows[id_] == row
        check(enrollment, told)
        if enrollment.journey.revision > revision:
            assert_distance(enrollment, now)
        if not cancelled:
            assert plan(enrollment.journey, now, enrollment.existing) == Plan()


def check(enrollment: Enrollment, told: Told) -> None:
    """What holds at every moment of a life."""
    journey = enrollment.journey
    notices = [row for row in enrollment.existing if row.waiting and row.step == "rescheduled"]
    assert len({row.channel for row in notices}) == len(notices)
    for row in enrollment.existing:
        one = journey.schedule.by_name.get(row.step)
        if journey.education_paused and row.weight == "education":
            assert row.status is not Status.SCHEDULED
        if row.status is Status.SKIPPED and row.revision == journey.revision:
            assert enrollment.reasons[row.id] is not None
        if row.waiting and row.status is not Status.CLAIMED:
            assert row.session_at == journey.anchors.session
            assert row.due_at < row.until
            assert is_open(journey.window, row.due_at, journey.zone)
        if one is not None:
            resends = one.on_reschedule is OnReschedule.RESEND
            assert row.occurrence <= (1 + told.turns if resends else 1)


@given(some.cases())
def test_a_crisis_holds_education_and_leaves_all_else_as_it_would_be(case: Case) -> None:
    journey, now, elsewhere = case
    in_crisis = replace(journey, education_paused=True)
    found = plan(in_crisis, now, elsewhere=elsewhere)
    without = plan(journey, now, elsewhere=elsewhere)
    assert found.unsendable == without.unsendable
    assert found.add == tuple(
        replace(row, status=Status.HELD, reason=Reason.CRISIS)
        if row.weight == "education" and row.status is Status.SCHEDULED
        else row
        for row in without.add
    )
    paused = plan(replace(in_crisis, paused=True), now, elsewhere=elsewhere)
    assert {row.reason for row in paused.add if row.status is Status.HELD} <= {Reason.PAUSED}


def assert_distance(enrollment: Enrollment, now: datetime) -> None:
    """What was planned last keeps its distance from all that went out, if it is education."""
    journey = enrollment.journey
    times: dict[tuple[str, int], datetime] = {}
    for row in enrollment.existing:
        if row.reached_patient or row.waiting:
            key = row.step, row.occurrence
            times[key] = min(times.get(key, row.went_at), row.went_at)
    for row in enrollment.existing:
        key = row.step, row.occurrence
        began = any(r.reached_patient for r in enrollment.existing if (r.step, r.occurrence) == key)
        fresh = row.waiting and row.revision == journey.revision and row.due_at >= now
        if fresh and row.weight == "education" and not began and row.status is not Status.CLAIMED:
            essentials = {
                r.step for r in enrollment.existing if r.weight == "essential" and r.waiting
            }
            others = [
                at for other, at in times.items() if other != key and other[0] not in essentials
            ]
            assert not clashes(row.due_at, others, journey)


@given(some.journeys(), st.integers(1, 5), st.data())
def test_a_resume_or_the_same_time_again_sends_nothing_twice(
    journey: Journey, times: int, data: st.DataObject
) -> None:
    now = journey.anchors.booking
    enrollment = booked(journey, now)
    for _ in range(times):
        now += data.draw(st.integers(0, 20 * 1440)) * MINUTE
        live(enrollment, now, data)
        sent = {(row.step, row.channel) for row in enrollment.existing if row.handed_over}
        enrollment.resume(now)
        again = {(row.step, row.channel) for row in enrollment.existing if row.waiting}
        assert not sent & again
        assert {row.occurrence for row in enrollment.existing} <= {1}


def test_the_shipped_schedule_leaves_nothing_out_when_there_is_time() -> None:
    for days in range(16, 60):
        for hour in range(7, 20):
            booking = datetime(2026, 8, 3, 15, tzinfo=UTC)
            session = booking + days * DAY + (hour - 11) * timedelta(hours=1)
            journey = Journey(
                schedule=shipped(),
                anchors=Anchors(booking, session),
                zone=ZoneInfo("America/New_York"),
                window=SendWindow.daily(time(9), time(20)),
                crowding=Crowding(),
                reach=dict.fromkeys(Channel),
            )
            assert not [row.step for row in plan(journey, booking).add if row.reason]
