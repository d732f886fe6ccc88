"""Every mistake in a YAML file is told with file, line and column, and with a way out."""

# ruff: noqa: E501  a row of a table is one line

from collections.abc import Callable
from pathlib import Path

import pytest

from drip.content.clinic_file import load_clinic
from drip.content.problems import BrokenContent
from drip.content.schedule_file import load_schedule
from drip.content.sources import ContentDir
from drip.content.yamlfile import read_yaml
from drip.errors import ContentError

SCHEDULE = """\
schedule: short
title: A short one
version: 1
defaults:
  channels: [sms, email]
steps:
  - step: welcome
    message: welcome
    when: at booking
    weight: essential
  - step: ride
    message: arrange-a-ride
    when: 3 days before session at 10:00
    weight: essential
    until: 3 hours before session
    group: ride
    answered_by: RIDE
  - step: eve
    message: day-before
    when: 1 day before session at 10:00
    weight: essential
    covers: [ride]
"""


def problems(call: Callable[[], object]) -> list[str]:
    with pytest.raises(BrokenContent) as caught:
        call()
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: x\na: 2\n", 'x.yaml:3:1: "a" stands here a second time'),
        ("a: [1, 2\nb: 3\n", "x.yaml:2:2: this is not YAML: "),
        ("a: b: c\n", "x.yaml:1:5: this is not YAML: "),
        ("a: {{ b }}\n", "x.yaml:1:5: this is not YAML: "),
        ('a: "b\n', "x.yaml:2:1: this is not YAML: "),
        ("a:\n  b: 1\n c: 2\n", "x.yaml:3:2: this is not YAML: "),
        ("a: *b\n", "x.yaml:1:4: this is not YAML: "),
    ],
)
def test_broken_yaml_is_told_with_its_place(
    write: Callable[[str, str], Path], text: str, told: str
) -> None:
    path = write("x.yaml", text)
    assert problems(lambda: read_yaml(path))[0].startswith(told)


def test_a_file_that_is_not_utf_8_is_told_with_the_place_of_the_bad_byte(
    write: Callable[[str, str], Path],
) -> None:
    path = write("x.yaml", "")
    path.write_bytes(b"a: b\nc: \xe9\n")
    assert problems(lambda: read_yaml(path)) == [
        "x.yaml:2:4: this is not UTF-8; save the file as UTF-8"
    ]


def test_a_file_that_is_missing_is_one_line_that_names_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(ContentError, match=r"clinic\.yaml cannot be read: No such file"):
        load_clinic(tmp_path / "clinic.yaml")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version: 1", "version: one", "3:10: this must be a whole number"),
        ("version: 1", "version: 0", "3:10: this must be 1 or more"),
        ("schedule: short", "schedule: shorter", '1:11: the file is called short.yaml but says "s'),
        ("version: 1", f"version: {'[' * 5000}", "1:1: this is nested too deeply"),
        ("title: A short one\n", "", '1:1: "title" is missing here; add it'),
        ("title:", "titel:", '2:1: unknown key "titel"; did you mean "title"? Known: defaults'),
        ("    weight: essential\n  - step: ride", "    wieght: essential\n  - step: ride", '10:5: unknown key "wieght"; did you mean "weight"? Known: '),
        ("    weight: essential\n  - step: ride", "    weight: esential\n  - step: ride", '10:13: "esential" is not allowed here; did you mean "essential"? Known: education, essential'),
        ("    weight: essential\n  - step: ride", "  - step: ride", '7:5: "weight" is missing here; add it, or add it to defaults'),
        ("  channels: [sms, email]\n", "  if_late: skip\n", '7:5: "channels" is missing here'),
        ("[sms, email]", "[sms, mail]", '5:19: "mail" is not allowed here; did you mean "email"?'),
        ("[sms, email]", "sms", "5:13: this must be a list"),
        ("message: welcome", "message: wellcome", '8:14: no message "wellcome"; did you mean "welcome"?'),
        ("step: eve", "step: ride", '18:11: there is a step "ride" above already'),
        ("step: eve", "step: Eve", '18:11: "Eve" does not look right here; use small letters'),
        ("step: eve", "step: cancelled", '18:11: "cancelled" is sent by itself'),
        ("covers: [ride]", "covers: [rides]", '22:14: covers "rides", but there is no other step of that name; did you mean "ride"?'),
        ("covers: [ride]", "covers: [eve]", '22:14: covers "eve", but there is no other step'),
        ("    group: ride\n", "", "16:5: answered_by works on a group, and this step has none"),
        ("answered_by: RIDE", "answered_by: ride", '17:18: "ride" does not look right here; use one word in capitals'),
        ("when: at booking", "when: at bocking", "9:14: expected booking, session"),
        ("when: at booking", 'when: "at bocking"', "9:15: expected booking, session"),
        ("when: 3 days before session at 10:00", "when: 3 days before session at 25:00", "13:36: expected a time as HH:MM"),
        ("when: 3 days before session at 10:00", "when: 3 fortnights before session", "13:13: expected "),
        ("when: at booking", "when: 10:30", "9:11: "),
        ("until: 3 hours before session", "until: 4 days before session", '15:12: "4 days before session" does not come after'),
        ("until: 3 hours before session", "until: 3 days before session at 10:00", "15:12: "),
    ],
)  # fmt: skip
def test_a_broken_schedule_is_told_with_its_place(
    own: ContentDir, write: Callable[[str, str], Path], old: str, new: str, told: str
) -> None:
    assert old in SCHEDULE
    write("schedules/short.yaml", SCHEDULE.replace(old, new, 1))
    found = problems(lambda: load_schedule(own, "short"))
    assert found[0].startswith(f"schedules/short.yaml:{told}"), found


