"""The shipped journey, booked early and late: what a patient gets, to the minute."""

from dataclasses import replace
from datetime import timedelta

import pytest

from drip.core.delivery import Reason
from drip.core.planner import plan
from drip.core.schedule import Channel
from tests.core.journeys import booked, journey, lines, timeline

JOURNEYS = [
    (
        "a month ahead, at 07:00",
        "America/New_York",
        "2026-11-10 13:00",
        "2026-12-10 07:00",
        """2026-11-10 13:00 welcome
           2026-11-11 10:00 what-is-ketamine
           2026-11-12 10:00 kinds-of-treatment
           2026-11-30 10:00 what-it-may-help
           2026-12-03 10:00 questions-to-ask
           2026-12-05 10:00 side-effects
           2026-12-07 10:00 arrange-a-ride
           2026-12-09 10:00 day-before
           2026-12-09 19:59 day-of
           2026-12-10 11:00 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after""",
        "",
    ),
    (
        "over New York's fall back, at 19:30",
        "America/New_York",
        "2026-10-05 13:00",
        "2026-11-04 19:30",
        """2026-10-05 13:00 welcome
           2026-10-06 10:00 what-is-ketamine
           2026-10-07 10:00 kinds-of-treatment
           2026-10-25 10:00 what-it-may-help
           2026-10-28 10:00 questions-to-ask
           2026-10-30 10:00 side-effects
           2026-11-01 10:00 arrange-a-ride
           2026-11-03 10:00 day-before
           2026-11-04 17:30 day-of
           2026-11-04 19:59 evening-after
           2026-11-05 10:00 check-in
           2026-11-11 10:00 week-after""",
        "",
    ),
    (
        "over New York's spring forward, at 07:00",
        "America/New_York",
        "2027-02-16 13:00",
        "2027-03-16 07:00",
        """2027-02-16 13:00 welcome
           2027-02-17 10:00 what-is-ketamine
           2027-02-18 10:00 kinds-of-treatment
           2027-03-06 10:00 what-it-may-help
           2027-03-09 10:00 questions-to-ask
           2027-03-11 10:00 side-effects
           2027-03-13 10:00 arrange-a-ride
           2027-03-15 10:00 day-before
           2027-03-15 19:59 day-of
           2027-03-16 11:00 evening-after
           2027-03-17 10:00 check-in
           2027-03-23 10:00 week-after""",
        "",
    ),
    (
        "over London's spring forward, at 19:30",
        "Europe/London",
        "2027-03-01 09:00",
        "2027-03-29 19:30",
        """2027-03-01 09:00 welcome
           2027-03-02 10:00 what-is-ketamine
           2027-03-03 10:00 kinds-of-treatment
           2027-03-19 10:00 what-it-may-help
           2027-03-22 10:00 questions-to-ask
           2027-03-24 10:00 side-effects
           2027-03-26 10:00 arrange-a-ride
           2027-03-28 10:00 day-before
           2027-03-29 17:30 day-of
           2027-03-29 19:59 evening-after
           2027-03-30 10:00 check-in
           2027-04-05 10:00 week-after""",
        "",
    ),
    (
        "on the day of London's fall back, at 07:00",
        "Europe/London",
        "2026-10-01 09:00",
        "2026-10-25 07:00",
        """2026-10-01 09:00 welcome
           2026-10-02 10:00 what-is-ketamine
           2026-10-03 10:00 kinds-of-treatment
           2026-10-15 10:00 what-it-may-help
           2026-10-18 10:00 questions-to-ask
           2026-10-20 10:00 side-effects
           2026-10-22 10:00 arrange-a-ride
           2026-10-24 10:00 day-before
           2026-10-24 19:59 day-of
           2026-10-25 11:00 evening-after
           2026-10-26 10:00 check-in
           2026-11-01 10:00 week-after""",
        "",
    ),
    (
        "on the day of Lord Howe's half hour forward, at 19:30",
        "Australia/Lord_Howe",
        "2026-09-10 11:00",
        "2026-10-04 19:30",
        """2026-09-10 11:00 welcome
           2026-09-11 10:00 what-is-ketamine
           2026-09-12 10:00 kinds-of-treatment
           2026-09-24 10:00 what-it-may-help
           2026-09-27 10:00 questions-to-ask
           2026-09-29 10:00 side-effects
           2026-10-01 10:00 arrange-a-ride
           2026-10-03 10:00 day-before
           2026-10-04 17:30 day-of
           2026-10-04 19:59 evening-after
           2026-10-05 10:00 check-in
           2026-10-11 10:00 week-after""",
        "",
    ),
    (
        "on the day of Lord Howe's half hour back, at 07:00",
        "Australia/Lord_Howe",
        "2026-03-10 11:00",
        "2026-04-05 07:00",
        """2026-03-10 11:00 welcome
           2026-03-11 10:00 what-is-ketamine
           2026-03-12 10:00 kinds-of-treatment
           2026-03-26 10:00 what-it-may-help
           2026-03-29 10:00 questions-to-ask
           2026-03-31 10:00 side-effects
           2026-04-02 10:00 arrange-a-ride
           2026-04-04 10:00 day-before
           2026-04-04 19:59 day-of
           2026-04-05 11:00 evening-after
           2026-04-06 10:00 check-in
           2026-04-12 10:00 week-after""",
        "",
    ),
    (
        "in Phoenix, which changes no clocks, at 07:00",
        "America/Phoenix",
        "2027-02-16 13:00",
        "2027-03-16 07:00",
        """2027-02-16 13:00 welcome
           2027-02-17 10:00 what-is-ketamine
           2027-02-18 10:00 kinds-of-treatment
           2027-03-06 10:00 what-it-may-help
           2027-03-09 10:00 questions-to-ask
           2027-03-11 10:00 side-effects
           2027-03-13 10:00 arrange-a-ride
           2027-03-15 10:00 day-before
           2027-03-15 19:59 day-of
           2027-03-16 11:00 evening-after
           2027-03-17 10:00 check-in
           2027-03-23 10:00 week-after""",
        "",
    ),
    (
        "in Tokyo, which changes no clocks, at 19:30",
        "Asia/Tokyo",
        "2026-10-05 13:00",
        "2026-11-04 19:30",
        """2026-10-05 13:00 welcome
           2026-10-06 10:00 what-is-ketamine
           2026-10-07 10:00 kinds-of-treatment
           2026-10-25 10:00 what-it-may-help
           2026-10-28 10:00 questions-to-ask
           2026-10-30 10:00 side-effects
           2026-11-01 10:00 arrange-a-ride
           2026-11-03 10:00 day-before
           2026-11-04 17:30 day-of
           2026-11-04 19:59 evening-after
           2026-11-05 10:00 check-in
           2026-11-11 10:00 week-after""",
        "",
    ),
    (
        "36 hours ahead, in the evening",
        "America/New_York",
        "2026-12-08 19:30",
        "2026-12-10 07:30",
        """2026-12-08 19:30 welcome
           2026-12-09 10:00 day-before
           2026-12-09 19:59 day-of
           2026-12-10 11:30 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - what-is-ketamine: crowded
           - kinds-of-treatment: too_late
           - what-it-may-help: late
           - questions-to-ask: crowded
           - side-effects: crowded
           - arrange-a-ride: covered""",
        "",
    ),
    (
        "20 hours ahead, at 07:00",
        "America/New_York",
        "2026-12-09 11:00",
        "2026-12-10 07:00",
        """2026-12-09 11:00 welcome
           2026-12-09 13:00 day-before
           2026-12-09 19:59 day-of
           2026-12-10 11:00 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - what-is-ketamine: too_late
           - kinds-of-treatment: too_late
           - what-it-may-help: late
           - questions-to-ask: crowded
           - side-effects: crowded
           - arrange-a-ride: covered""",
        "",
    ),
    (
        "12 hours ahead, before the window opens",
        "America/New_York",
        "2026-12-10 07:30",
        "2026-12-10 19:30",
        """2026-12-10 09:00 welcome
           2026-12-10 11:00 day-before
           2026-12-10 17:30 day-of
           2026-12-10 19:59 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - what-is-ketamine: too_late
           - kinds-of-treatment: too_late
           - what-it-may-help: late
           - questions-to-ask: too_late
           - side-effects: too_late
           - arrange-a-ride: covered""",
        "",
    ),
    (
        "12 hours ahead, an hour before the window closes",
        "America/New_York",
        "2026-12-09 19:00",
        "2026-12-10 07:00",
        """2026-12-09 19:00 day-before
           2026-12-09 19:00 welcome
           2026-12-09 19:59 day-of
           2026-12-10 11:00 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - what-is-ketamine: too_late
           - kinds-of-treatment: too_late
           - what-it-may-help: late
           - questions-to-ask: too_late
           - side-effects: too_late
           - arrange-a-ride: covered""",
        "",
    ),
    (
        "12 hours ahead, after the window closed: every word is for the phone",
        "America/New_York",
        "2026-12-09 21:00",
        "2026-12-10 09:00",
        """2026-12-10 13:00 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - welcome: no_window
           - what-is-ketamine: too_late
           - kinds-of-treatment: too_late
           - what-it-may-help: late
           - questions-to-ask: too_late
           - side-effects: too_late
           - arrange-a-ride: no_window
           - day-before: no_window
           - day-of: no_window""",
        "welcome arrange-a-ride day-before day-of",
    ),
    (
        "3 hours ahead",
        "America/New_York",
        "2026-12-10 10:00",
        "2026-12-10 13:00",
        """2026-12-10 10:00 welcome
           2026-12-10 11:00 day-of
           2026-12-10 17:00 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - what-is-ketamine: too_late
           - kinds-of-treatment: too_late
           - what-it-may-help: late
           - questions-to-ask: too_late
           - side-effects: too_late
           - arrange-a-ride: too_late
           - day-before: too_late""",
        "arrange-a-ride day-before",
    ),
    (
        "1 hour ahead",
        "America/New_York",
        "2026-12-10 10:00",
        "2026-12-10 11:00",
        """2026-12-10 10:00 welcome
           2026-12-10 15:00 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - what-is-ketamine: too_late
           - kinds-of-treatment: too_late
           - what-it-may-help: late
           - questions-to-ask: too_late
           - side-effects: too_late
           - arrange-a-ride: too_late
           - day-before: too_late
           - day-of: too_late""",
        "arrange-a-ride day-before day-of",
    ),
    (
        "1 hour ahead, in the evening",
        "America/New_York",
        "2026-12-10 18:30",
        "2026-12-10 19:30",
        """2026-12-10 18:30 welcome
           2026-12-10 19:59 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - what-is-ketamine: too_late
           - kinds-of-treatment: too_late
           - what-it-may-help: late
           - questions-to-ask: too_late
           - side-effects: too_late
           - arrange-a-ride: too_late
           - day-before: too_late
           - day-of: too_late""",
        "arrange-a-ride day-before day-of",
    ),
    (
        "the evening before, for 19:30",
        "America/New_York",
        "2026-12-09 21:30",
        "2026-12-10 19:30",
        """2026-12-10 09:00 welcome
           2026-12-10 11:00 day-before
           2026-12-10 17:30 day-of
           2026-12-10 19:59 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - what-is-ketamine: too_late
           - kinds-of-treatment: too_late
           - what-it-may-help: late
           - questions-to-ask: no_window
           - side-effects: no_window
           - arrange-a-ride: covered""",
        "",
    ),
    (
        "a week ahead",
        "America/New_York",
        "2026-12-03 16:00",
        "2026-12-10 09:00",
        """2026-12-03 16:00 welcome
           2026-12-03 18:00 questions-to-ask
           2026-12-04 10:00 what-is-ketamine
           2026-12-05 10:00 kinds-of-treatment
           2026-12-05 12:00 side-effects
           2026-12-07 10:00 arrange-a-ride
           2026-12-09 10:00 day-before
           2026-12-09 19:59 day-of
           2026-12-10 13:00 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - what-it-may-help: late""",
        "",
    ),
    (
        "four days ahead, late in the evening",
        "America/New_York",
        "2026-12-06 22:00",
        "2026-12-10 19:30",
        """2026-12-07 09:00 welcome
           2026-12-07 11:00 arrange-a-ride
           2026-12-08 09:00 questions-to-ask
           2026-12-08 11:00 side-effects
           2026-12-09 10:00 day-before
           2026-12-09 12:00 what-is-ketamine
           2026-12-10 17:30 day-of
           2026-12-10 19:59 evening-after
           2026-12-11 10:00 check-in
           2026-12-17 10:00 week-after
           - kinds-of-treatment: crowded
           - what-it-may-help: late""",
        "",
    ),
]


