"""Words that may not stand somewhere are found, whatever their capitals and accents."""

import pytest

from drip.content.wording import Found, beginnings, phrases


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Your Ketamine visit", [Found("Ketamine", 1, 6)]),
        ("esketamine", []),
        ("KÉTAMINE", [Found("KÉTAMINE", 1, 1)]),
        ("a\nb psychiatrist's c", [Found("psychiatrist", 2, 3)]),
        ("market", []),
        ("depresión y Depressed", [Found("depresión", 1, 1), Found("Depressed", 1, 13)]),
    ],
)
def test_words_are_found_by_their_beginning(text: str, found: list[Found]) -> None:
    assert list(beginnings(text, ["ketamin", "psych", "depres"])) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See you TODAY.", [Found("TODAY", 1, 9)]),
        ("todays", []),
        ("Come this morning", [Found("this morning", 1, 6)]),
        ("hasta mañana", [Found("mañana", 1, 7)]),
    ],
)
def test_phrases_are_found_whole(text: str, found: list[Found]) -> None:
    assert list(phrases(text, ["today", "this morning", "mañana"])) == found


def test_no_words_find_nothing() -> None:
    assert list(beginnings("text", [])) == []
