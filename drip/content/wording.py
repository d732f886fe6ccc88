"""Words that may not stand somewhere, found whatever their capitals and accents."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Found:
    """A word in a text; `line` and `column` from 1."""

    word: str
    line: int
    column: int


def beginnings(text: str, begin: Iterable[str]) -> Iterator[Found]:
    """The words of a text that begin with one of these."""
    return _find(text, begin, r"\b(?:{})\w*")


def phrases(text: str, words: Iterable[str]) -> Iterator[Found]:
    """The places where one of these words or phrases stands whole."""
    return _find(text, words, r"\b(?:{})\b")


def _find(text: str, words: Iterable[str], pattern: str) -> Iterator[Found]:
    wanted = tuple(words)
    if not wanted:
        return
    for match in _compiled(wanted, pattern).finditer(_folded(text)):
        before = text[: match.start()]
        line, column = before.count("\n") + 1, match.start() - before.rfind("\n")
        yield Found(text[match.start() : match.end()], line, column)


@cache
def _compiled(words: tuple[str, ...], pattern: str) -> re.Pattern[str]:
    # The longest first, so that the whole of what is meant is shown.
    wanted = sorted((re.escape(_folded(word)) for word in words), key=len, reverse=True)
    return re.compile(pattern.format("|".join(wanted)))


def _folded(text: str) -> str:
    """The text in small letters without accents, every character still in its place."""
    return "".join(unicodedata.normalize("NFD", c)[0].lower()[:1] or c for c in text)
