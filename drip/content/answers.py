"""What is answered to a patient's own text, in the words of the language files."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from drip.content.language_file import (
    Language,
    crisis_words,
    load_crisis_lines,
    load_language,
)
from drip.content.markdown import one_line
from drip.content.sources import ContentDir
from drip.content.words import clinic_blanks, fill, session_words
from drip.core.clinic import Clinic
from drip.core.sms import plain_twins

Saying = Literal[
    "stop",
    "stop_visit",
    "wrong_number",
    "start",
    "help",
    "unknown_help",
    "confirmed",
    "confirmed_unknown",
    "ride",
    "received",
    "cannot_read",
    "crisis",
    "crisis_stop",
]
"""What there is to say; the keys of `answers` in a language file."""


@dataclass(frozen=True, slots=True)
class Visit:
    """The visit that an answer names: the session and the moment of the answer (both UTC), and
    the clock that the patient lives by.
    """

    session_at: datetime
    zone: ZoneInfo
    now: datetime


class Answers:
    """Makes answers. Reads each file once and keeps it."""

    def __init__(self, content: ContentDir) -> None:
        self._content = content
        self._languages: dict[str, Language] = {}
        self._lines: dict[tuple[str, str], dict[str, str]] = {}

    def language(self, wanted: str | None, clinic: Clinic) -> str:
        """The language to answer in: the wanted one where it has words, else the clinic's."""
        return wanted if wanted in self._content.languages() else clinic.language

    def say(
        self, what: Saying, clinic: Clinic, language: str, *, visit: Visit | None = None
    ) -> str:
        """An answer as a text on one line. Raises ContentError where its words are missing.

        "confirmed" and "ride" name the visit, and cannot be said without one.
        """
        words = self._words(language)
        blanks = {**clinic_blanks(clinic), **self._crisis(clinic.country, language)}
        if visit is not None:
            said = session_words(words, clinic, visit.session_at, visit.zone, visit.now, "")
            blanks |= {f"session.{name}": word for name, word in said._asdict().items()}
        sentence: str = getattr(words.answers, what)
        return plain_twins(one_line(fill(sentence, blanks)))

    def _words(self, language: str) -> Language:
        if language not in self._languages:
            self._languages[language] = load_language(self._content, language)
        return self._languages[language]

    def _crisis(self, country: str, language: str) -> dict[str, str]:
        key = country, language
        if key not in self._lines:
            lines = load_crisis_lines(self._content, country)
            self._lines[key] = {
                "crisis.sms": crisis_words(lines, language, "sms"),
                "crisis.lines": crisis_words(lines, language, "answers"),
            }
        return self._lines[key]


@lru_cache(maxsize=4)
def load_answers(content: ContentDir) -> Answers:
    """What makes answers from some content; made once and kept."""
    return Answers(content)
