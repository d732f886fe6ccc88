"""A language's own words, and the crisis lines."""

from collections.abc import Callable
from pathlib import Path

import pytest

from drip.content.language_file import crisis_words, load_crisis_lines, load_language
from drip.content.problems import BrokenContent
from drip.content.sources import ContentDir
from drip.errors import ContentError

EN = "messages/_language/en.yaml"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{{ clinic.phone }}.\"\n\n# How", '{{ clinic.fone }}."\n\n# How', '7:43: nothing is called "clinic.fone" here; did you mean "clinic.phone"?'),
        ('today: "today, {{ date }}"', 'today: "today, {{ clinic.phone }}"', '11:18: nothing is called "clinic.phone" here; Known: date'),
        ('other: "{{ date }}"', 'other: "{% if x %}{{ date }}"', '14:11: "{%" does not work in this file'),
        ("language: en", "language: fr", '3:11: the file is called en.yaml but says "fr"'),
        ("test_mark:", "testmark:", '42:1: unknown key "testmark"; did you mean "test_mark"?'),
        ("  tonight:", "  evening:", '13:3: unknown key "evening"; '),
    ],
)  # fmt: skip
def test_a_broken_language_file_is_told_with_its_place(
    own: ContentDir, change: Callable[..., Path], old: str, new: str, told: str
) -> None:
    change(EN, (old, new))
    with pytest.raises(BrokenContent) as caught:
        load_language(own, "en")
    found = [str(problem) for problem in caught.value.problems]
    assert any(each.startswith(f"{EN}:{told}") for each in found), found


def test_the_lines_of_the_united_states_are_911_and_988(content: ContentDir) -> None:
    lines = load_crisis_lines(content, "US")
    assert (lines.emergency, lines.crisis) == ("911", "988")
    for language in ("en", "es"):
        for channel in ("sms", "email"):
            sentence = crisis_words(lines, language, channel)  # type: ignore[arg-type]
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
