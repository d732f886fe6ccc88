"""The send window: the hours on a patient's clock in which messages may go out."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.window import Hours, SendWindow
from tests.core.journeys import ALL_DAY, NEW_YORK, NINE_TO_EIGHT, at, said

FRIDAYS = SendWindow((None, None, None, None, (540, 1200), None, None))
WEEKDAYS = SendWindow(((540, 1200),) * 5 + (None, None))
EPOCH = datetime(1990, 1, 1, tzinfo=UTC)
SMALL_HOURS = SendWindow(((75, 150),) * 7)  # 01:15 to 02:30

BROKEN: list[tuple[str, tuple[Hours | None, ...]]] = [
    ("six days", ((540, 1200),) * 6),
    ("eight days", ((540, 1200),) * 8),
    ("no day open", (None,) * 7),
    ("closes before it opens", ((1200, 540),) * 7),
    ("closes as it opens", ((540, 540),) * 7),
    ("past midnight", ((540, 1441),) * 7),
    ("before midnight", ((-1, 540),) * 7),
]


@pytest.mark.parametrize("days", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_an_impossible_window_is_refused(days: tuple[Hours | None, ...]) -> None:
    with pytest.raises(ValueError, match="a send window"):
        SendWindow(days)


def test_a_close_at_midnight_is_the_end_of_the_day() -> None:
    assert SendWindow.daily(time(9), time()).days == ((540, 1440),) * 7


INSIDE = [
    ("before it opens", NINE_TO_EIGHT, "2026-12-10 08:59:59", False),
    ("as it opens", NINE_TO_EIGHT, "2026-12-10 09:00", True),
    ("in its last second", NINE_TO_EIGHT, "2026-12-10 19:59:59", True),
    ("as it closes", NINE_TO_EIGHT, "2026-12-10 20:00", False),
    ("midnight, open all day", ALL_DAY, "2026-12-10 00:00", True),
    ("the last second, open all day", ALL_DAY, "2026-12-10 23:59:59", True),
    ("a closed day", WEEKDAYS, "2026-12-12 12:00", False),
    ("the second of two equal times", SMALL_HOURS, "2026-11-01 01:30 (2nd)", True),
]


@pytest.mark.parametrize(
    ("window", "moment", "inside"), [row[1:] for row in INSIDE], ids=[row[0] for row in INSIDE]
)
def test_a_moment_is_inside_or_not(window: SendWindow, moment: str, inside: bool) -> None:
    assert window.contains(at(moment), ZoneInfo(NEW_YORK)) is inside


OPENS = [
    # what, zone, window, moment, opens
    ("before the day's hours", NEW_YORK, NINE_TO_EIGHT, "2026-12-10 03:00", "2026-12-10 09:00"),
    ("after the day's hours", NEW_YORK, NINE_TO_EIGHT, "2026-12-10 20:00", "2026-12-11 09:00"),
    ("over a weekend", NEW_YORK, WEEKDAYS, "2026-12-11 20:00", "2026-12-14 09:00"),
    ("a week later", NEW_YORK, FRIDAYS, "2026-12-11 20:00", "2026-12-18 09:00"),
    ("after the clocks went forward", NEW_YORK, NINE_TO_EIGHT, "2027-03-13 22:00",
     "2027-03-14 09:00"),
    ("a skipped opening moves forward by the gap", NEW_YORK, SendWindow(((150, 300),) * 7),
     "2027-03-13 22:00", "2027-03-14 03:30"),
    ("hours that a clock change skips whole", NEW_YORK, SendWindow(((130, 170),) * 7),
     "2027-03-13 22:00", "2027-03-15 02:10"),
    ("the one open day was skipped by the zone", "Pacific/Apia", FRIDAYS,
     "2011-12-23 20:00", "2012-01-06 09:00"),
    ("a skipped day does not lend its hours to the next", "Pacific/Apia",
     SendWindow((None, None, None, None, (720, 1200), (540, 1200), None)),
     "2011-12-29 20:00", "2011-12-31 09:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "window", "moment", "opens"), [row[1:] for row in OPENS], ids=[row[0] for row in OPENS]
)
def test_the_next_opening(zone: str, window: SendWindow, moment: str, opens: str) -> None:
    found = window.next_opening(at(moment, zone), ZoneInfo(zone))
    assert found is not None
    assert said(found, zone) == opens


CLOSED = [
    # what, zone, window, moment, last minute
    ("this morning: last evening", NEW_YORK, NINE_TO_EIGHT, "2026-12-10 07:00", "2026-12-09 19:59"),
    ("this evening: an hour ago", NEW_YORK, NINE_TO_EIGHT, "2026-12-10 21:00", "2026-12-10 19:59"),
    ("the very close", NEW_YORK, NINE_TO_EIGHT, "2026-12-10 20:00", "2026-12-10 19:59"),
    ("over a weekend", NEW_YORK, WEEKDAYS, "2026-12-13 12:00", "2026-12-11 19:59"),
    ("a week ago", NEW_YORK, FRIDAYS, "2026-12-11 08:00", "2026-12-04 19:59"),
    ("the close was skipped by a clock change", NEW_YORK, SMALL_HOURS, "2027-03-14 12:00",
     "2027-03-14 01:59"),
    ("the one open day was skipped by the zone", "Pacific/Apia", FRIDAYS,
     "2012-01-05 08:00", "2011-12-23 19:59"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "window", "moment", "last"),
    [row[1:] for row in CLOSED],
    ids=[row[0] for row in CLOSED],
)
def test_the_last_minute_before_the_window_closed(
    zone: str, window: SendWindow, moment: str, last: str
) -> None:
    found = window.last_minute_before(at(moment, zone), ZoneInfo(zone))
    assert found is not None
    assert said(found, zone) == last


CLOSES = [
    ("in the day", NINE_TO_EIGHT, "2026-12-10 12:00", "2026-12-10 20:00"),
    ("open all day: at midnight", ALL_DAY, "2026-12-10 12:00", "2026-12-11 00:00"),
    ("the first of two equal times", SMALL_HOURS, "2026-11-01 01:20", "2026-11-01 02:30"),
    ("the second of two equal times", SendWindow(((0, 90),) * 7), "2026-11-01 01:20 (2nd)",
     "2026-11-01 01:30 (2nd)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("window", "moment", "closes"), [row[1:] for row in CLOSES], ids=[row[0] for row in CLOSES]
)
def test_the_end_of_the_window_that_a_moment_is_in(
    window: SendWindow, moment: str, closes: str
) -> None:
    assert said(window.closing(at(moment), ZoneInfo(NEW_YORK))) == closes


hours = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda h: h[0] < h[1])
windows = st.lists(st.none() | hours, min_size=7, max_size=7).filter(any).map(tuple).map(SendWindow)
moments = st.integers(0, 70 * 365 * 1440).map(lambda n: EPOCH + timedelta(minutes=n))
zones = st.sampled_from([NEW_YORK, "Australia/Lord_Howe", "Pacific/Apia", "Asia/Tokyo"])


@given(windows, moments, zones)
def test_what_is_found_is_inside_and_on_its_side(
    window: SendWindow, moment: datetime, key: str
) -> None:
    zone = ZoneInfo(key)
    opening, last = window.next_opening(moment, zone), window.last_minute_before(moment, zone)
    assert opening is not None
    assert opening >= moment
    assert window.contains(opening, zone)
    assert last is not None
    assert last < moment
    assert window.contains(last, zone)
    if window.contains(moment, zone):
        assert window.closing(moment, zone) > moment


@given(windows, moments)
def test_nothing_is_open_before_the_next_opening(window: SendWindow, moment: datetime) -> None:
    zone = ZoneInfo("Asia/Tokyo")
    moment = moment.replace(second=0, microsecond=0)
    if window.contains(moment, zone):
        return
    opening = window.next_opening(moment, zone)
    assert opening is not None
    between = min((opening - moment) // timedelta(minutes=1), 3 * 1440)
    assert not any(window.contains(moment + timedelta(minutes=n), zone) for n in range(between))
