"""Language files: every word that is not part of a message, and the crisis lines by country."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from drip.content.blanks import CLINIC_BLANKS, blank_problems, blanks_in
from drip.content.problems import BrokenContent, Problem, nearest
from drip.content.sources import ContentDir
from drip.content.strict import LANGUAGE, Strict, validated
from drip.content.yamlfile import Loc, YamlFile, read_yaml
from drip.errors import ContentError

Instruction = Literal[
    "food", "drink", "medicines", "alcohol", "driving", "driving_short", "bring", "session_length"
]
"""What clinics differ on and say in their own words."""

VISIT_BLANKS = frozenset({"session.date", "session.when", "session.time", "session.at"})
"""What an answer about a visit may say of it."""

_LINES = "crisis.lines"
_BLANKS_OF: dict[Loc, frozenset[str]] = {
    ("relative_day",): frozenset({"date"}),
    ("at",): frozenset({"time"}),
    ("zone_suffix",): frozenset({"time", "zone"}),
    ("answers",): CLINIC_BLANKS | {"crisis.sms"},
    ("answers", "confirmed"): CLINIC_BLANKS | VISIT_BLANKS,
    ("answers", "ride"): CLINIC_BLANKS | VISIT_BLANKS,
    ("answers", "crisis"): CLINIC_BLANKS | {_LINES},
    ("answers", "crisis_stop"): CLINIC_BLANKS | {_LINES},
}
_NEEDED = {
    "stop_visit": ("clinic.phone",),
    "help": ("clinic.public_name", "clinic.phone"),
    "received": ("clinic.phone",),
    "cannot_read": ("clinic.phone",),
    "crisis": ("clinic.phone", _LINES),
    "crisis_stop": ("clinic.phone", _LINES),
}
"""What an answer must say, since somebody may depend on it."""


class RelativeDay(Strict):
    """How a day is named when a message is sent; the blank is `date`."""

    today: str
    tomorrow: str
    tonight: str
    other: str


class At(Strict):
    """A time after a preposition; `one` is for one o'clock; the blank is `time`."""

    one: str
    other: str


class Footer(Strict):
    """The sentences below every email. `stop_link` and `preferences_link` are labels of links."""

    why: str
    stop_email: str
    contact: str
    stop_link: str | None = None
    preferences_link: str | None = None


class CalendarWords(Strict):
    """The words of a calendar file. Titles are seen by others and so are discreet."""

    title: str
    cancelled_title: str
    description: str


class AnswerWords(Strict):
    """What is answered to a patient's own text; all of it may be seen by others.

    `stop_visit` is added to `stop` where the word was one like CANCEL. `confirmed_unknown` goes
    to who confirms a visit that is not there, `received` and `cannot_read` to who wrote anything
    else; `unknown_help` and `wrong_number` to who is no patient.
    """

    stop: str
    stop_visit: str
    wrong_number: str
    start: str
    help: str
    unknown_help: str
    confirmed: str
    confirmed_unknown: str
    ride: str
    received: str
    cannot_read: str
    crisis: str
    crisis_stop: str


class Language(Strict):
    """A language's own words. `date` and `time` are patterns of the Unicode CLDR."""

    language: str = Field(pattern=LANGUAGE)
    name: str
    no_replies: str
    relative_day: RelativeDay
    date: str
    time: str
    at: At
    zone_suffix: str
    instructions: dict[Instruction, str] = Field(default_factory=dict)
    footer: Footer
    test_mark: str
    calendar: CalendarWords
    answers: AnswerWords
    not_discreet: list[str]
    relative_words: list[str]
    not_counted: list[str] = Field(default_factory=list)


class CrisisLines(Strict):
    """The emergency and crisis lines of a country, and sentences on them by language.

    `answers` is what the answer to a word of crisis says of them.
    """

    emergency: str
    crisis: str
    sms: dict[str, str]
    email: dict[str, str]
    answers: dict[str, str]


def load_language(content: ContentDir, language: str) -> Language:
    """Read a language's words. Raises ContentError where the file is missing or broken."""
    return read_language(content, language)[0]


def read_language(content: ContentDir, language: str) -> tuple[Language, YamlFile]:
    """The same, with the file that knows the place of each word."""
    file = read_yaml(content.language(language))
    words = validated(Language, file)
    problems = [*blank_problems(file, _known_at), *_missing_blanks(words, file)]
    if words.language != language:
        what = f'the file is called {language}.yaml but says "{words.language}"; make them the same'
        problems.append(file.problem(("language",), what))
    if problems:
        raise BrokenContent(sorted(problems))
    return words, file


def load_crisis_lines(content: ContentDir, country: str) -> CrisisLines:
    """Read the lines of a country (ISO 3166 alpha-2). Raises ContentError if there are none."""
    file = read_yaml(content.crisis_lines())
    countries = file.data if isinstance(file.data, dict) else {}
    if country not in countries:
        what = f'no emergency and crisis lines for country "{country}"; add them to this file. '
        raise BrokenContent([file.problem((), what + nearest(country, countries))])
    return validated(CrisisLines, file, at=(country,))


def crisis_words(
    lines: CrisisLines, language: str, where: Literal["sms", "email", "answers"]
) -> str:
    """The sentence for a language. Raises ContentError where it is missing."""
    sentences: dict[str, str] = getattr(lines, where)
    if language not in sentences:
        raise ContentError(
            f'The crisis lines have no "{where}" sentence in "{language}": '
            "add it to messages/_crisis_lines.yaml."
        )
    return sentences[language]


def _known_at(loc: Loc) -> frozenset[str]:
    loc = tuple(loc)
    return _BLANKS_OF.get(loc) or _BLANKS_OF.get(loc[:1], CLINIC_BLANKS)


def _missing_blanks(words: Language, file: YamlFile) -> Iterator[Problem]:
    """Answers that leave out what somebody may depend on."""
    for key, needed in _NEEDED.items():
        said = blanks_in(getattr(words.answers, key))
        for blank in needed:
            if blank not in said:
                what = f"this answer must say {{{{ {blank} }}}}; add it"
                yield file.problem(("answers", key), what)
