"""The grammar of `when` and `until`."""

from datetime import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.when import Anchor, When, WhenError, parse_when
from tests.core.journeys import at, said

READ = [
    ("at booking", When(Anchor.BOOKING)),
    ("at session", When(Anchor.SESSION)),
    ("1 minute after booking", When(Anchor.BOOKING, minutes=1)),
    ("2 hours before session", When(Anchor.SESSION, minutes=-120)),
    ("3 days before session at 10:00", When(Anchor.SESSION, days=-3, at=time(10))),
    ("1 day after booking at 09:05", When(Anchor.BOOKING, days=1, at=time(9, 5))),
    ("2 weeks before session", When(Anchor.SESSION, days=-14)),
    ("1 week and 2 days before session", When(Anchor.SESSION, days=-9)),
    ("1 day and 3 hours after session", When(Anchor.SESSION, days=1, minutes=180)),
    ("3 hours and 1 day after session", When(Anchor.SESSION, days=1, minutes=180)),
    ("1 hour and 30 minutes before session", When(Anchor.SESSION, minutes=-90)),
    ("on the day of session at 08:00", When(Anchor.SESSION, at=time(8))),
    ("on the day of booking at 00:00", When(Anchor.BOOKING, at=time())),
    ("  2   hours  before\tsession ", When(Anchor.SESSION, minutes=-120)),
    ("366 days before session", When(Anchor.SESSION, days=-366)),
    ("0001 day before session", When(Anchor.SESSION, days=-1)),
]


@pytest.mark.parametrize(("text", "expected"), READ, ids=[text.strip() for text, _ in READ])
def test_a_when_is_read(text: str, expected: When) -> None:
    assert parse_when(text) == expected


BROKEN = [
    ("nothing at all", "", 1, 'expected a number, "at" or "on the day of", found the end'),
    ("blank", "   ", 4, "found the end"),
    ("a word for a number", "three days before session", 1, 'found "three"'),
    ("capitals", "At booking", 1, 'found "At"'),
    ("a negative number", "-3 days before session", 1, "expected a number"),
    ("a fraction", "1.5 hours before session", 1, "expected a number"),
    ("another script's digit", "٣ days before session", 1, "expected a number"),
    ("zero", "0 days before session", 1, "cannot be 0"),
    ("a unit misspelt", "3 dyas before session", 3, 'did you mean "days"?'),
    ("a unit that does not exist", "3 months before session", 3, "expected day, days, week"),
    ("no unit", "3", 2, "found the end"),
    ("a side misspelt", "3 days befor session", 8, 'did you mean "before"?'),
    ("no side", "3 days session", 8, "expected before, after"),
    ("an anchor misspelt", "3 days before sesion", 15, 'did you mean "session"?'),
    ("no anchor", "3 days before", 14, "expected booking, session, found the end"),
    ("an anchor that does not exist", "at birth", 4, "expected booking, session"),
    ("nothing after and", "3 days and before session", 12, "expected a number, found"),
    ("an hour of one digit", "3 days before session at 9:00", 26, "HH:MM"),
    ("the hour 24", "3 days before session at 24:00", 26, "00:00 to 23:59"),
    ("the minute 60", "3 days before session at 10:60", 26, "HH:MM"),
    ("no hour", "3 days before session at", 25, "found the end"),
    ("a time of day with hours", "3 hours before session at 10:00", 24, "days and weeks only"),
    ("a time of day with days and hours", "1 day and 1 hour before session at 10:00", 33, "only"),
    ("a time of day with at", "at session at 10:00", 12, "nothing is expected after this"),
    ("more words", "3 days before session please", 23, 'after this, found "please"'),
    ("on the day with a slip", "on teh day of session at 10:00", 4, 'did you mean "the"?'),
    ("on the day without a time", "on the day of session", 22, "expected at, found the end"),
    ("more than a year", "367 days before session", 1, "more than a year away"),
    ("more than a year in minutes", "527041 minutes before session", 1, "more than a year"),
    ("more than a year in parts", "52 weeks and 3 days before session", 1, "more than a year"),
    ("a number of many digits", "9" * 5000 + " days before session", 1, "more than a year away"),
]


@pytest.mark.parametrize(
    ("text", "column", "message"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN]
)
def test_a_broken_when_is_pointed_at(text: str, column: int, message: str) -> None:
    with pytest.raises(WhenError) as caught:
        parse_when(text)
    assert caught.value.column == column
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


SAID = [
    ("7 days before session", "1 week before session"),
    ("14 days after booking at 10:00", "2 weeks after booking at 10:00"),
    ("8 days before session", "8 days before session"),
    ("1 week and 1 day before session", "8 days before session"),
    ("60 minutes before session", "1 hour before session"),
    ("90 minutes before session", "90 minutes before session"),
    ("1 minutes after session", "1 minute after session"),
    ("1 week and 2 hours after session", "1 week and 2 hours after session"),
    ("on the day of session at 08:00", "on the day of session at 08:00"),
    ("at booking", "at booking"),
]


@pytest.mark.parametrize(("text", "canonical"), SAID)
def test_a_when_is_said_in_one_way(text: str, canonical: str) -> None:
    assert str(parse_when(text)) == canonical


clocks = st.none() | st.times().map(lambda t: t.replace(second=0, microsecond=0))
day_steps = st.builds(When, st.sampled_from(Anchor), st.integers(-366, 366), at=clocks)
elapsed = st.builds(When, st.sampled_from(Anchor), minutes=st.integers(-527040, 527040))


@given(day_steps | elapsed)
def test_what_a_when_says_is_read_as_the_same(when: When) -> None:
    assert parse_when(str(when)) == when


@given(st.text(alphabet="adestyofrhinubgkmw 0123456789:", max_size=40))
def test_any_text_is_read_or_pointed_at(text: str) -> None:
    assert 1 <= column_of_fault(text) <= len(text) + 1


def column_of_fault(text: str) -> int:
    try:
        parse_when(text)
    except WhenError as error:
        return error.column
    return 1


def test_only_at_booking_is_the_booking_itself() -> None:
    assert parse_when("at booking").is_booking_itself
    others = ["at session", "1 minute after booking", "1 day after booking"]
    assert not any(
        parse_when(text).is_booking_itself for text in [*others, "on the day of booking at 00:00"]
    )


def test_an_anchor_may_be_given_on_any_clock() -> None:
    session = at("2026-12-10 09:00").astimezone(ZoneInfo("Asia/Tokyo"))
    due = parse_when("1 day before session").resolve(session, ZoneInfo("America/New_York"))
    assert said(due) == "2026-12-09 09:00"
    assert due.tzname() == "UTC"
