"""Finds all patterns in a row of words at once, in a time that hardly depends on their number.

The patterns become one automaton over words. Its states are worked out when a reply first needs
them and are kept, so that a word of a reply mostly costs one look into a dictionary, and no text
can make it slow.
"""

from collections.abc import Collection, Iterable
from typing import Generic, NamedTuple, TypeVar

from drip.core.reply_patterns import ANY, END, NUMBER, START, Either, InTurn, OneOf, Pattern

MOST_STATES = 15_000
"""States that are kept; with more, all are forgotten and begin anew."""

M = TypeVar("M")


class Match(NamedTuple, Generic[M]):
    """A pattern's mark, and the words that it matched: from `start` up to, not with, `end`."""

    mark: M
    start: int
    end: int


class _Step(Generic[M]):
    """A word that a pattern waits for and what it waits for then; or, with marks, its end."""

    __slots__ = ("beginnings", "marks", "then", "words")

    def __init__(self, words: frozenset[str], then: tuple["_Step[M]", ...]) -> None:
        self.words = words
        self.beginnings = tuple(word[:-1] for word in words if len(word) > 1 and word[-1] == ANY)
        self.then = then
        self.marks: tuple[M, ...] = ()

    def takes(self, word: str) -> bool:
        if word in self.words:
            return True
        if word in (START, END):
            return False
        return (
            ANY in self.words
            or (NUMBER in self.words and word.isdigit())
            or (bool(self.beginnings) and word.startswith(self.beginnings))
        )

    @property
    def takes_only_these(self) -> bool:
        """Whether it takes its words and no others."""
        return not (self.beginnings or ANY in self.words or NUMBER in self.words)


class _State(dict[str, "_State[M]"], Generic[M]):
    """Where all patterns stand after some words; by symbol, where they stand after one more.

    `waiting` are the steps that may come next, each with the number of words behind it;
    `ended` the marks of patterns that end here, each with the number of words of the longest.
    """

    __slots__ = ("_matcher", "ended", "waiting")

    def __init__(
        self, matcher: "Matcher[M]", reached: Collection[tuple[_Step[M], int]] = ()
    ) -> None:
        super().__init__()
        self._matcher = matcher
        self.waiting = [(step, length) for step, length in reached if not step.marks]
        longest: dict[M, int] = {}
        for step, length in reached:
            for mark in step.marks:
                longest[mark] = max(length, longest.get(mark, 0))
        self.ended = tuple(longest.items())

    def __missing__(self, symbol: str) -> "_State[M]":
        after = self[symbol] = self._matcher.after(self, symbol)
        return after


class Matcher(Generic[M]):
    """Finds patterns in words; each pattern carries a mark that says which it is."""

    def __init__(self, patterns: Iterable[tuple[Pattern, M]]) -> None:
        self._first: dict[str, list[_Step[M]]] = {}
        self._first_of_many: list[_Step[M]] = []
        known: set[str] = set()
        for pattern, mark in patterns:
            end: _Step[M] = _Step(frozenset(), ())
            end.marks = (mark,)
            for step in _linked(pattern, (end,), known):
                self._add_first(step)
        self.words = frozenset(word for word in known if word[-1] not in (ANY, NUMBER))
        self._beginnings = tuple(
            sorted((word[:-1] for word in known if word[-1] == ANY and word != ANY), key=len)
        )
        self._begun: dict[str, frozenset[tuple[_Step[M], int]]] = {}
        self._forget()

    def _add_first(self, step: _Step[M]) -> None:
        if not step.takes_only_these:
            self._first_of_many.append(step)
            return
        for word in step.words:
            self._first.setdefault(word, []).append(step)

    def symbol(self, word: str) -> str:
        """What a word is to the patterns: itself, its known beginning, a number, or "" for none."""
        if word in self.words:
            return word
        if word.isdigit():
            return "0"
        if not word.startswith(self._beginnings):
            return ""
        longest = next(each for each in reversed(self._beginnings) if word.startswith(each))
        return longest + ANY

    def find(self, symbols: Iterable[str]) -> list[Match[M]]:
        """The matches in the symbols of a reply's words, by where they end.

        Of several matches with one mark and one end, only the longest is given.
        """
        found: list[Match[M]] = []
        state = self._start
        for place, symbol in enumerate(symbols, start=1):
            state = state[symbol]
            for mark, length in state.ended:
                found.append(Match(mark, place - length, place))
        return found

    def after(self, state: _State[M], symbol: str) -> _State[M]:
        """Where the patterns stand when a symbol comes in a state."""
        reached = {
            (then, length + 1)
            for step, length in state.waiting
            if step.takes(symbol)
            for then in step.then
        }
        if symbol not in self._begun:
            first = self._first.get(symbol, [])
            first = [*first, *(step for step in self._first_of_many if step.takes(symbol))]
            self._begun[symbol] = frozenset((then, 1) for step in first for then in step.then)
        both = self._begun[symbol] | reached
        if len(self._states) >= MOST_STATES:
            self._forget()
        return self._states.setdefault(both, _State(self, both))

    def _forget(self) -> None:
        self._start: _State[M] = _State(self)
        self._states: dict[frozenset[tuple[_Step[M], int]], _State[M]] = {}


def _linked(pattern: Pattern, then: tuple[_Step[M], ...], known: set[str]) -> tuple[_Step[M], ...]:
    """The steps with which a pattern begins, when `then` is what follows it."""
    match pattern:
        case OneOf(words):
            known |= words
            return (_Step(words, then),)
        case InTurn(parts):
            for part in reversed(parts):
                then = _linked(part, then, known)
            return then
        case Either(options):
            return tuple(
                dict.fromkeys(step for each in options for step in _linked(each, then, known))
            )
