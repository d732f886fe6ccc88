"""Slips of the finger: what somebody typed who meant a certain word."""

from collections.abc import Collection, Iterable, Iterator
from string import ascii_lowercase

SHORT = 5
"""Letters up to which only the commonest slips are forgiven: there are too many other words."""


def slips(words: Iterable[str], ordinary: Collection[str]) -> dict[str, str]:
    """The misspellings of these words, each with the word that was meant.

    Two neighbours changed over ("stpo"), a letter left out ("stp") and one typed twice ("sttop")
    count for every word; for those of more than five letters also a wrong letter and one too
    many. A word that is ordinary in itself ("step", "spot") is never taken for a slip, nor is a
    misspelling that might mean two of the words.
    """
    meant: dict[str, str] = {}
    doubtful: set[str] = set()
    known = {*words, *ordinary}
    for word in known.difference(ordinary):
        for slip in set(_slips(word)) - known:
            if meant.setdefault(slip, word) != word:
                doubtful.add(slip)
    return {slip: word for slip, word in meant.items() if slip not in doubtful}


def _slips(word: str) -> Iterator[str]:
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    for before, after in cuts:
        if after:
            yield before + after[1:]
            yield before + after[0] + after
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        if len(word) > SHORT:
            for letter in ascii_lowercase:
                yield before + letter + after
                if after:
                    yield before + letter + after[1:]