@pytest.mark.parametrize(
    ("zone", "booking", "session", "expected", "calls"),
    [row[1:] for row in JOURNEYS],
    ids=[row[0] for row in JOURNEYS],
)
def test_the_journey(zone: str, booking: str, session: str, expected: str, calls: str) -> None:
    whole = journey(booking, session, zone=zone)
    found = plan(whole, whole.anchors.booking)
    assert timeline(found.add, zone) == lines(expected)
    assert [call.step for call in found.unsendable] == calls.split()


@pytest.mark.parametrize(
    ("zone", "booking", "session"),
    [row[1:4] for row in JOURNEYS],
    ids=[row[0] for row in JOURNEYS],
)
def test_planning_again_at_any_later_moment_changes_nothing(
    zone: str, booking: str, session: str
) -> None:
    enrollment = booked(journey(booking, session, zone=zone))
    first = enrollment.journey.anchors.booking
    last = enrollment.journey.anchors.session + timedelta(days=10)
    moments = [first + (last - first) * n / 40 for n in range(41)]
    for moment in moments:
        enrollment.send_until(moment)
        again = plan(enrollment.journey, moment, enrollment.existing)
        assert again.is_empty
        assert not again.unsendable
    assert not enrollment.ahead()


def test_a_consent_that_is_missing_is_said_before_an_address_that_is() -> None:
    reach = {Channel.SMS: Reason.NO_ADDRESS, Channel.EMAIL: Reason.NO_CONSENT}
    both = replace(journey("2026-11-10 13:00", "2026-12-10 09:00"), reach=reach)
    calls = {call.step: call.reason for call in plan(both, both.anchors.booking).unsendable}
    assert calls["welcome"] is Reason.NO_CONSENT
    assert calls["day-of"] is Reason.NO_ADDRESS
