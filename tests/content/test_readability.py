"""How hard a text is to read."""

# ruff: noqa: E501  a row of a table is one line

import pytest

from drip.content.readability import _syllables, grade


@pytest.mark.parametrize(
    ("word", "syllables"),
    [
        ("a", 1), ("the", 1), ("you", 1), ("visit", 2), ("doctor", 2), ("family", 3), ("people", 2),
        ("take", 1), ("table", 2), ("needed", 2), ("asked", 1), ("makes", 1), ("changes", 2),
        ("idea", 2), ("away", 2), ("being", 2), ("ketamine", 3), ("psychiatrist", 4), ("friend's", 1),
    ],
)  # fmt: skip
def test_syllables_are_counted(word: str, syllables: int) -> None:
    assert _syllables(word) == syllables


def test_an_easy_text_has_a_low_grade_and_a_hard_one_a_high_grade() -> None:
    easy = "Ask a friend to take you home. Do not drive. We are here to help you."
    hard = (
        "Intravenous administration of dissociative anesthetics necessitates continuous "
        "cardiovascular monitoring by appropriately credentialed practitioners."
    )
    assert grade(easy, "en") == pytest.approx(0.1, abs=0.6)
    assert (grade(hard, "en") or 0) > 20


def test_the_grade_is_flesch_kincaid() -> None:
    # 10 words, 2 sentences, 12 syllables: 0.39 * 5 + 11.8 * 1.2 - 15.59.
    text = "The doctor will see you now. Please come to table."
    assert grade(text, "en") == pytest.approx(0.39 * 5 + 11.8 * 1.2 - 15.59, abs=0.05)


def test_names_of_drugs_are_not_counted() -> None:
    assert grade("You get ketamine. Rest.", "en", ["Ketamine"]) == grade("You get. Rest.", "en")


def test_a_line_is_a_sentence_of_its_own() -> None:
    assert grade("one two\nthree four", "en") == grade("one two. three four.", "en")


@pytest.mark.parametrize(("text", "language"), [("Hola.", "es"), ("", "en"), ("12:30", "en")])
def test_without_words_or_a_formula_there_is_no_grade(text: str, language: str) -> None:
    assert grade(text, language) is None
