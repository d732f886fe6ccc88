"""What `drip check` looks at in the answers of a language: what they show, and what they cost."""

from collections.abc import Iterator
from typing import get_args

from drip.content.answers import Answers, Saying, Visit
from drip.content.blanks import wording_problems
from drip.content.language_file import Language
from drip.content.problems import Problem, Severity
from drip.content.values import Facts
from drip.content.yamlfile import YamlFile
from drip.core.sms import Parts, limit_of, measure

_IN_CRISIS = ("crisis", "crisis_stop")
"""These may be longer: what helps must be said."""


def answer_problems(
    answers: Answers, words: Language, file: YamlFile, facts: Facts
) -> Iterator[Problem]:
    """What is wrong with a language's answers to this patient, by the file that they stand in.

    Raises ContentError where the clinic's country has no lines in this language.
    """
    visit = Visit(facts.session_at, facts.zone, facts.now)
    for key in get_args(Saying):
        text: str = getattr(words.answers, key)
        loc = ("answers", key)
        yield from wording_problems(file, loc, text, words.not_discreet, words.relative_words)
        parts = measure(answers.say(key, facts.clinic, words.language, visit=visit))
        if parts.count > (limit := _limit(key, parts)):
            why = " ".join(f'"{each}"' for each in parts.outside)
            what = f"this answer takes {parts.count} parts, at most {limit} are good: shorten it"
            if why:
                what += f", or do without {why}"
            yield file.problem(loc, what, severity=Severity.WARNING)


def _limit(key: Saying, parts: Parts) -> int:
    """How many parts an answer may take in its encoding."""
    return limit_of(parts) + (key in _IN_CRISIS)
