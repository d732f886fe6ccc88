"""Answers to a patient's own text: their words, what they must say, what they cost."""

# ruff: noqa: E501  a row of a table is one line

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from drip.content.answer_checks import answer_problems
from drip.content.answers import Answers, Saying, Visit, load_answers
from drip.content.language_file import load_language, read_language
from drip.content.problems import BrokenContent
from drip.content.readability import read
from drip.content.sample_patients import ordinary
from drip.content.sources import ContentDir
from drip.content.wording import beginnings
from drip.core.clinic import Clinic
from drip.core.sms import measure
from drip.errors import ContentError

EN = "messages/_language/en.yaml"
LINES = "messages/_crisis_lines.yaml"
SESSION = datetime(2026, 12, 10, 14, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
EVERY = [(language, key) for language in ("en", "es") for key in get_args(Saying)]


@pytest.fixture
def visit() -> Visit:
    return Visit(SESSION, NEW_YORK, SESSION - timedelta(days=1))


@pytest.mark.parametrize(("language", "key"), EVERY)
def test_every_answer_is_one_discreet_line_in_the_cheap_alphabet(
    content: ContentDir, clinic: Clinic, visit: Visit, language: str, key: Saying
) -> None:
    said = load_answers(content).say(key, clinic, language, visit=visit)
    assert "{{" not in said
    assert "\n" not in said
    parts = measure(said)
    assert (parts.encoding, parts.outside) == ("GSM-7", ())
    # In Spanish what helps takes more words.
    assert parts.count <= (3 if language == "es" and key.startswith("crisis") else 2)
    assert list(beginnings(said, load_language(content, language).not_discreet)) == []


@pytest.mark.parametrize(("language", "key"), EVERY)
def test_every_answer_can_be_read_by_everybody(
    content: ContentDir, clinic: Clinic, visit: Visit, language: str, key: Saying
) -> None:
    found = read(load_answers(content).say(key, clinic, language, visit=visit), language, ())
    assert found is None or not found.is_hard, found


@pytest.mark.parametrize("key", ["crisis", "crisis_stop"])
@pytest.mark.parametrize(
    ("country", "language", "lines"),
    [
        ("US", "en", ("911", "nearest emergency room", "call or text 988", "press 1 or text 838255")),
        ("US", "es", ("911", "sala de emergencias", "988 y oprima 2", "AYUDA al 988", "838255")),
        ("CA", "en", ("911", "nearest emergency room", "call or text 988")),
        ("CA", "es", ("911", "988")),
        ("GB", "en", ("999", "A&E", "116 123")),
        ("GB", "es", ("999", "116 123")),
    ],
)  # fmt: skip
def test_an_answer_to_a_crisis_says_the_lines_of_the_clinics_country_and_its_number(
    content: ContentDir,
    clinic: Clinic,
    key: Saying,
    country: str,
    language: str,
    lines: tuple[str, ...],
) -> None:
    said = load_answers(content).say(key, replace(clinic, country=country), language)
    for each in (*lines, "(212) 555-0100"):
        assert each in said
    assert ("not watched live" if language == "en" else "al momento") in said


def test_an_answer_about_a_visit_names_it_as_of_the_moment_of_the_answer(
    content: ContentDir, clinic: Clinic
) -> None:
    near = Visit(SESSION, NEW_YORK, SESSION - timedelta(hours=3))
    far = replace(near, now=SESSION - timedelta(days=9), zone=ZoneInfo("America/Los_Angeles"))
    answers = load_answers(content)
    assert "today, Thursday, December 10 at 9:00 AM." in answers.say(
        "confirmed", clinic, "en", visit=near
    )
    assert "See you Thursday, December 10 at 9:00 AM Eastern Time." in answers.say(
        "ride", clinic, "en", visit=far
    )


def test_a_language_without_words_is_answered_in_the_clinics(
    content: ContentDir, clinic: Clinic
) -> None:
    answers = load_answers(content)
    assert [answers.language(each, clinic) for each in ("es", "fr", None)] == ["es", "en", "en"]
    assert answers.language(None, replace(clinic, language="es")) == "es"


def test_a_clinics_own_words_stand_in_place_of_the_built_in_ones(
    own: ContentDir, change: Callable[..., Path], clinic: Clinic
) -> None:
    change(EN, ("We are sorry for the mistake.", "Oh dear, the wrong phone."))
    assert Answers(own).say("wrong_number", clinic, "en").startswith("Oh dear")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{{ crisis.lines }} Or call", "Or call", "this answer must say {{ crisis.lines }}; add it"),
        ("Or call us: {{ clinic.phone }}.", "", "this answer must say {{ clinic.phone }}; add it"),
        ("To reach us, call {{ clinic.phone }}", "Write {{ session.date }}", 'nothing is called "session.date" here'),
        ("See you {{ session.when }}", "See you {{ session.day }}", 'nothing is called "session.day" here'),
        ("  wrong_number:", "  wrong_numbers:", 'unknown key "wrong_numbers"; did you mean "wrong_number"?'),
    ],
)  # fmt: skip
def test_an_answer_that_leaves_out_what_helps_is_an_error_with_its_place(
    own: ContentDir, change: Callable[..., Path], old: str, new: str, told: str
) -> None:
    change(EN, (old, new))
    with pytest.raises(BrokenContent) as caught:
        load_language(own, "en")
    found = [str(problem) for problem in caught.value.problems]
    assert any(each.startswith(f"{EN}:") and told in each for each in found), found


def test_lines_that_a_language_lacks_are_an_error(
    own: ContentDir, change: Callable[..., Path], clinic: Clinic
) -> None:
    change(LINES, ('answers:\n    en: "In danger?', 'answers:\n    de: "In danger?'))
    with pytest.raises(ContentError, match='no "answers" sentence in "en"'):
        Answers(own).say("crisis", clinic, "en")


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_built_in_answers_pass_the_check(
    content: ContentDir, clinic: Clinic, language: str
) -> None:
    long = replace(clinic, public_name="Riverside Family Care Center")
    for each in (clinic, long):
        words, file = read_language(content, language)
        found = list(answer_problems(Answers(content), words, file, ordinary(each, language)))
        assert found == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("we send these texts about your visit", "we text about ketamine", '"ketamine" is not discreet'),
        ("Someone on our team will read", "Today somebody will read", "use {{ session.when }}"),
        ("We are sorry for the mistake.", "We are sorry. " * 30, "parts, at most 2 are good"),
        ("We are sorry for the mistake.", "Lo sentimos, seg\u00fan " * 15, 'do without "\u00fa"'),
    ],
)  # fmt: skip
def test_what_is_not_discreet_or_too_dear_is_told(
    own: ContentDir, change: Callable[..., Path], clinic: Clinic, old: str, new: str, told: str
) -> None:
    change(EN, (old, new))
    words, file = read_language(own, "en")
    (problem,) = answer_problems(Answers(own), words, file, ordinary(clinic, "en"))
    assert told in problem.what
    assert problem.path == EN
