"""A clinic's profile, from its file and from the database."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from drip.content.clinic_file import (
    clinic_from_profile,
    load_clinic,
    on_call_problems,
    profile_of,
    sample_clinic,
)
from drip.content.problems import BrokenContent, Severity
from drip.content.yamlfile import read_yaml
from drip.core.clinic import Clinic, OnCall
from drip.errors import ContentError


def test_the_sample_is_river_clinic_in_new_york() -> None:
    clinic = sample_clinic()
    assert (clinic.key, clinic.public_name) == ("river", "River Clinic")
    assert clinic.zone.key == "America/New_York"
    assert clinic.phone == "+12125550100"
    assert clinic.window.days == ((540, 1200),) * 7
    assert (clinic.crowding.steps_per_day, clinic.crowding.spacing) == (2, timedelta(hours=2))
    assert clinic.arrive_early == timedelta(minutes=15)
    assert not clinic.hears_replies


def test_hours_may_differ_by_weekday_and_a_day_may_be_closed(change: Callable[..., Path]) -> None:
    days = ["monday", "tuesday", "wednesday", "thursday", "friday"]
    hours = "".join(f'  {day}: "08:30-18:00"\n' for day in days)
    rest = '  saturday: "10:00-24:00"\n  sunday: closed\n'
    path = change("clinic.yaml", ('send_window: "09:00-20:00"\n', f"send_window:\n{hours}{rest}"))
    assert load_clinic(path).window.days == (*[(510, 1080)] * 5, (600, 1440), None)


def test_the_clinics_own_words_and_replies_are_taken(change: Callable[..., Path]) -> None:
    path = change(
        "clinic.yaml",
        ("replies: off", "replies: on"),
        ("# instructions:", "instructions:\n  en:\n    food: Eat nothing after 6 AM.\n#"),
    )
    clinic = load_clinic(path)
    assert clinic.hears_replies
    assert clinic.instructions == {"en": {"food": "Eat nothing after 6 AM."}}


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("(212) 555-0100", "US", "+12125550100"),
        ("+1 (212) 555-0100", "US", "+12125550100"),
        ("+44 20 7946 0018", "GB", "+442079460018"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("+1 212 555", "US", None),
    ],
)
def test_a_phone_number_is_read_with_the_clinics_country(
    change: Callable[..., Path], written: str, country: str, number: str | None
) -> None:
    path = change(
        "clinic.yaml", ("+1 212 555 0100", written), ("country: US", f"country: {country}")
    )
    if number is None:
        with pytest.raises(ContentError, match="is not a phone number"):
            load_clinic(path)
    else:
        assert load_clinic(path).phone == number


def test_who_is_on_call_is_read_and_comes_back_from_json(change: Callable[..., Path]) -> None:
    written = """on_call:
  emails: [nurse@example.com, care@example.com, nurse@example.com]
  phones: ["(212) 555-0102", "+1 212 555 0102"]
"""
    clinic = load_clinic(change("clinic.yaml", ("# on_call:\n", f"{written}# on_call:\n")))
    assert clinic.on_call == OnCall(("nurse@example.com", "care@example.com"), ("+12125550102",))
    assert clinic_from_profile(json.loads(json.dumps(profile_of(clinic)))) == clinic


def test_a_profile_that_was_stored_before_there_was_on_call_has_nobody(clinic: Clinic) -> None:
    stored = profile_of(clinic)
    del stored["on_call"]
    assert clinic_from_profile(stored).on_call == OnCall()
    assert not OnCall().is_anybody
    assert OnCall(phones=("+12125550102",)).is_anybody


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("{email: [a@example.com]}", 'unknown key "email"; did you mean "emails"'),
        ("{phone: []}", 'unknown key "phone"; did you mean "phones"'),
        ("{emails: a@example.com}", "this must be a list"),
        ("{emails: [nurse]}", '"nurse" does not look right here; write it like care@river'),
        ("{phones: [12125550102]}", "this must be text; put it between quotes"),
        ('{phones: ["212 555"]}', '"212 555" is not a phone number; write it with the country'),
        ("[a@example.com]", "this must be a mapping: key: value"),
        ("", '"on_call" is left blank; write it after the colon'),
    ],
)
def test_who_is_on_call_is_read_strictly(
    change: Callable[..., Path], written: str, what: str
) -> None:
    path = change("clinic.yaml", ("# on_call:\n", f"on_call: {written}\n# on_call:\n"))
    with pytest.raises(BrokenContent) as caught:
        load_clinic(path)
    (problem,) = caught.value.problems
    assert what in problem.what


@pytest.mark.parametrize(
    ("replies", "on_call", "warned"),
    [
        ("off", "", False),
        ("on", "", True),
        ("on", "on_call: {}\n", True),
        ("on", "on_call: {emails: [nurse@example.com]}\n", False),
        ("on", 'on_call: {phones: ["+1 212 555 0102"]}\n', False),
    ],
)
def test_nobody_on_call_where_replies_are_heard_is_a_warning(
    change: Callable[..., Path], replies: str, on_call: str, *, warned: bool
) -> None:
    path = change(
        "clinic.yaml",
        ("replies: off", f"replies: {replies}"),
        ("# on_call:\n", f"{on_call}# on_call:\n"),
    )
    found = list(on_call_problems(load_clinic(path), read_yaml(path)))
    assert [problem.severity for problem in found] == [Severity.WARNING] * warned
    assert all("care@river.example.com alone is told" in problem.what for problem in found)


def test_a_near_miss_of_on_call_is_named(change: Callable[..., Path]) -> None:
    path = change("clinic.yaml", ("# on_call:\n", "oncall: {emails: []}\n# on_call:\n"))
    with pytest.raises(BrokenContent, match='unknown key "oncall"; did you mean "on_call"'):
        load_clinic(path)


def test_a_clinic_comes_back_from_json_as_it_was(clinic: Clinic) -> None:
    stored = json.loads(json.dumps(profile_of(clinic)))
    assert clinic_from_profile(stored) == clinic


def test_a_stored_profile_that_cannot_be_read_is_one_line(clinic: Clinic) -> None:
    stored = {**profile_of(clinic), "timezone": "Nowhere", "phone": 5}
    with pytest.raises(ContentError, match=r"^The stored clinic profile is broken: [^\n]+$"):
        clinic_from_profile(stored)
