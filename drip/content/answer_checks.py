"""What `drip check` looks at in the answers of a language: what they show, and what they cost."""

from collections.abc import Iterator
from typing import get_args

from drip.content.answers import Answers, Saying, Visit
from drip.content.language_file import Language
from drip.content.problems import Problem, Severity
from drip.content.values import Facts
from drip.content.wording import beginnings, phrases
from drip.content.yamlfile import YamlFile
from drip.core.sms import Parts, measure

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
        for found in beginnings(text, words.not_discreet):
            what = f'"{found.word}" is not discreet: others may see this; say it in another way'
            yield file.problem(("answers", key), what, offset=found.column - 1)
        for found in phrases(text, words.relative_words):
            what = f'"{found.word}" may be wrong when this is read; use {{{{ session.when }}}}'
            yield file.problem(("answers", key), what, offset=found.column - 1)
        parts = measure(answers.say(key, facts.clinic, words.language, visit=visit))
        if parts.count > (limit := _limit(key, parts)):
            why = " ".join(f'"{each}"' for each in parts.outside)
            what = f"this answer takes {parts.count} parts, at most {limit} are good: shorten it"
            if why:
                what += f", or do without {why}"
            yield file.problem(("answers", key), what, severity=Severity.WARNING)


def _limit(key: Saying, parts: Parts) -> int:
    """How many parts an answer may take in its encoding."""
    limit = 2 if parts.encoding == "GSM-7" else 4
    return limit + 1 if key in _IN_CRISIS else limit
