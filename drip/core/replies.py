"""What a patient's reply means (rules.md, "Stopping and other words").

Words of crisis are looked for first, then words of stopping, then all others; a reply is read in
every language, whatever the patient's. Where nothing is certain it is `other`, which a person
reads: so are a question beside a confirmation ("C but can I eat?"), a ride that fell through, and
a bare "yes", which answers we cannot know which question and is an opt-in word at the carrier.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from math import ceil, floor
from operator import attrgetter
from typing import NamedTuple

from drip.core.reply_matcher import Matcher
from drip.core.reply_patterns import END, START, InTurn, OneOf, Pattern
from drip.core.reply_slips import slips
from drip.core.reply_words import LONGEST, Reactions, without_courtesies, words_of

MOST_WORDS = 50_000
"""Words whose reading is remembered, for each language."""

_COUNTED = re.compile(r"(\d+)([^\W\d_]+)")
"""A number with a word behind it, as in "20min"."""

_FIGURES = str.maketrans("0134579", "oieastg")
"""Digits that people write for letters, as in "st0p"."""


class ReplyClass(StrEnum):
    """What a reply asks for; a list of rules in `messages/_replies` bears the same name."""

    CRISIS = "crisis"
    STOP = "stop"
    RESCHEDULE = "reschedule"
    LATE = "late"
    START = "start"
    HELP = "help"
    CONFIRM = "confirm"
    RIDE = "ride"
    OTHER = "other"


class Topic(StrEnum):
    """What a list of rules is about, in the order in which they count."""

    CRISIS = "crisis"
    WRONG_NUMBER = "wrong_number"
    STOP = "stop"
    RESCHEDULE = "reschedule"
    LATE = "late"
    START = "start"
    HELP = "help"
    CONFIRM = "confirm"
    RIDE = "ride"
    NO_RIDE = "no_ride"

    @property
    def reply_class(self) -> ReplyClass:
        """The class of a reply about this: a wrong number is a stop, a lost ride for a person."""
        if self is Topic.NO_RIDE:
            return ReplyClass.OTHER
        return ReplyClass.STOP if self is Topic.WRONG_NUMBER else ReplyClass(self.value)


@dataclass(frozen=True, slots=True)
class TopicRules:
    """How a topic is told in one language.

    `alone` are patterns that must be the whole reply, greetings and thanks aside; `anywhere` those
    that may stand in it; `unless` are idioms: what lies inside of one does not count.
    """

    alone: tuple[Pattern, ...] = ()
    anywhere: tuple[Pattern, ...] = ()
    unless: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyRules:
    """All rules of one language.

    `spellings` are ways to write words ("u", "dont") with the words that they stand for;
    `forgiven` the words of which a slip of the finger is understood, `ordinary` those that look
    like such a slip and are none. `courtesies` are greetings and thanks, in words.
    """

    language: str
    topics: Mapping[Topic, TopicRules]
    spellings: Mapping[str, tuple[str, ...]]
    forgiven: Collection[str]
    ordinary: Collection[str]
    courtesies: Collection[tuple[str, ...]]
    reactions: Collection[str]


@dataclass(frozen=True, slots=True)
class Understood:
    """How a reply is understood.

    `stop` says that the texts must end, also beside a crisis. `language` is that of the rule
    which decided; for `other` the one whose words it has most of, None where that is not clear.
    `matched` are the words that decided it, None for `other`. `wrong_number` goes with `stop`:
    the phone is not the patient's. `no_ride` says that nobody takes the patient home, or no more;
    it goes with any class but `ride`.
    """

    reply_class: ReplyClass
    stop: bool = False
    language: str | None = None
    matched: str | None = None
    wrong_number: bool = False
    no_ride: bool = False


class _Mark(NamedTuple):
    topic: Topic
    is_idiom: bool


class _Told(NamedTuple):
    """What a pattern's match says, from `start` up to `end` in words of the reply from 1."""

    mark: _Mark
    start: float
    end: float


class _Finding(NamedTuple):
    """What one language's rules find in a reply; `known` counts the words that they know."""

    reader: "_Reader"
    known: int
    told: Sequence[_Told]


class Replies:
    """Understands replies by the rules of some languages."""

    def __init__(self, rules: Iterable[ReplyRules]) -> None:
        every = tuple(rules)
        self._courtesies = frozenset(each for one in every for each in one.courtesies)
        self._reactions = Reactions(each for one in every for each in one.reactions)
        matchers = [Matcher(_marked(one.topics)) for one in every]
        known = frozenset(word for matcher in matchers for word in matcher.words)
        self._readers = tuple(
            _Reader(one, matcher, known) for one, matcher in zip(every, matchers, strict=True)
        )

    def understand(self, text: str) -> Understood:
        """Read a reply. Any text at all can be read; capitals and punctuation play no part."""
        said = self._reactions.without(text[:LONGEST])
        words = without_courtesies(words_of(said), self._courtesies)
        findings = [reader.read(words) for reader in self._readers]
        findings.sort(key=_known, reverse=True)
        counting = _counting(findings)
        no_ride = counting.pop(Topic.NO_RIDE, None) is not None and Topic.RIDE not in counting
        if not counting:
            return Understood(ReplyClass.OTHER, language=_likely(findings), no_ride=no_ride)
        first = min(counting, key=_ORDER.__getitem__)
        reader, told = counting[first]
        return Understood(
            reply_class=_CLASSES[first],
            stop=not counting.keys().isdisjoint(_STOPS),
            language=reader.language,
            matched=reader.said(words[floor(told.start) - 1 : ceil(told.end) - 1]),
            wrong_number=Topic.WRONG_NUMBER in counting,
            no_ride=no_ride,
        )


