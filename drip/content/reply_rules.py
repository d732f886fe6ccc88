"""The rules by which replies are understood: `messages/_replies/<language>.yaml`."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from drip.content.problems import BrokenContent, Problem, Severity, shown
from drip.content.sources import ContentDir
from drip.content.strict import LANGUAGE, Strict, validated
from drip.content.yamlfile import Loc, parse_yaml, read_text
from drip.core.replies import Replies, ReplyRules, Topic, TopicRules
from drip.core.reply_patterns import Pattern, PatternError, can_be_nothing, parse_pattern
from drip.core.reply_words import words_of
from drip.errors import ContentError

FOLDER = Path("messages") / "_replies"

Lines = list[str]


class TopicLists(Strict):
    """The patterns of a topic as they are written."""

    alone: Lines = Field(default_factory=list)
    anywhere: Lines = Field(default_factory=list)
    unless: Lines = Field(default_factory=list)


class Topics(Strict):
    """The topics, all of them: a language that leaves one out would never hear it."""

    crisis: TopicLists
    wrong_number: TopicLists
    stop: TopicLists
    reschedule: TopicLists
    late: TopicLists
    start: TopicLists
    help: TopicLists
    confirm: TopicLists
    ride: TopicLists
    no_ride: TopicLists


class RulesFile(Strict):
    """A file of rules as it is written."""

    language: str = Field(pattern=LANGUAGE)
    names: dict[str, str] = Field(default_factory=dict)
    spellings: dict[str, str] = Field(default_factory=dict)
    forgiven: Lines = Field(default_factory=list)
    ordinary: Lines = Field(default_factory=list)
    courtesies: Lines = Field(default_factory=list)
    reactions: Lines = Field(default_factory=list)
    topics: Topics


@lru_cache(maxsize=4)
def load_replies(content: ContentDir) -> Replies:
    """What understands replies in every language that has rules; made once and kept.

    Raises ContentError where a file is missing or broken.
    """
    paths = reply_rule_files(content)
    if not paths:
        raise ContentError(f"There are no rules in {FOLDER}: install Drip again or restore them.")
    return Replies(read_reply_rules(path) for path in paths.values())


def reply_rule_files(content: ContentDir) -> dict[str, Path]:
    """The file of rules of each language; a clinic's own file stands in place of the built-in."""
    found = {}
    for root in reversed(content.roots):
        for path in sorted((root / FOLDER).glob("*.yaml")):
            found[path.stem] = path
    return dict(sorted(found.items()))


def read_reply_rules(path: Path) -> ReplyRules:
    """Read the rules of one language; once for as long as the file stays the same.

    Raises BrokenContent with every problem in the file.
    """
    return _read(path, read_text(path))


@lru_cache(maxsize=16)
def _read(path: Path, text: str) -> ReplyRules:
    return _Reading(path, text).rules()


def reply_rule_problems(content: ContentDir) -> Iterator[Problem]:
    """What is wrong with the rules, for `drip check`: mistakes, and languages without rules."""
    files = reply_rule_files(content)
    for path in files.values():
        try:
            read_reply_rules(path)
        except BrokenContent as error:
            yield from error.problems
        except ContentError as error:
            yield Problem(shown(path), 1, 1, str(error))
    for language in content.languages():
        if language not in files:
            what = f"replies in this language are not understood; write {FOLDER}/{language}.yaml"
            yield Problem(shown(content.language(language)), 1, 1, what, Severity.WARNING)


class _Reading:
    """One file while it is read; it gathers every problem."""

    def __init__(self, path: Path, text: str) -> None:
        self.file = parse_yaml(text, path)
        self.written = validated(RulesFile, self.file)
        self.spellings = {
            "".join(words_of(said)): tuple(words_of(meant))
            for said, meant in self.written.spellings.items()
        }
        self.names: dict[str, Pattern] = {}
        self.problems: list[Problem] = []
        if self.written.language != path.stem:
            what = f'the file is called {path.name} but says "{self.written.language}"'
            self.problems.append(self.file.problem(("language",), f"{what}; make them the same"))

    def rules(self) -> ReplyRules:
        written = self.written
        for name, text in written.names.items():
            if pattern := self.pattern(text, ("names", name)):
                self.names[name] = pattern
        topics = {topic: self.topic(topic) for topic in Topic}
        if self.problems:
            raise BrokenContent(sorted(self.problems))
        return ReplyRules(
            language=written.language,
            topics=topics,
            spellings=self.spellings,
            forgiven=frozenset(written.forgiven),
            ordinary=frozenset(written.ordinary),
            courtesies=frozenset(tuple(words_of(each)) for each in written.courtesies),
            reactions=tuple(written.reactions),
        )

    def topic(self, topic: Topic) -> TopicRules:
        lists: TopicLists = getattr(self.written.topics, topic.value)
        return TopicRules(
            alone=self.patterns(lists.alone, ("topics", topic.value, "alone")),
            anywhere=self.patterns(lists.anywhere, ("topics", topic.value, "anywhere")),
            unless=self.patterns(lists.unless, ("topics", topic.value, "unless")),
        )

    def patterns(self, texts: list[str], at: Loc) -> tuple[Pattern, ...]:
        found = (self.pattern(text, (*at, place)) for place, text in enumerate(texts))
        return tuple(pattern for pattern in found if pattern is not None)

    def pattern(self, text: str, at: Loc) -> Pattern | None:
        try:
            pattern = parse_pattern(text, self.names, self.spelled)
        except PatternError as error:
            self.problems.append(self.file.problem(at, str(error), offset=error.column - 1))
            return None
        if can_be_nothing(pattern):
            self.problems.append(self.file.problem(at, "this would fit every reply; add a word"))
            return None
        return pattern

    def spelled(self, word: str) -> tuple[str, ...]:
        return self.spellings.get(word, (word,))
