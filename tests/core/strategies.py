"""Any enrollment that could be: schedules, zones, windows and dates for the properties."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from drip.core.clinic import Crowding
from drip.core.delivery import Reason
from drip.core.planner import Journey
from drip.core.schedule import Channel, IfLate, OnReschedule, Schedule, Step, Weight
from drip.core.timing import Anchors
from drip.core.when import Anchor, When
from drip.core.window import SendWindow
from tests.core.journeys import shipped

FIRST = datetime(1990, 1, 1, tzinfo=UTC)
MINUTES = 70 * 365 * 1440
"""From 1990 to about 2060."""

_CHANGING = ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Pacific/Apia")

moments = st.integers(0, MINUTES).map(lambda n: FIRST + timedelta(minutes=n))


@cache
def _near_clock_changes() -> list[datetime]:
    """Hours around the moments at which some well-known zones change their clocks."""
    hours = []
    for key in _CHANGING:
        zone = ZoneInfo(key)
        for day in range(70 * 365):
            moment = FIRST + timedelta(days=day)
            after = moment + timedelta(days=1)
            if moment.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
                hours.append(moment)
    return hours


near_clock_changes = st.builds(
    lambda place, minutes: (
        _near_clock_changes()[place % len(_near_clock_changes())] + timedelta(minutes=minutes)
    ),
    st.integers(0, 10**6),
    st.integers(-1440, 2880),
)
changing_zones = st.sampled_from(_CHANGING).map(ZoneInfo)
zones = st.one_of(st.sampled_from(sorted(available_timezones())), st.sampled_from(_CHANGING)).map(
    ZoneInfo
)

_hours = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda h: h[0] < h[1])
_usual = st.sampled_from([SendWindow.daily(time(9), time(20)), SendWindow.daily(time(), time())])
windows = _usual | st.lists(st.none() | _hours, min_size=7, max_size=7).filter(any).map(
    lambda days: SendWindow(tuple(days))
)
crowdings = st.just(Crowding()) | st.builds(
    Crowding, st.integers(0, 4), st.integers(0, 40).map(lambda n: timedelta(minutes=15 * n))
)

_can = st.none()
_cannot = st.sampled_from([Reason.NO_CONSENT, Reason.NO_ADDRESS, Reason.SUPPRESSED])
reaches = st.fixed_dictionaries(
    {channel: st.one_of(_can, _can, _can, _cannot) for channel in Channel}
)

_clock = st.none() | st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
_days = st.builds(When, st.sampled_from(Anchor), st.integers(-20, 20), at=_clock)
_elapsed = st.builds(When, st.sampled_from(Anchor), minutes=st.integers(-4000, 4000))
whens = _days | _elapsed
near_whens = st.builds(
    When,
    st.sampled_from(Anchor),
    st.integers(-2, 2),
    at=st.none() | st.builds(time, st.integers(0, 3), st.sampled_from([0, 15, 30, 59])),
)
"""Times of day at which clocks are changed, some days around."""

_channels = st.sampled_from(
    [(Channel.SMS,), (Channel.EMAIL,), (Channel.SMS, Channel.EMAIL), (Channel.EMAIL, Channel.SMS)]
)
_NAMES = "abcdefg"


@st.composite
def steps(draw: Callable[..., Any], name: str, names: str) -> Step:
    opens = name == "a" and draw(st.booleans())
    return Step(
        name=name,
        message=name,
        when=When(Anchor.BOOKING) if opens else draw(whens),
        channels=draw(_channels),
        weight=draw(st.sampled_from(Weight)),
        if_late=draw(st.sampled_from(IfLate)),
        until=draw(st.none() | whens),
        on_reschedule=draw(st.sampled_from(OnReschedule)),
        group=draw(st.sampled_from([None, None, "g", "h"])),
        start_group=draw(st.sampled_from([False, False, True])),
        covers=tuple(draw(st.lists(st.sampled_from(names), max_size=2, unique=True))),
    )


@st.composite
def schedules(draw: Callable[..., Any]) -> Schedule:
    names = _NAMES[: draw(st.integers(1, len(_NAMES)))]
    return Schedule("any", "Any", 1, tuple(draw(steps(name, names)) for name in names))


@st.composite
def journeys(draw: Callable[..., Any]) -> Journey:
    booking = draw(moments | near_clock_changes)
    ahead = draw(st.integers(1, 3000) | st.integers(1, 60 * 1440))
    return Journey(
        schedule=draw(st.just(shipped()) | schedules()),
        anchors=Anchors(booking, booking + timedelta(minutes=ahead)),
        zone=draw(zones),
        window=draw(windows),
        crowding=draw(crowdings),
        reach=draw(reaches),
    )


class Case(NamedTuple):
    """An enrollment that is planned for the first time."""

    journey: Journey
    now: datetime
    elsewhere: list[datetime]


@st.composite
def cases(draw: Callable[..., Any]) -> Case:
    """Any enrollment, planned at once or late, by itself or beside others of its patient."""
    journey = draw(journeys())
    delay = draw(st.just(0) | st.integers(0, 3 * 1440))
    others = draw(st.just([]) | st.lists(st.integers(-600, 10 * 1440), max_size=4))
    booking = journey.anchors.booking
    return Case(
        journey,
        booking + timedelta(minutes=delay),
        [booking + timedelta(minutes=n) for n in others],
    )
