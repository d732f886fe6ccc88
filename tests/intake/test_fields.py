"""Moments, time zones and words from a list, as people write them."""

from zoneinfo import ZoneInfo

import pytest

from drip.errors import InvalidInput
from drip.intake.fields import one_of, read_moment, read_zone

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-12-10T09:00", "2026-12-10T09:00:00-05:00"),
        ("2026-12-10 9:00", "2026-12-10T09:00:00-05:00"),
        ("2026-12-10T09:00:59", "2026-12-10T09:00:00-05:00"),
        ("2026-06-10T09:00", "2026-06-10T09:00:00-04:00"),
        ("2026-12-10T09:00Z", "2026-12-10T09:00:00+00:00"),
        ("2026-12-10T09:00+0530", "2026-12-10T09:00:00+05:30"),
        ("2026-11-01T01:30", "2026-11-01T01:30:00-04:00"),  # twice that night: the first
    ],
)
def test_a_moment_is_on_the_clock_of_the_zone_unless_it_says_otherwise(text: str, iso: str) -> None:
    assert read_moment(text, NEW_YORK, "session").isoformat() == iso


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "2026-12-10",
        "12/10/2026 09:00",
        "2026-02-30T09:00",
        "2026-12-10T24:00",
        "2026-12-10T09:00:61",
        "2026-12-10T09:00 AM",
        "2026-12-10T09:00+25:00",
        "0026-12-10T09:00",
        "9" * 400,
    ],
)
def test_what_is_no_moment_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(InvalidInput, match="write it as 2026-12-10T09:00") as refused:
        read_moment(text, NEW_YORK, "session")
    assert len(str(refused.value)) < 160


@pytest.mark.parametrize("name", ["America/New_York", "Australia/Lord_Howe", "Etc/UTC", "UTC"])
def test_a_zone_is_an_iana_name(name: str) -> None:
    assert read_zone(name).key == name


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("new york", "America/New_York"),
        ("America/NewYork", "America/New_York"),
        ("America/Chicgo", "America/Chicago"),
        ("EST", "America/New_York"),
        ("CDT", "America/Chicago"),
        ("PT", "America/Los_Angeles"),
        ("Singapore", "Asia/Singapore"),
    ],
)
def test_a_zone_that_is_not_there_is_told_with_the_one_that_is_meant(text: str, meant: str) -> None:
    with pytest.raises(InvalidInput, match=f"Did you mean {meant}?"):
        read_zone(text)


@pytest.mark.parametrize("text", ["Asia/Nowhere", "../../etc/passwd", "posixrules", "x" * 3000])
def test_a_zone_that_nobody_means_gets_no_guess(text: str) -> None:
    with pytest.raises(InvalidInput, match="There is no time zone") as refused:
        read_zone(text)
    assert "Did you mean" not in str(refused.value)
    assert len(str(refused.value)) < 200


def test_a_word_that_is_not_in_the_list_is_told_with_the_list() -> None:
    with pytest.raises(InvalidInput, match=r'one of iv, im\. Did you mean "iv"\?'):
        one_of("route", "ivv", ("iv", "im"))
