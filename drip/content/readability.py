"""How hard a text is to read: Flesch-Kincaid for English, INFLESZ for Spanish."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

_SENTENCE_END = re.compile(r"(?<!\b[^\W\d_])[.!?]+(?:\s|$)|\n")
"""A stop after a single letter ends no sentence: "9:00 a. m."."""
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_VOWELS = re.compile("[aeiouy]+")
_NUCLEUS = re.compile(r"[iuü]{0,2}[aeoáéóíú](?:[iuü]|y\b)?|[iuü]+(?:y\b)?|\by\b")
"""A Spanish syllable's vowels: a strong or accented one with the weak ones about it, or weak ones.
"""


class Scale(StrEnum):
    """What a reading is measured on."""

    GRADE = "grade"
    """Flesch-Kincaid: the US school grade that can follow the text. Lower is easier."""
    INFLESZ = "INFLESZ"
    """Szigriszt-Pazos for Spanish, 0 to 100, as read by INFLESZ for texts to patients: 55 and
    above is normal, 65 and above fairly easy. Higher is easier."""


_BOUNDS = {Scale.GRADE: (6, 8), Scale.INFLESZ: (65, 55)}


@dataclass(frozen=True, slots=True)
class Reading:
    """How hard a text is to read, to a tenth on its scale."""

    scale: Scale
    value: float

    @property
    def aim(self) -> int:
        """What every email should reach."""
        return _BOUNDS[self.scale][0]

    @property
    def limit(self) -> int:
        """What no email may go past."""
        return _BOUNDS[self.scale][1]

    @property
    def is_hard(self) -> bool:
        """Whether the text misses the aim."""
        return self._past(self.aim)

    @property
    def is_too_hard(self) -> bool:
        """Whether the text is past the limit."""
        return self._past(self.limit)

    @property
    def hardness(self) -> float:
        """A number that grows with how hard the text is; readings on one scale compare by it."""
        return self.value if self.scale is Scale.GRADE else -self.value

    def _past(self, bound: int) -> bool:
        return self.value > bound if self.scale is Scale.GRADE else self.value < bound


def read(text: str, language: str, not_counted: Iterable[str] = ()) -> Reading | None:
    """Measure a plain text; None where it has no words or its language has no scale here.

    `not_counted` are words that are left out: names of drugs, which patients know and which
    no plainer word can stand for. Each line is taken for a sentence or more.
    """
    measure = _MEASURES.get(language.partition("-")[0])
    if measure is None:
        return None
    left_out = {word.casefold() for word in not_counted}
    sentences = [
        words
        for part in _SENTENCE_END.split(text)
        if (words := [w for w in _WORD.findall(part) if w.casefold() not in left_out])
    ]
    return measure(sentences) if sentences else None


def _flesch_kincaid(sentences: list[list[str]]) -> Reading:
    per_sentence, per_word = _averages(sentences, _syllables)
    found = 0.39 * per_sentence + 11.8 * per_word - 15.59
    return Reading(Scale.GRADE, round(max(found, 0.0), 1))


def _inflesz(sentences: list[list[str]]) -> Reading:
    per_sentence, per_word = _averages(sentences, _spanish_syllables)
    found = 206.835 - 62.3 * per_word - per_sentence
    return Reading(Scale.INFLESZ, round(min(max(found, 0.0), 100.0), 1))


_MEASURES: dict[str, Callable[[list[list[str]]], Reading]] = {
    "en": _flesch_kincaid,
    "es": _inflesz,
}


def _averages(sentences: list[list[str]], syllables: Callable[[str], int]) -> tuple[float, float]:
    """Words in a sentence and syllables in a word."""
    words = [word for sentence in sentences for word in sentence]
    return len(words) / len(sentences), sum(map(syllables, words)) / len(words)


def _spanish_syllables(word: str) -> int:
    """How many syllables a Spanish word has: it is written as it is said."""
    return max(len(_NUCLEUS.findall(word.lower())), 1)


@cache
def _syllables(word: str) -> int:
    """How many syllables an English word has, to be on the safe side.

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