def test_all_problems_of_a_schedule_are_told_at_once(
    own: ContentDir, write: Callable[[str, str], Path]
) -> None:
    broken = SCHEDULE.replace("at booking", "at boking").replace("[ride]", "[rid]")
    write("schedules/short.yaml", broken)
    with pytest.raises(BrokenContent) as caught:
        load_schedule(own, "short")
    assert [problem.line for problem in caught.value.problems] == [9, 22]
    assert str(caught.value).endswith("(and 1 more; run `drip check` to see all)")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("country: US", "country: usa", '6:10: "usa" does not look right here; use the two capital'),
        ("timezone: America/New_York", "timezone: America/NewYork", '7:11: "America/NewYork" is not a time zone; did you mean "America/New_York"?'),
        ("timezone: America/New_York", "timezone: EST5", '7:11: "EST5" is not a time zone; '),
        ("timezone: America/New_York", "timezone: EST", '7:11: "EST" is not a time zone; write one like America/New_York'),
        ("name: River Ketamine Center ", "name: ", '4:1: "name" is left blank; write it after the colon'),
        ("public_name: River Clinic ", 'public_name: "River\\nClinic" ', '5:14: "River Clinic" does not look right here; write one line'),
        ("public_name: River Clinic ", f"public_name: {'x' * 300} ", "5:14: this must have "),
        ("country: US", f"country: {'u' * 300}", '6:10: "' + 'u' * 60 + '..." does not look right here'),
        ("steps_per_day: 2", "steps_per_day: 99", "38:16: this must be "),
        ('"+1 212 555 0100"', '"call us"', '10:8: "call us" is not a phone number; write it with the country code'),
        ("care@river.example.com", "care at river", "11:8: "),
        ("replies: off", "replies: maybe", '16:10: "maybe" is not allowed here; known: off, on'),
        ('send_window: "09:00-20:00"', "send_window: 9 to 5", '36:14: "9 to 5" are not hours that open'),
        ('send_window: "09:00-20:00"', 'send_window: "20:00-09:00"', '36:14: "20:00-09:00" are not hours'),
        ('send_window: "09:00-20:00"', 'send_window: {monday: "09:00-20:00", tuseday: closed}', '36:14: "wednesday" is missing here'),
        ("steps_per_day: 2", "steps_per_day: many", "38:16: this must be a whole number"),
        ("steps_per_day: 2", "steps_per_dya: 2", '38:1: unknown key "steps_per_dya"; did you mean "steps_per_day"?'),
        ("address: 1 River Street, New York, NY 10001", 'address: ""', "12:10: there is nothing here; write it"),
        ("# instructions:", "instructions: {en: {foood: Eat.}}", '44:21: "foood" is not allowed here; did you mean "food"?'),
        ("# instructions:", 'instructions: {en: {food: "Eat {{ x }}."}}', "44:27: a clinic's instructions are plain words"),
    ],
)  # fmt: skip
def test_a_broken_clinic_is_told_with_its_place(
    change: Callable[..., Path], old: str, new: str, told: str
) -> None:
    path = change("clinic.yaml", (old, new))
    found = problems(lambda: load_clinic(path))
    assert any(each.startswith(f"clinic.yaml:{told}") for each in found), found
