"""A language's own words, and the crisis lines."""

# ruff: noqa: E501  a row of a table is one line

from collections.abc import Callable
from pathlib import Path

import pytest

from drip.content.language_file import crisis_words, load_crisis_lines, load_language
from drip.content.problems import BrokenContent
from drip.content.sources import ContentDir
from drip.errors import ContentError

EN = "messages/_language/en.yaml"


@pytest.mark.parametrize(
    ("old", "new", "at", "told"),
    [
        ("Call {{ clinic.phone }}", "Call {{ clinic.fone }}", "{{ clinic.fone", 'nothing is called "clinic.fone" here; did you mean "clinic.phone"?'),
        ('today: "today, {{ date }}"', 'today: "in {{ clinic.phone }}"', "{{ clinic.phone }}\"\n  tomorrow", 'nothing is called "clinic.phone" here; known: date'),
        ('other: "{{ date }}"', 'other: "{% if x %}{{ date }}"', "{% if", '"{%" does not work in this file'),
        ("language: en", "language: fr", "fr", 'the file is called en.yaml but says "fr"'),
        ("test_mark:", "testmark:", "testmark:", 'unknown key "testmark"; did you mean "test_mark"?'),
        ("  tonight:", "  evening:", "evening:", 'unknown key "evening"; known: other, today'),
    ],
)  # fmt: skip
def test_a_broken_language_file_is_told_with_its_place(
    own: ContentDir,
    change: Callable[..., Path],
    place_of: Callable[[str, str], str],
    old: str,
    new: str,
    at: str,
    told: str,
) -> None:
    change(EN, (old, new))
    with pytest.raises(BrokenContent) as caught:
        load_language(own, "en")
    found = [str(problem) for problem in caught.value.problems]
    assert any(each.startswith(f"{EN}:") and told in each for each in found), found
    places = [f"{problem.line}:{problem.column}" for problem in caught.value.problems]
    assert place_of(EN, at) in places


def test_the_lines_of_the_united_states_are_911_and_988(content: ContentDir) -> None:
    lines = load_crisis_lines(content, "US")
    assert (lines.emergency, lines.crisis) == ("911", "988")
    for language in ("en", "es"):
        for channel in ("sms", "email"):
            sentence = crisis_words(lines, language, channel)
            assert "911" in sentence
            assert "988" in sentence


def test_a_country_without_lines_is_an_error_that_names_those_that_have_some(
    content: ContentDir,
) -> None:
    with pytest.raises(BrokenContent, match=r'no emergency and crisis lines for country "FR".*US'):
        load_crisis_lines(content, "FR")


def test_a_language_without_a_sentence_on_the_lines_is_an_error(content: ContentDir) -> None:
    with pytest.raises(ContentError, match='no "sms" sentence in "de"'):
        crisis_words(load_crisis_lines(content, "US"), "de", "sms")
