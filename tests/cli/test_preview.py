"""`drip preview`: the plan, one message, the page, the calendar, the JSON."""

from pathlib import Path

import pytest
from icalendar import Calendar

from tests.cli.conftest import Drip

SESSION = ("--session", "2026-12-20T09:00")


def test_no_set_up_is_needed(empty_drip: Drip) -> None:
    done = empty_drip("preview", *SESSION)
    assert done.status == 0
    assert "arrange-a-ride" in done.out
    assert done.err == "A sample clinic is used, since there is no clinic.yaml here.\n"
    assert list(empty_drip.folder.iterdir()) == []


def test_the_session_is_on_the_clinics_clock_and_the_messages_on_the_patients(drip: Drip) -> None:
    first, *lines = drip("preview", *SESSION, "--timezone", "America/Phoenix").out.splitlines()
    assert first == ("Session Sun 2026-12-20 09:00 in America/New_York, times in America/Phoenix")
    assert any(line.startswith("Sat 2026-12-19 10:00  day-before") for line in lines)


def test_a_past_session_is_shown_with_a_hint(drip: Drip) -> None:
    done = drip("preview", "--session", "2026-11-20T09:00")
    assert done.status == 0
    assert done.err.startswith("This session is past: `--booked` shows")
    booked = drip("preview", "--session", "2026-11-20T09:00", "--booked", "2026-11-01T09:00")
    assert "past" not in booked.err


def test_the_language_and_the_route_may_be_in_capitals(drip: Drip) -> None:
    done = drip("preview", *SESSION, "--language", "ES", "--route", "IV", "--step", "day-before")
    assert done.status == 0
    assert "Hola" in done.out


def test_json_has_the_shape_that_scripts_rely_on(drip: Drip) -> None:
    made = drip("preview", *SESSION, "--json").json
    assert list(made) == [
        "schedule", "version", "timezone", "booked_at", "session_at", "deliveries",
    ]  # fmt: skip
    assert made["session_at"] == "2026-12-20T09:00:00-05:00"
    for each in made["deliveries"]:
        assert list(each) == [
            "step", "message", "channel", "due_at", "status", "reason", "until", "subject",
            "body", "parts", "encoding",
        ]  # fmt: skip
        sms = each["channel"] == "sms"
        assert (each["subject"] is None) == sms
        assert (each["parts"] is None, each["encoding"] is None) == (not sms, not sms)
    due = [each["due_at"] for each in made["deliveries"]]
    assert due == sorted(due)


def test_messages_link_to_an_example_page_where_patients_have_pages(drip: Drip) -> None:
    def bodies() -> list[str]:
        return [
            each["body"] or "" for each in drip("preview", *SESSION, "--json").json["deliveries"]
        ]

    assert not any("http" in body for body in bodies())
    drip.set(DRIP_PUBLIC_URL="https://care.example.com", DRIP_SECRET_KEY="k" * 40)
    link = "https://care.example.com/v/example."
    assert sum(link in body for body in bodies()) == 7
    drip.enroll()
    ((enrolled,),) = [drip("list", "--json").json["enrollments"]]
    assert link in drip("preview", "--enrollment", enrolled["id"], "--step", "day-before").out


def test_the_page_and_the_calendar_are_written(drip: Drip) -> None:
    done = drip("preview", *SESSION, "--html", "page.html", "--ics", "visit.ics")
    assert (done.status, done.out) == (0, "")
    assert "Written: page.html" in done.err
    page = (drip.folder / "page.html").read_text()
    assert "see you" in page.lower() or "visit" in page
    assert "<script" not in page
    calendar = Calendar.from_ical((drip.folder / "visit.ics").read_bytes())
    (event,) = calendar.walk("VEVENT")
    assert event.decoded("dtstart").isoformat() == "2026-12-20T09:00:00-05:00"
    assert "ketamine" not in str(event["summary"]).lower()


@pytest.mark.parametrize("option", ["--html", "--ics"])
def test_a_file_that_cannot_be_written_is_an_error_of_one_line(option: str, drip: Drip) -> None:
    for path in (Path("nowhere/file"), Path()):
        done = drip("preview", *SESSION, option, path)
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith(f"drip: {path} cannot be written: ")
        assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        ((), 2, "Say --session 2026-12-10T09:00, or --enrollment ID."),
        ((*SESSION, "--enrollment", "1"), 2, "Say --session"),
        (("--enrollment", "7"), 1, "There is no enrollment 7"),
        ((*SESSION, "--booked", "2026-12-21T09:00"), 2, "--booked is after --session"),
        ((*SESSION, "--schedule", "../other"), 1, 'No schedule "../other"'),
        ((*SESSION, "--step", "day-befor"), 2, 'Did you mean "day-before"?'),
        ((*SESSION, "--timezone", "EST"), 2, "Did you mean America/New_York?"),
    ],
)
def test_what_cannot_be_shown_is_an_error_of_one_line(
    args: tuple[str, ...], status: int, said: str, drip: Drip
) -> None:
    done = drip("preview", *args)
    assert (done.status, done.out) == (status, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_each_channel_says_why_it_goes_out_on_none(drip: Drip) -> None:
    drip.enroll("phone=", "consent=", "consent_how=")
    done = drip("preview", "--enrollment", 1)
    assert "arrange-a-ride      sms: no address on record; email: no consent on record" in done.out
