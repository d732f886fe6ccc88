"""The little language in which rules say what a reply may contain.

pattern = phrase { "|" phrase }
phrase  = piece { piece }
piece   = ( word | word* | .. | < | > | NAME | "(" pattern ")" ) [ "?" ]

`word*` is every word that begins so, `..` up to three words of any kind, `<` and `>` the start
and the end of the reply, and `?` behind something means that it may be left out. NAME is a pattern
that has a name; two are always there: ANY is any one word and NUMBER a number in digits.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from drip.core.reply_words import words_of

ANY, NUMBER, START, END = "*", "#", "<", ">"
"""What stands for any word, for a number, and for the two ends of a reply."""

GAP = 3
"""How many words `..` may stand for."""

_TOKEN = re.compile(r"\.\.|[()|?<>]|[^\W_](?:['’]?\w)*\*?")


class PatternError(ValueError):
    """A pattern that does not follow the grammar. `column` counts from 1 inside its text."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class OneOf:
    """One word out of several; those that end in `*` stand for every word that begins so."""

    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class InTurn:
    """One thing after the other."""

    parts: tuple["Pattern", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any one of these; an empty `InTurn` among them is "or nothing"."""

    options: tuple["Pattern", ...]


Pattern = OneOf | InTurn | Either

NOTHING = InTurn(())

_ALWAYS = {"ANY": OneOf(frozenset({ANY})), "NUMBER": OneOf(frozenset({NUMBER}))}

_GAP = Either(tuple(InTurn((OneOf(frozenset({ANY})),) * count) for count in range(GAP + 1)))


def parse_pattern(
    text: str, names: Mapping[str, Pattern], spelled: Callable[[str], Iterable[str]]
) -> Pattern:
    """Parse a pattern in which these names are known. Raises PatternError.

    `spelled` gives the words that a word of a reply is read as, so that a rule may be written
    with "don't" where replies are read as "do not".
    """
    return _Parser(text, names, spelled).whole()


def can_be_nothing(pattern: Pattern) -> bool:
    """Whether a pattern says nothing at all about a reply."""
    match pattern:
        case OneOf():
            return False
        case InTurn(parts):
            return all(can_be_nothing(part) for part in parts)
        case Either(options):
            return any(can_be_nothing(option) for option in options)


class _Parser:
    def __init__(
        self, text: str, names: Mapping[str, Pattern], spelled: Callable[[str], Iterable[str]]
    ) -> None:
        self.text, self.names, self.spelled = text, {**_ALWAYS, **names}, spelled
        self.tokens = list(_tokens(text))
        self.place = 0

    def whole(self) -> Pattern:
        pattern = self.pattern()
        if self.peek() is not None:
            self.fail('there is a ")" too many here')
        return pattern

    def pattern(self) -> Pattern:
        options = [self.phrase()]
        while self.peek() == "|":
            self.take()
            options.append(self.phrase())
        return _either(options)

    def phrase(self) -> Pattern:
        parts: list[Pattern] = []
        while self.peek() not in (None, "|", ")"):
            piece = self.piece(self.take())
            if self.peek() == "?":
                self.take()
                piece = _either([piece, NOTHING])
            parts.append(piece)
        if not parts:
            self.fail("a word is missing here")
        return parts[0] if len(parts) == 1 else InTurn(tuple(parts))

    def piece(self, sign: str) -> Pattern:
        if sign == "(":
            inner = self.pattern()
            if self.peek() != ")":
                self.fail('a ")" is missing here')
            self.take()
            return inner
        if sign == "..":
            return _GAP
        if sign in (START, END):
            return OneOf(frozenset({sign}))
        if sign.isupper():
            if sign not in self.names:
                known = ", ".join(sorted(self.names))
                self.fail(f'there is no list called "{sign}"; known: {known}', back=1)
            return self.names[sign]
        if sign == "?":
            self.fail('"?" stands behind what may be left out', back=1)
        return self.word(sign)

    def word(self, sign: str) -> Pattern:
        if sign.endswith("*"):
            return OneOf(frozenset({"".join(_plain(sign[:-1])) + "*"}))
        words = [word for said in _plain(sign) for word in self.spelled(said)]
        parts = tuple(OneOf(frozenset({word})) for word in words)
        return parts[0] if len(parts) == 1 else InTurn(parts)

    def peek(self) -> str | None:
        return self.tokens[self.place][0] if self.place < len(self.tokens) else None

    def take(self) -> str:
        self.place += 1
        return self.tokens[self.place - 1][0]

    def fail(self, what: str, back: int = 0) -> NoReturn:
        """Complain about the token that comes next, or the one taken `back` before it."""
        place = self.place - back
        column = self.tokens[place][1] if place < len(self.tokens) else len(self.text) + 1
        raise PatternError(what, column)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """The tokens of a pattern, each with its column. Raises PatternError."""
    position = 0
    for found in _TOKEN.finditer(text):
        if text[position : found.start()].strip():
            break
        yield found[0], found.start() + 1
        position = found.end()
    if rest := text[position:].lstrip():
        column = len(text) - len(rest) + 1
        raise PatternError(f'"{rest[0]}" means nothing here; write words ( | ) ? * .. < >', column)


@cache
def _plain(word: str) -> tuple[str, ...]:
    return tuple(words_of(word))


def _either(options: list[Pattern]) -> Pattern:
    """A choice; single words in it become one, so that a long list costs as much as a word."""
    words = frozenset(
        word for option in options if isinstance(option, OneOf) for word in option.words
    )
    longer = [option for option in options if not isinstance(option, OneOf)]
    every = [*([OneOf(words)] if words else []), *longer]
    return every[0] if len(every) == 1 else Either(tuple(every))
