"""How hard a text is to read: Flesch-Kincaid, the US school grade that can follow it."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

_SENTENCE_END = re.compile(r"[.!?]+(?:\s|$)|\n")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_VOWELS = re.compile("[aeiouy]+")
_MEASURED = frozenset({"en"})
"""Languages that the formula was made for. Others have none that clinics agree on."""


def grade(text: str, language: str, not_counted: Iterable[str] = ()) -> float | None:
    """The US school grade of a plain text, to a tenth; None for a language without a formula.

    `not_counted` are words that are left out: names of drugs, which patients know and which
    no plainer word can stand for. Each line is taken for a sentence or more.
    """
    if language.partition("-")[0] not in _MEASURED:
        return None
    left_out = {word.casefold() for word in not_counted}
    sentences = [
        words
        for part in _SENTENCE_END.split(text)
        if (words := [w for w in _WORD.findall(part) if w.casefold() not in left_out])
    ]
    count = sum(map(len, sentences))
    if not count:
        return None
    syllables = sum(_syllables(word) for words in sentences for word in words)
    found = 0.39 * count / len(sentences) + 11.8 * syllables / count - 15.59
    return round(max(found, 0.0), 1)


@cache
def _syllables(word: str) -> int:
    """How many syllables a word has, to be on the safe side.

    Hyphenation never divides too often but often too rarely ("idea", "away"); groups of vowels
    that are said are missed nowhere but where two vowels are said apart ("being").
    """
    plain = re.sub(r"['’-]", "", word.lower())
    hyphenated = len(_hyphens().positions(plain)) + 1
    silent = re.search(r"[^aeiouyl]e$|[^aeiouytd]ed$|[^aeiouyszxcgh]es$", plain) is not None
    return max(hyphenated, len(_VOWELS.findall(plain)) - silent, 1)


@cache
def _hyphens() -> Any:
    import pyphen

    return pyphen.Pyphen(lang="en_US")