_ORDER = {topic: place for place, topic in enumerate(Topic)}
_CLASSES = {topic: topic.reply_class for topic in Topic}
_STOPS = {Topic.STOP, Topic.WRONG_NUMBER}
_known = attrgetter("known")


def _likely(findings: Sequence[_Finding]) -> str | None:
    """The language with most known words, if one has more than all others."""
    most = findings[0].known if findings else 0
    likely = [finding.reader.language for finding in findings if finding.known == most]
    return likely[0] if most and len(likely) == 1 else None


class _Reader:
    """The rules of one language, ready for use."""

    def __init__(self, rules: ReplyRules, matcher: Matcher[_Mark], known: Set[str]) -> None:
        self.language = rules.language
        self._matcher = matcher
        self._spellings = rules.spellings
        ordinary = {*rules.ordinary, *known, *rules.spellings}.difference(rules.forgiven)
        self._slips = slips(rules.forgiven, ordinary)
        self._remembered: dict[str, tuple[str, ...]] = {}

    def read(self, words: Sequence[str]) -> _Finding:
        """What the words say in this language."""
        symbols = [START]
        for word in words:
            symbols += self._remembered.get(word) or self._symbols(word)
        known = len(symbols) - 1 - symbols.count("")
        symbols.append(END)
        matches = self._matcher.find(symbols)
        if not matches:
            return _Finding(self, known, ())
        edges = self._edges(words, len(symbols) - 2)
        found = [_Told(mark, edges[start], edges[end]) for mark, start, end in matches]
        return _Finding(self, known, found)

    def said(self, words: Sequence[str]) -> str:
        """Some words of a reply, as they were read."""
        return " ".join(read for word in words for read in self._spelled(word))

    def _edges(self, words: Sequence[str], count: int) -> Sequence[float]:
        """Where the symbols of a reply begin and the last ends, in words from 1.

        The second of the two words for which "dont" stands begins half a word after it. The ends
        of the reply take no room.
        """
        end = len(words) + 1
        if count == len(words):
            return [1, *range(1, end + 1), end]
        edges: list[float] = [1]
        for place, word in enumerate(words, start=1):
            parts = len(self._remembered.get(word) or self._symbols(word))
            edges.append(place)
            if parts > 1:
                edges += [place + part / parts for part in range(1, parts)]
        return [*edges, end, end]

    def _symbols(self, word: str) -> tuple[str, ...]:
        """The symbols of the words for which a word stands."""
        if len(self._remembered) >= MOST_WORDS:
            self._remembered.clear()
        symbols = tuple(self._matcher.symbol(each) for each in self._spelled(word))
        self._remembered[word] = symbols
        return symbols

    def _is_word(self, word: str) -> bool:
        return word in self._spellings or word in self._matcher.words

    def _spelled(self, word: str) -> tuple[str, ...]:
        if word in self._spellings:
            return self._spellings[word]
        if word in self._matcher.words:
            return (word,)
        if (counted := _COUNTED.fullmatch(word)) and self._is_word(counted[2]):
            return (counted[1], *self._spelled(counted[2]))
        lettered = word if word.isalpha() or word.isdigit() else word.translate(_FIGURES)
        meant = self._slips.get(lettered, lettered)
        return (meant,) if self._matcher.symbol(meant) else (word,)


def _marked(topics: Mapping[Topic, TopicRules]) -> Iterator[tuple[Pattern, _Mark]]:
    start, end = OneOf(frozenset({START})), OneOf(frozenset({END}))
    for topic, rules in topics.items():
        for pattern in rules.alone:
            yield InTurn((start, pattern, end)), _Mark(topic, is_idiom=False)
        for pattern in rules.anywhere:
            yield pattern, _Mark(topic, is_idiom=False)
        for pattern in rules.unless:
            yield pattern, _Mark(topic, is_idiom=True)


def _counting(findings: Iterable[_Finding]) -> dict[Topic, tuple["_Reader", _Told]]:
    """What first tells each topic outside of its idioms, and in which language.

    An idiom holds for all languages: those who write one borrow the words of others.
    """
    idioms: dict[Topic, list[_Told]] = {}
    for finding in findings:
        for told in finding.told:
            if told.mark.is_idiom:
                idioms.setdefault(told.mark.topic, []).append(told)
    reach = {topic: _reach(every) for topic, every in idioms.items()}
    counting: dict[Topic, tuple[_Reader, _Told]] = {}
    for reader, _, every in findings:
        for told in every:
            topic, is_idiom = told.mark
            if is_idiom or topic in counting:
                continue
            if not (topic in reach and told.end <= reach[topic](told.start)):
                counting[topic] = (reader, told)
    return counting


def _reach(idioms: Iterable[_Told]) -> Callable[[float], float]:
    """How far an idiom reaches that begins at a place or before."""
    ordered = sorted(idioms, key=attrgetter("start"))
    starts = [idiom.start for idiom in ordered]
    ends = [0.0, *accumulate((idiom.end for idiom in ordered), max)]
    return lambda place: ends[bisect_right(starts, place)]
