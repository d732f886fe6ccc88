"""How hard a text is to read."""

# ruff: noqa: E501  a row of a table is one line

import pytest

from drip.content.readability import Reading, Scale, _spanish_syllables, _syllables, read


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


@pytest.mark.parametrize(
    ("word", "syllables"),
    [
        ("y", 1), ("muy", 1), ("hoy", 1), ("cita", 2), ("ayuda", 3), ("quien", 1), ("siguiente", 3),
        ("guía", 2), ("día", 2), ("después", 2), ("ahora", 3), ("leer", 2), ("ruido", 2), ("país", 2),
        ("sesión", 2), ("ansiedad", 3), ("enfermería", 5), ("preocupación", 5), ("vergüenza", 3),
    ],
)  # fmt: skip
def test_spanish_syllables_are_counted(word: str, syllables: int) -> None:
    assert _spanish_syllables(word) == syllables


def value(text: str, language: str) -> float:
    reading = read(text, language)
    assert reading is not None
    return reading.value


def test_an_easy_text_has_a_low_grade_and_a_hard_one_a_high_grade() -> None:
    easy = "Ask a friend to take you home. Do not drive. We are here to help you."
    hard = (
        "Intravenous administration of dissociative anesthetics necessitates continuous "
        "cardiovascular monitoring by appropriately credentialed practitioners."
    )
    assert value(easy, "en") == pytest.approx(0.1, abs=0.6)
    assert value(hard, "en") > 20


def test_the_grade_is_flesch_kincaid() -> None:
    # 10 words, 2 sentences, 12 syllables: 0.39 * 5 + 11.8 * 1.2 - 15.59.
    text = "The doctor will see you now. Please come to table."
    assert value(text, "en") == pytest.approx(0.39 * 5 + 11.8 * 1.2 - 15.59, abs=0.05)


def test_spanish_is_measured_by_inflesz() -> None:
    # 12 words, 2 sentences, 22 syllables: 206.835 - 62.3 * 22 / 12 - 12 / 2.
    text = "Una persona de confianza le lleva a casa. No maneje su carro."
    assert read(text, "es-MX") == Reading(Scale.INFLESZ, round(206.835 - 62.3 * 22 / 12 - 6, 1))


@pytest.mark.parametrize(
    ("reading", "hard", "too_hard"),
    [
        (Reading(Scale.GRADE, 6.0), False, False),
        (Reading(Scale.GRADE, 6.1), True, False),
        (Reading(Scale.GRADE, 8.1), True, True),
        (Reading(Scale.INFLESZ, 65.0), False, False),
        (Reading(Scale.INFLESZ, 64.9), True, False),
        (Reading(Scale.INFLESZ, 54.9), True, True),
    ],
)
def test_a_reading_is_hard_past_the_aim_and_too_hard_past_the_limit(
    reading: Reading, hard: bool, too_hard: bool
) -> None:
    assert (reading.is_hard, reading.is_too_hard) == (hard, too_hard)


def test_readings_on_one_scale_compare_by_how_hard_they_are() -> None:
    for scale, easy, hard in ((Scale.GRADE, 3.0, 9.0), (Scale.INFLESZ, 90.0, 40.0)):
        assert Reading(scale, easy).hardness < Reading(scale, hard).hardness


def test_names_of_drugs_are_not_counted() -> None:
    assert read("You get ketamine. Rest.", "en", ["Ketamine"]) == read("You get. Rest.", "en")


def test_a_line_is_a_sentence_of_its_own() -> None:
    assert read("one two\nthree four", "en") == read("one two. three four.", "en")


def test_the_stops_in_a_time_of_day_end_no_sentence() -> None:
    assert read("Venga a las 9:00 a. m. con calma", "es") == read("Venga a las a m con calma", "es")


@pytest.mark.parametrize(("text", "language"), [("Bonjour.", "fr"), ("", "en"), ("12:30", "en")])
def test_without_words_or_a_formula_there_is_no_reading(text: str, language: str) -> None:
    assert read(text, language) is None
