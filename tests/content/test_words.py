"""Dates, times and zones in the words of a language."""

# ruff: noqa: E501  a row of a table is one line

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.content.clinic_file import sample_clinic
from drip.content.language_file import load_language
from drip.content.sources import content_dir
from drip.content.words import SessionWords, direction, fill, phone_said, session_words
from drip.core.clinic import Clinic

NEW_YORK = ZoneInfo("America/New_York")
LANGUAGES = {language: load_language(content_dir(), language) for language in ("en", "es")}


def said(
    clinic: Clinic,
    session: str,
    now: str,
    language: str = "en",
    patient: str = "America/New_York",
    clinic_zone: str = "America/New_York",
) -> SessionWords:
    """Both times are on the clinic's clock."""
    zone = ZoneInfo(clinic_zone)
    session_at, now_at = (datetime.fromisoformat(t).replace(tzinfo=zone) for t in (session, now))
    clinic = replace(clinic, zone=zone)
    words = LANGUAGES[language]
    return session_words(words, clinic, session_at, ZoneInfo(patient), now_at.astimezone(UTC), "")


@pytest.mark.parametrize(
    ("session", "language", "words"),
    [
        ("2026-12-10T09:00", "en", "Thursday, December 10|9:00 AM|at 9:00 AM|8:45 AM|at 8:45 AM"),
        ("2026-12-10T00:05", "en", "Thursday, December 10|12:05 AM|at 12:05 AM|11:50 PM|at 11:50 PM"),
        ("2026-12-10T09:00", "es", "jueves 10 de diciembre|9:00 a. m.|a las 9:00 a. m.|8:45 a. m.|a las 8:45 a. m."),
        ("2026-12-10T13:10", "es", "jueves 10 de diciembre|1:10 p. m.|a la 1:10 p. m.|12:55 p. m.|a las 12:55 p. m."),
        ("2026-12-10T01:30", "es", "jueves 10 de diciembre|1:30 a. m.|a la 1:30 a. m.|1:15 a. m.|a la 1:15 a. m."),
    ],
)  # fmt: skip
def test_the_session_is_said_in_words(
    clinic: Clinic, session: str, language: str, words: str
) -> None:
    found = said(clinic, session, "2026-12-01T12:00", language)
    assert words.split("|") == [
        found.date,
        found.time,
        found.at,
        found.arrive_time,
        found.arrive_at,
    ]


@pytest.mark.parametrize(
    ("session", "now", "when"),
    [
        ("2026-12-10T09:00", "2026-12-07T10:00", "Thursday, December 10"),
        ("2026-12-10T09:00", "2026-12-09T00:00", "tomorrow, Thursday, December 10"),
        ("2026-12-10T09:00", "2026-12-09T23:59", "tomorrow, Thursday, December 10"),
        ("2026-12-10T09:00", "2026-12-10T00:00", "today, Thursday, December 10"),
        ("2026-12-10T16:59", "2026-12-10T12:00", "today, Thursday, December 10"),
        ("2026-12-10T17:00", "2026-12-10T12:00", "tonight, Thursday, December 10"),
        ("2026-12-10T17:00", "2026-12-09T12:00", "tomorrow, Thursday, December 10"),
        ("2026-12-10T09:00", "2026-12-11T09:00", "Thursday, December 10"),
    ],
)
def test_a_day_is_named_by_how_far_it_is_when_the_message_is_sent(
    clinic: Clinic, session: str, now: str, when: str
) -> None:
    assert said(clinic, session, now).when == when


@pytest.mark.parametrize(
    ("session", "now", "patient", "when"),
    [
        # 1:00 AM in New York is still the day before in Los Angeles.
        ("2026-12-10T01:00", "2026-12-09T12:00", "America/Los_Angeles", "Thursday, December 10"),
        ("2026-12-10T09:00", "2026-12-10T01:00", "America/Los_Angeles", "Thursday, December 10"),
        ("2026-12-10T09:00", "2026-12-10T04:00", "America/Los_Angeles", "today, Thursday, December 10"),
        ("2026-12-10T20:00", "2026-12-10T10:00", "Asia/Tokyo", "Thursday, December 10"),
    ],
)  # fmt: skip
def test_a_day_is_named_only_where_both_calendars_agree(
    clinic: Clinic, session: str, now: str, patient: str, when: str
) -> None:
    assert said(clinic, session, now, patient=patient).when == when


@pytest.mark.parametrize(
    ("session", "clinic_zone", "patient", "language", "time"),
    [
        ("2026-12-10T09:00", "America/New_York", "America/Detroit", "en", "9:00 AM"),
        ("2026-12-10T09:00", "America/New_York", "America/Chicago", "en", "9:00 AM Eastern Time"),
        ("2026-12-10T09:00", "America/New_York", "America/Chicago", "es", "9:00 a. m. (hora oriental)"),
        ("2026-12-10T09:00", "America/Indiana/Indianapolis", "America/Chicago", "en", "9:00 AM Eastern Time"),
        ("2026-12-10T09:00", "America/Kentucky/Louisville", "America/Chicago", "es", "9:00 a. m. (hora oriental)"),
        # Phoenix keeps no summer time: in winter it goes with Denver, in summer it does not.
        ("2026-12-10T09:00", "America/Phoenix", "America/Denver", "en", "9:00 AM"),
        ("2026-07-10T09:00", "America/Phoenix", "America/Denver", "en", "9:00 AM Mountain Standard Time"),
        ("2026-07-10T09:00", "Europe/London", "Europe/Berlin", "en", "9:00 AM United Kingdom Time"),
    ],
)  # fmt: skip
def test_the_zone_is_named_where_the_patients_clock_differs_at_that_moment(
    clinic: Clinic, session: str, clinic_zone: str, patient: str, language: str, time: str
) -> None:
    found = said(clinic, session, "2026-06-01T12:00", language, patient, clinic_zone)
    assert found.time == time


def test_the_time_to_arrive_never_names_the_zone(clinic: Clinic) -> None:
    found = said(clinic, "2026-12-10T09:00", "2026-12-01T12:00", "en", "America/Chicago")
    assert (found.at, found.arrive_at) == ("at 9:00 AM Eastern Time", "at 8:45 AM")


@given(st.integers(0, 1_000_000), st.sampled_from(["en", "es"]))
def test_no_odd_space_gets_into_words(minutes: int, language: str) -> None:
    clinic = sample_clinic()
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    words = session_words(
        LANGUAGES[language], clinic, at, ZoneInfo("Asia/Tokyo"), at - timedelta(days=2), ""
    )
    text = " ".join(
        (words.date, words.when, words.time, words.at, words.arrive_time, words.arrive_at)
    )
    assert set("\u00a0\u202f\u2009").isdisjoint(text)


@pytest.mark.parametrize(
    ("number", "words"),
    [("+12125550100", "(212) 555-0100"), ("+442079460018", "020 7946 0018")],
)
def test_a_phone_number_is_said_as_its_country_writes_it(number: str, words: str) -> None:
    assert phone_said(number) == words


def test_blanks_are_filled_with_values_as_they_are() -> None:
    assert fill("Call {{ a }}, {{b.c}}.", {"a": "{{ b.c }}", "b.c": "x"}) == "Call {{ b.c }}, x."


@pytest.mark.parametrize(("language", "found"), [("en", "ltr"), ("ar", "rtl"), ("es-MX", "ltr")])
def test_a_language_has_a_direction(language: str, found: str) -> None:
    assert direction(language) == found
