"""When one step may go out by itself: T1 to T6, one table a rule."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drip.core.delivery import Reason
from drip.core.timing import Anchors, Timed, time_step
from drip.core.when import parse_when
from drip.core.window import SendWindow
from tests.core.journeys import ALL_DAY, NEW_YORK, NINE_TO_EIGHT, at, said, step

LONDON = "Europe/London"
LORD_HOWE = "Australia/Lord_Howe"
PHOENIX = "America/Phoenix"
TOKYO = "Asia/Tokyo"
APIA = "Pacific/Apia"
ST_JOHNS = "America/St_Johns"


def timed(
    when: str,
    *,
    session: str = "2026-12-10 09:00",
    booked: str = "2026-11-20 13:00",
    now: str | None = None,
    zone: str = NEW_YORK,
    window: SendWindow = NINE_TO_EIGHT,
    **given: Any,
) -> Timed:
    """The times of one step, planned when it was booked unless `now` says otherwise."""
    anchors = Anchors(at(booked, zone), at(session, zone))
    moment = at(now, zone) if now else anchors.booking
    return time_step(step("a-step", when, **given), anchors, ZoneInfo(zone), window, moment)


T1 = [
    # what, zone, when, session, due
    ("10:00 stays 10:00 over spring forward", NEW_YORK,
     "3 days before session at 10:00", "2027-03-16 09:00", "2027-03-13 10:00"),
    ("10:00 stays 10:00 over fall back", NEW_YORK,
     "3 days before session at 10:00", "2026-11-03 09:00", "2026-10-31 10:00"),
    ("a day keeps the time of day over spring forward", NEW_YORK,
     "1 day before session", "2027-03-14 19:30", "2027-03-13 19:30"),
    ("a day keeps the time of day over fall back", NEW_YORK,
     "1 day before session", "2026-11-01 19:30", "2026-10-31 19:30"),
    ("24 hours elapse over spring forward", NEW_YORK,
     "24 hours before session", "2027-03-14 19:30", "2027-03-13 18:30"),
    ("24 hours elapse over fall back", NEW_YORK,
     "24 hours before session", "2026-11-01 19:30", "2026-10-31 20:30"),
    ("2 hours before 07:00 over fall back", NEW_YORK,
     "6 hours before session", "2026-11-01 07:00", "2026-11-01 01:00 (2nd)"),
    ("7 hours before 07:00 over fall back", NEW_YORK,
     "7 hours before session", "2026-11-01 07:00", "2026-11-01 01:00"),
    ("5 hours before 07:00 over spring forward", NEW_YORK,
     "5 hours before session", "2027-03-14 07:00", "2027-03-14 01:00"),
    ("a week over spring forward", LONDON,
     "1 week after session at 10:00", "2027-03-27 07:00", "2027-04-03 10:00"),
    ("a week over fall back", LONDON,
     "1 week before session", "2026-10-29 19:30", "2026-10-22 19:30"),
    ("168 hours over fall back", LONDON,
     "168 hours before session", "2026-10-29 19:30", "2026-10-22 20:30"),
    ("a day over half an hour forward", LORD_HOWE,
     "1 day before session", "2026-10-04 07:00", "2026-10-03 07:00"),
    ("24 hours over half an hour forward", LORD_HOWE,
     "24 hours before session", "2026-10-04 07:00", "2026-10-03 06:30"),
    ("24 hours over half an hour back", LORD_HOWE,
     "24 hours before session", "2026-04-05 07:00", "2026-04-04 07:30"),
    ("days first, then hours", NEW_YORK,
     "1 day and 6 hours before session", "2026-11-02 07:00", "2026-11-01 01:00 (2nd)"),
    ("no clock change, no difference", PHOENIX,
     "24 hours before session", "2027-03-14 19:30", "2027-03-13 19:30"),
    ("no clock change, no difference in Tokyo", TOKYO,
     "7 days before session at 10:00", "2026-11-05 07:00", "2026-10-29 10:00"),
    ("over the end of a year", NEW_YORK,
     "10 days before session at 10:00", "2027-01-05 07:00", "2026-12-26 10:00"),
    ("over a leap day", NEW_YORK,
     "1 day before session at 10:00", "2028-03-01 07:00", "2028-02-29 10:00"),
    ("on the day", NEW_YORK,
     "on the day of session at 06:00", "2026-12-10 19:30", "2026-12-10 06:00"),
    ("over a day that the zone never had", APIA,
     "2 days before session at 10:00", "2011-12-31 19:30", "2011-12-29 10:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "when", "session", "due"), [row[1:] for row in T1], ids=[row[0] for row in T1]
)
def test_days_are_calendar_steps_and_hours_elapse(
    zone: str, when: str, session: str, due: str
) -> None:
    resolved = parse_when(when).resolve(at(session, zone), ZoneInfo(zone))
    assert said(resolved, zone) == due


T2 = [
    # what, the clinic's zone, the patient's zone, session (clinic), due (patient)
    ("a patient to the west", NEW_YORK, "America/Los_Angeles", "2026-12-10 09:00",
     "2026-12-09 10:00"),
    ("whose day is another", NEW_YORK, TOKYO, "2026-12-10 19:30", "2026-12-10 10:00"),
    ("where the clocks changed already", LONDON, NEW_YORK, "2026-10-26 07:00", "2026-10-25 10:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("clinic", "patient", "session", "due"), [row[1:] for row in T2], ids=[row[0] for row in T2]
)
def test_a_step_is_timed_on_the_patients_clock(
    clinic: str, patient: str, session: str, due: str
) -> None:
    when = parse_when("1 day before session at 10:00")
    assert said(when.resolve(at(session, clinic), ZoneInfo(patient)), patient) == due


def test_the_send_window_is_on_the_patients_clock() -> None:
    nine_in_new_york = at("2026-12-10 09:00", NEW_YORK)
    anchors = Anchors(at("2026-11-20 13:00"), at("2026-12-10 12:00"))
    found = time_step(
        step("day-of", "3 hours before session", until="1 minute before session"),
        anchors,
        ZoneInfo("America/Los_Angeles"),
        NINE_TO_EIGHT,
        anchors.booking,
    )
    assert found.planned_at == nine_in_new_york
    # 06:00 in Los Angeles; 09:00 there would be the session itself.
    assert said(found.due_at, "America/Los_Angeles") == "2026-12-09 19:59"


T3 = [
    # what, zone, when, session, due
    ("a skipped time moves forward by the gap", NEW_YORK,
     "1 day before session at 02:30", "2027-03-15 09:00", "2027-03-14 03:30"),
    ("a skipped time of day that was kept", NEW_YORK,
     "1 day after session", "2027-03-13 02:15", "2027-03-14 03:15"),
    ("hours elapse from the moved time", NEW_YORK,
     "1 day and 2 hours after session", "2027-03-13 02:30", "2027-03-14 05:30"),
    ("the gap of half an hour", LORD_HOWE,
     "on the day of session at 02:15", "2026-10-04 07:00", "2026-10-04 02:45"),
    ("the gap at 01:00", LONDON,
     "on the day of session at 01:00", "2027-03-28 19:30", "2027-03-28 02:00"),
    ("the gap at midnight", "Asia/Beirut",
     "on the day of session at 00:00", "2026-03-29 19:30", "2026-03-29 01:00"),
    ("the gap of a whole day", APIA,
     "1 day before session at 10:00", "2011-12-31 19:30", "2011-12-31 10:00"),
    ("of two equal times the first", NEW_YORK,
     "1 day before session at 01:30", "2026-11-02 09:00", "2026-11-01 01:30"),
    ("of two equal times the first, in London", LONDON,
     "on the day of session at 01:30", "2026-10-25 19:30", "2026-10-25 01:30"),
    ("of two equal times the first, half an hour apart", LORD_HOWE,
     "on the day of session at 01:45", "2026-04-05 19:30", "2026-04-05 01:45"),
    ("a day from the second of two is the plain time", NEW_YORK,
     "1 day after session", "2026-11-01 01:30 (2nd)", "2026-11-02 01:30"),
    ("the day of the second of two is the first", NEW_YORK,
     "on the day of session at 01:30", "2026-11-01 01:30 (2nd)", "2026-11-01 01:30"),
    ("an hour from the second of two", NEW_YORK,
     "1 hour before session", "2026-11-01 01:30 (2nd)", "2026-11-01 01:30"),
    ("at the second of two itself", NEW_YORK,
     "at session", "2026-11-01 01:30 (2nd)", "2026-11-01 01:30 (2nd)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "when", "session", "due"), [row[1:] for row in T3], ids=[row[0] for row in T3]
)
def test_a_local_time_that_is_missing_or_double(
    zone: str, when: str, session: str, due: str
) -> None:
    resolved = parse_when(when).resolve(at(session, zone), ZoneInfo(zone))
    assert said(resolved, zone) == due


NOON_TO_ONE_ON_FRIDAYS = SendWindow((None, None, None, None, (720, 780), None, None))
WEEKDAYS = SendWindow(((540, 1200),) * 5 + (None, None))

T4 = [
    # what, when, the rest, due or reason
    ("inside it stays", "2 hours before session", {"session": "2026-12-10 14:00"},
     "2026-12-10 12:00"),
    ("at the opening it stays", "on the day of session at 09:00", {"session": "2026-12-10 19:30"},
     "2026-12-10 09:00"),
    ("the last minute is inside", "1 day before session at 19:59", {}, "2026-12-09 19:59"),
    ("the close is outside", "2 days before session at 20:00", {}, "2026-12-09 09:00"),
    ("an opening that is the session itself: back to the evening before",
     "1 day before session at 20:00", {}, "2026-12-09 19:59"),
    ("too early moves to the opening", "1 day before session at 06:00", {}, "2026-12-09 09:00"),
    ("too late moves to the next day", "3 days before session at 22:00", {}, "2026-12-08 09:00"),
    ("an opening that is `until` is too late",
     "2 hours before session", {"until": "2 hours after session", "session": "2026-12-10 09:00"},
     "2026-12-09 19:59"),
    ("an opening past `until`: back to the evening before",
     "2 hours before session", {"until": "1 hour before session"}, "2026-12-09 19:59"),
    ("an opening one minute before `until` is taken",
     "2 hours before session", {"session": "2026-12-10 10:01", "until": "1 hour before session"},
     "2026-12-10 09:00"),
    ("never past the anchor, whatever `until` says",
     "3 hours before session", {"session": "2026-12-10 07:00", "until": "1 day after session"},
     "2026-12-09 19:59"),
    ("never before the anchor",
     "10 minutes after session", {"session": "2026-12-10 20:30", "until": "1 hour after session"},
     Reason.NO_WINDOW),
    ("never before the anchor that it stands at",
     "at session", {"session": "2026-12-10 21:00", "until": "1 hour after session"},
     Reason.NO_WINDOW),
    ("back to just after the anchor",
     "4 hours after session", {"session": "2026-12-10 19:30", "until": "6 hours after session"},
     "2026-12-10 19:59"),
    ("back to the anchor itself",
     "4 hours after session", {"session": "2026-12-10 19:59", "until": "6 hours after session"},
     "2026-12-10 19:59"),
    ("back, but that is past",
     "2 hours before session", {"booked": "2026-12-09 21:00", "until": "1 hour before session"},
     Reason.NO_WINDOW),
    ("back, and that is this minute",
     "2 hours before session", {"booked": "2026-12-09 19:59", "until": "1 hour before session"},
     "2026-12-09 19:59"),
    ("a step after the session waits for the morning",
     "2 hours after session", {"session": "2026-12-10 19:30"}, "2026-12-11 09:00"),
    ("booked at night: the morning after",
     "at booking", {"booked": "2026-11-20 23:15"}, "2026-11-21 09:00"),
    ("booked before dawn: the same morning",
     "at booking", {"booked": "2026-11-20 04:15"}, "2026-11-20 09:00"),
    ("a closed weekend", "4 days before session at 10:00", {"window": WEEKDAYS},
     "2026-12-07 09:00"),
    ("a closed weekend, and `until` before Monday",
     "4 days before session at 10:00", {"window": WEEKDAYS, "until": "3 days before session"},
     "2026-12-04 19:59"),
    ("one open hour a week", "9 days before session at 10:00", {"window": NOON_TO_ONE_ON_FRIDAYS},
     "2026-12-04 12:00"),
    ("one open hour a week, just closed",
     "6 days before session at 13:00",
     {"window": NOON_TO_ONE_ON_FRIDAYS, "session": "2026-12-17 09:00"},
     "2026-12-11 12:59"),
    ("open around the clock", "2 hours before session", {"window": ALL_DAY}, "2026-12-10 07:00"),
    ("an opening on the day the clocks go forward",
     "on the day of session at 05:00", {"session": "2027-03-14 19:30"}, "2027-03-14 09:00"),
    ("a close on the day the clocks go back",
     "3 hours after session",
     {"booked": "2026-10-20 13:00", "session": "2026-11-01 19:30",
      "until": "5 hours after session"},
     "2026-11-01 19:59"),
    ("late at night: as soon as it opens",
     "3 days before session at 10:00", {"booked": "2026-12-08 22:00"}, "2026-12-09 09:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("when", "given", "expected"), [row[1:] for row in T4], ids=[row[0] for row in T4]
)
def test_a_time_outside_the_window_is_moved(
    when: str, given: dict[str, Any], expected: str | Reason
) -> None:
    found = timed(when, **given)
    assert (found.reason or said(found.due_at)) == expected


T5 = [
    # what, when, the rest, until, reason
    ("booking: the session's start", "1 day after booking at 10:00", {}, "2026-12-10 09:00", None),
    ("before the session: its start", "3 days before session at 10:00", {},
     "2026-12-10 09:00", None),
    ("on its day but earlier: its start", "on the day of session at 08:59",
     {"window": ALL_DAY}, "2026-12-10 09:00", None),
    ("after the session: two days", "7 days after session at 10:00", {}, "2026-12-19 10:00", None),
    ("at the session: two days", "at session", {}, "2026-12-12 09:00", None),
    ("two days are 48 hours", "1 day after session at 10:00", {"session": "2027-03-12 09:00"},
     "2027-03-15 11:00", None),
    ("its own", "3 days before session at 10:00", {"until": "3 hours before session"},
     "2026-12-10 06:00", None),
    ("its own, a calendar step", "1 day after session at 10:00",
     {"until": "3 days after session", "session": "2027-03-12 09:00"}, "2027-03-15 09:00", None),
    ("planned past its own", "2 days after booking at 10:00",
     {"until": "12 hours before session", "booked": "2026-12-08 13:00"},
     "2026-12-09 21:00", Reason.TOO_LATE),
    ("planned at its own", "12 hours before session",
     {"until": "12 hours before session", "window": ALL_DAY}, "2026-12-09 21:00", Reason.TOO_LATE),
    ("a booking step past the session", "1 week after booking at 10:00",
     {"booked": "2026-12-08 13:00"}, "2026-12-10 09:00", Reason.TOO_LATE),
    ("late, and past its own", "3 days before session at 10:00",
     {"until": "3 hours before session", "booked": "2026-12-10 06:00"},
     "2026-12-10 06:00", Reason.TOO_LATE),
    ("late, and one minute left", "3 days before session at 10:00",
     {"until": "3 hours before session", "booked": "2026-12-10 05:59", "window": ALL_DAY},
     "2026-12-10 06:00", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("when", "given", "until", "reason"), [row[1:] for row in T5], ids=[row[0] for row in T5]
)
def test_until_is_the_last_moment(
    when: str, given: dict[str, Any], until: str, reason: Reason | None
) -> None:
    found = timed(when, **given)
    assert (said(found.until), found.reason) == (until, reason)


T6 = [
    # what, if late, now, due or reason
    ("not yet: at its time", "skip", "2026-12-07 09:59", "2026-12-07 10:00"),
    ("this very moment is not late", "skip", "2026-12-07 10:00", "2026-12-07 10:00"),
    ("a minute late, to be skipped", "skip", "2026-12-07 10:01", Reason.LATE),
    ("a minute late, to be sent", "send", "2026-12-07 10:01", "2026-12-07 10:01"),
    ("late in the evening: in the morning", "send", "2026-12-07 21:00", "2026-12-08 09:00"),
    ("late in the last evening: no more room", "send", "2026-12-09 21:00", Reason.NO_WINDOW),
]


@pytest.mark.parametrize(
    ("if_late", "now", "expected"), [row[1:] for row in T6], ids=[row[0] for row in T6]
)
def test_a_step_whose_time_is_past(if_late: str, now: str, expected: str | Reason) -> None:
    found = timed(
        "3 days before session at 10:00", now=now, if_late=if_late, until="3 hours before session"
    )
    assert (found.reason or said(found.due_at)) == expected
    assert said(found.planned_at) == "2026-12-07 10:00"


def test_a_late_step_is_not_sent_past_the_anchor_that_it_lies_before() -> None:
    found = timed(
        "1 day before session at 10:00", now="2026-12-10 10:00", until="2 days after session"
    )
    assert said(found.last) == "2026-12-10 09:00"


def test_all_times_are_in_utc() -> None:
    found = timed("2 hours before session", until="1 hour before session")
    times = (found.planned_at, found.due_at, found.until, found.last)
    assert {moment.tzname() for moment in times} == {"UTC"}
