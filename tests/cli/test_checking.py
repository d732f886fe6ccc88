"""`drip check`: what is wrong with the content, and what it costs."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Drip

SCHEDULE = Path("schedules") / "ketamine-first-session.yaml"


def test_the_built_in_content_is_in_order_without_any_set_up(empty_drip: Drip) -> None:
    done = empty_drip("check")
    assert done.status == 0
    assert "sample clinic" in done.err
    assert done.out.splitlines()[-1].startswith("No errors, ")
    lines = [line.split() for line in done.out.splitlines()]
    assert ["Step", "Channel", "en", "es"] in lines
    parts = "2 parts GSM-7 2 parts GSM-7, 4 UCS-2"
    assert ["day-before", "sms", "discreet", *parts.split()] in lines
    assert ["rescheduled", "sms", "discreet", *parts.split()] in lines
    for step in ("day-before", "day-of", "cancelled"):
        (line,) = [each for each in lines if each[:2] == [step, "email"]]
        assert (line[2], line[4]) == ("grade", "INFLESZ")


def test_an_error_is_shown_with_file_line_and_column_and_ends_with_status_1(
    drip: Drip, pytestconfig: pytest.Config
) -> None:
    own = drip.folder / "content"
    (own / "schedules").mkdir(parents=True)
    text = (pytestconfig.rootpath / SCHEDULE).read_text()
    (own / SCHEDULE).write_text(text.replace("step: day-of", "stap: day-of"))
    drip.set(DRIP_CONTENT_DIR="content")
    done = drip("check")
    assert done.status == 1
    line = text[: text.index("step: day-of")].count("\n") + 1
    assert f"content/{SCHEDULE}:{line}:5: error: " in done.out
    assert done.out.splitlines()[-1] == "1 error, no warnings."


def test_a_clinics_own_profile_is_checked_and_json_has_all_of_it(drip: Drip) -> None:
    path = drip.folder / "clinic.yaml"
    path.write_text(path.read_text().replace("River Clinic ", "Ketamine Clinic "))
    done = drip("check", "--json")
    assert done.status == 1
    assert (done.err, done.json["clinic"]) == ("", "clinic.yaml")
    (error,) = [each for each in done.json["problems"] if each["severity"] == "error"]
    assert (error["path"], error["line"]) == ("clinic.yaml", 5)
    row = next(each for each in done.json["steps"] if each["step"] == "day-before")
    assert (row["channel"], row["parts"], row["encoding"]) == ("sms", 2, "GSM-7")
    assert (row["most_parts"], row["most_encoding"], row["reading"]) == (2, "GSM-7", None)
    email = next(each for each in done.json["steps"] if each["channel"] == "email")
    assert email["reading"]["scale"] == "grade"


def test_texts_are_measured_with_links_to_the_address_that_is_set(drip: Drip) -> None:
    assert "no room for the link" not in drip("check").out
    drip.set(DRIP_PUBLIC_URL=f"https://{'a' * 60}.example.com")
    done = drip("check")
    assert done.status == 0
    assert "day-before/en.md:" in done.out
    assert "warning: this text has no room for the link to its page" in done.out


def test_a_language_in_which_a_message_is_missing_is_shown(
    drip: Drip, pytestconfig: pytest.Config
) -> None:
    own = drip.folder / "content"
    shutil.copytree(pytestconfig.rootpath / "schedules", own / "schedules")
    note = own / "messages" / "parking"
    note.mkdir(parents=True)
    shutil.copy(pytestconfig.rootpath / "messages" / "day-of" / "en.md", note / "en.md")
    path = own / SCHEDULE
    path.write_text(path.read_text().replace("message: day-of", "message: parking"))
    drip.set(DRIP_CONTENT_DIR="content")
    done = drip("check")
    assert done.status == 1
    rows = [line.split() for line in done.out.splitlines() if line.startswith("day-of ")]
    assert [(row[1], row[-1]) for row in rows] == [("sms", "missing"), ("email", "missing")]
