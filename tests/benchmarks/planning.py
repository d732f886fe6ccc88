"""Planning 10,000 enrollments, against a loop that only makes the same datetimes and rows."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from drip.content.schedule_file import load_schedule
from drip.content.sources import content_dir
from drip.core.clinic import Crowding
from drip.core.delivery import Status
from drip.core.planner import Journey, PlannedDelivery, plan
from drip.core.schedule import Channel
from drip.core.timing import Anchors
from drip.core.when import Anchor, When
from drip.core.window import SendWindow
from tests.benchmarks.figures import Figure, side_by_side, timed

ENROLLMENTS = 10_000
ROUNDS = 5
BOUND = 4.0


def journeys() -> list[Journey]:
    """Bookings of two months, each with its session three weeks ahead."""
    schedule = load_schedule(content_dir(), "ketamine-first-session")
    first = datetime(2026, 10, 1, 13, tzinfo=UTC)
    step = timedelta(minutes=8)
    return [
        Journey(
            schedule=schedule,
            anchors=Anchors(booking, booking + timedelta(days=21, minutes=number % 240)),
            zone=ZoneInfo("America/New_York"),
            window=SendWindow.daily(time(9), time(20)),
            crowding=Crowding(),
            reach=dict.fromkeys(Channel),
        )
        for number in range(ENROLLMENTS)
        for booking in [first + number * step]
    ]


def plan_all(enrollments: list[Journey]) -> int:
    """Our way: every rule, from the first plan of each enrollment."""
    return sum(len(plan(each, each.anchors.booking).add) for each in enrollments)


def moment(when: When, booking: datetime, session: datetime, zone: ZoneInfo) -> datetime:
    """What anybody would write for "3 days before session at 10:00", from local anchors."""
    local = booking if when.anchor is Anchor.BOOKING else session
    local += timedelta(days=when.days)
    if when.at is not None:
        local = datetime.combine(local.date(), when.at, zone)
    return local.astimezone(UTC) + timedelta(minutes=when.minutes)


def bare_rows(journey: Journey) -> list[PlannedDelivery]:
    """The same number of rows, with times and without a single rule."""
    zone, session_at, revision = journey.zone, journey.anchors.session, journey.revision
    booking, session = journey.anchors.booking.astimezone(zone), session_at.astimezone(zone)
    rows = []
    for step in journey.schedule.steps:
        due_at = moment(step.when, booking, session, zone)
        until = due_at + timedelta(days=2)
        if step.until is not None:
            until = moment(step.until, booking, session, zone)
        for channel in step.channels:
            row = PlannedDelivery(
                step.name,
                step.message,
                channel,
                1,
                step.weight,
                Status.SCHEDULED,
                None,
                due_at,
                due_at,
                until,
                session_at,
                revision,
            )
            rows.append(row)
    return rows


def make_all(enrollments: list[Journey]) -> int:
    """The bare way."""
    return sum(len(bare_rows(each)) for each in enrollments)


def measure() -> list[Figure]:
    """Both ways in turns; they must come to the same number of rows."""
    enrollments = journeys()
    assert plan_all(enrollments) == make_all(enrollments)
    ours, bare = side_by_side(
        lambda: timed(lambda: plan_all(enrollments)),
        lambda: timed(lambda: make_all(enrollments)),
        ROUNDS,
    )
    return [Figure(f"planning {ENROLLMENTS:,} enrollments", ours, bare, BOUND)]


if __name__ == "__main__":
    for figure in measure():
        print(*figure.row(), sep="   ")
