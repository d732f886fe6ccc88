"""What patients' pages say: complete in each language, discreet, easy, and checked when read."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from drip.content.language_file import load_language
from drip.content.page_words import load_page_words, page_words
from drip.content.readability import read
from drip.content.sources import built_in, content_dir
from drip.content.wording import beginnings, phrases
from drip.errors import ContentError


def sentences(part: BaseModel) -> Iterator[str]:
    """Every word of a file."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from sentences(value)
        elif name != "language":
            yield value


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_words_of_pages_are_discreet_and_say_no_relative_day(language: str) -> None:
    words = load_page_words(content_dir(), language)
    rules = load_language(content_dir(), language)
    for said in sentences(words):
        assert list(beginnings(said, rules.not_discreet)) == [], said
        assert list(phrases(said, rules.relative_words)) == [], said


def test_there_are_words_for_every_language_that_there_is() -> None:
    content = content_dir()
    for language in content.languages():
        assert load_page_words(content, language).language == language


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_words_of_pages_are_easy_to_read(language: str) -> None:
    said = sentences(load_page_words(content_dir(), language))
    reading = read("\n".join(each for each in said if each.endswith(".")), language)
    assert reading is not None
    assert reading.value <= 5 if language == "en" else reading.value >= 65


def test_a_language_without_words_is_spoken_to_in_english() -> None:
    assert page_words(content_dir(), "fr").language == "en"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("arrive:", "arives:", 'unknown key "arives"'),
        ("language: en", "language: es", 'the file is called en.yaml but says "es"'),
        ("{{ session.at }}", "{{ session.hour }}", 'nothing is called "session.hour" here'),
        ("{{ session.at }}", "{% if x %}", "does not work in this file"),
        ("too old", "too old, {{ clinic.phone }}", "nothing is known of the patient here"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, old: str, new: str, says: str) -> None:
    source = (built_in() / "messages/_pages/en.yaml").read_text(encoding="utf-8")
    assert old in source
    file = tmp_path / "messages/_pages/en.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(source.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ContentError) as error:
        load_page_words(content_dir(tmp_path), "en")
    assert "en.yaml:" in str(error.value)
    assert says in str(error.value)
