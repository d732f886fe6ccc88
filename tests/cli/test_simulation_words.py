"""What a simulation's figures say to somebody who has not read the code."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from drip.cli.simulation_table import _print_figures
from drip.cli.simulation_words import busiest_said, days_said, parts, queue_said, summary
from drip.core.schedule import Channel
from drip.services.trials.simulation_report import Counts, Hour, Lateness, Queue, Report, Wanted

NEW_YORK = ZoneInfo("America/New_York")
TEN = datetime(2026, 12, 7, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def made(rate: float, texts: int, longest: timedelta, enough: float = 0.5) -> Report:
    """A day on which so many texts were due at 10:00."""
    return Report(
        wanted=Wanted(100, 1, "ketamine-first-session", 1, "none", date(2026, 12, 7), 0.01),
        clinic="River Ketamine Center",
        zone=NEW_YORK,
        rate=rate,
        counts={channel: Counts(texts, {}, {}, 0, 0) for channel in Channel},
        held=0,
        to_call=0,
        lateness=Lateness(longest / 2, longest, longest, (texts, 0, 0, 0, 0)),
        queue=queue(texts, longest),
        hours=(Hour(9, 1, 1), Hour(10, texts, texts)),
        by_day=(),
        parts={("GSM-7", 1): 1200, ("GSM-7", 2): 30, ("UCS-2", 4): 2},
        enough=enough,
    )


def queue(texts: int, took: timedelta) -> Queue:
    curve = tuple((at.astimezone(NEW_YORK), 0) for at in (TEN, TEN + took))
    return Queue(texts, TEN, TEN, TEN + took, curve)


@pytest.mark.parametrize(
    ("rate", "texts", "longest", "why"),
    [
        (1, 500, 8 * MINUTE, "due at the very same minute, and wait for their turn. The pace"),
        (1, 100, MINUTE, "up to 100 on one day. The pace allows 3,600 an hour."),
        (0.1, 500, 80 * MINUTE, "up to 500 on one day. The pace allows 360 an hour: the rest"),
    ],
)
def test_the_busiest_hour_is_said_with_why_its_texts_wait(
    rate: float, texts: int, longest: timedelta, why: str
) -> None:
    said = busiest_said(made(rate, texts, longest))
    assert said.startswith("Most go out at 10:00-11:00: ")
    assert why in said


def test_a_queue_of_one_day_is_told_by_the_clock_and_a_longer_one_by_the_day() -> None:
    assert queue_said(queue(1234, 9 * MINUTE), 1, NEW_YORK) == (
        "It formed at 10:00 and had drained at 10:09, at 1 text a second. "
        "At most 1,234 texts were due and waited."
    )
    over_night = queue_said(queue(9, timedelta(days=1)), 0.01, NEW_YORK)
    assert "formed at Mon Dec 7, 10:00 and had drained at Tue Dec 8, 10:00" in over_night


@pytest.mark.parametrize(
    ("enough", "who"),
    [(0.5, "a long code has that."), (1.7, "a toll-free number has that."), (101, "within 5 min.")],
)
def test_the_pace_that_is_needed_is_said_with_who_has_it(enough: float, who: str) -> None:
    assert summary(made(0.1, 500, 80 * MINUTE, enough))[1].endswith(who)


def test_what_texts_cost_is_said_in_parts_and_letters_not_in_names_of_encodings() -> None:
    assert parts(made(1, 1232, MINUTE)) == [
        ("1 part, plain letters", "1,200", "1,200", "$12.00"),
        ("2 parts, plain letters", "30", "60", "$0.60"),
        ("4 parts, special letters", "2", "8", "$0.08"),
        ("All texts", "1,232", "1,268", "$12.68"),
    ]


def test_one_day_is_a_day() -> None:
    assert [days_said(count) for count in (1, 2, 1000)] == ["1 day", "2 days", "1,000 days"]


def test_figures_stand_under_one_another_by_their_last_digits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _print_figures(("Name", "Texts", ""), [("a", "12,345", "███"), ("long name", "7", "█")])
    assert capsys.readouterr().out.splitlines() == [
        "Name        Texts",
        "a          12,345  ███",
        "long name       7  █",
    ]
