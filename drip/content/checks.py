"""`drip check`: everything that can be wrong with schedules, messages and the clinic's profile."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from drip.content.answer_checks import answer_problems
from drip.content.answers import Answers
from drip.content.clinic_file import SAMPLE, clinic_from_file, on_call_problems
from drip.content.language_file import (
    CrisisLines,
    Language,
    load_crisis_lines,
    read_language,
)
from drip.content.message_checks import (
    instruction_problems,
    link_problems,
    message_problems,
    part_problems,
    reading_of,
    reading_problems,
    sent_problems,
)
from drip.content.messages import Message
from drip.content.page_words import page_problems, read_page_words
from drip.content.problems import BrokenContent, Problem, Severity, nearest, shown
from drip.content.readability import Reading
from drip.content.render import Renderer
from drip.content.reply_rules import reply_rule_problems
from drip.content.sample_patients import (
    at_its_time,
    at_worst,
    like,
    long_days,
    ordinary,
    text_times,
)
from drip.content.schedule_file import read_schedule, step_loc
from drip.content.sources import ContentDir
from drip.content.values import Facts
from drip.content.wording import beginnings
from drip.content.yamlfile import YamlFile, read_yaml
from drip.core.clinic import Clinic
from drip.core.links import example_page
from drip.core.schedule import NOTICES, Channel, Schedule, Step
from drip.core.sms import Encoding, Parts, limit_of, measure
from drip.errors import ContentError

A_DAY, A_WEEK = 1, 3
"""Texts in a day and in a week above which there is a warning."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one step costs on one channel in one language.

    `wording` is "discreet" or "plain" for a text; for an email it is blank, or "in short" for the
    section that a short-notice welcome carries in its place. `parts` and `encoding` are with the
    values of an ordinary patient, `most_parts` and `most_encoding` at worst: with long names,
    dates and times, and the zone named. `reading` is how hard an email is to read, None where
    its language has no scale.
    """

    schedule: str
    step: str
    message: str
    channel: Channel
    language: str
    wording: str = ""
    parts: int | None = None
    encoding: Encoding | None = None
    most_parts: int | None = None
    most_encoding: Encoding | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All problems, sorted by place, and a row for each step, channel, language and wording."""

    problems: tuple[Problem, ...]
    rows: tuple[Row, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that must be mended before anything is sent."""
        return tuple(p for p in self.problems if p.severity is Severity.ERROR)


_PUBLIC_URL = "https://care.example.com"
"""As long as the address of patients' pages may well be."""


def check(content: ContentDir, clinic_path: Path = SAMPLE, public_url: str | None = None) -> Report:
    """Check all content for a clinic: its clinic.yaml, or the sample. Mistakes are not raised.

    `public_url` is where patients' pages stand: links to them make texts longer.
    """
    return _Check(content, clinic_path, public_url or _PUBLIC_URL).report()


class _Check:
    def __init__(self, content: ContentDir, clinic_path: Path, public_url: str) -> None:
        self.content, self.clinic_path = content, clinic_path
        self.page_url = example_page(public_url)
        self.messages = content.messages()
        self.renderer = Renderer(content)
        self.problems: set[Problem] = set()

    def report(self) -> Report:
        schedules = self.schedules()
        languages = self.languages()
        clinic = self.clinic(languages)
        self.problems.update(unheard_problems(self.content))
        self.problems.update(reply_rule_problems(self.content))
        for name in self.messages:
            for language, words in languages.items():
                self.message(name, language, words, clinic)
        rows = [
            row
            for schedule in schedules
            for step in (*schedule.steps, *NOTICES.values())
            for language in languages
            if clinic is not None
            for row in self.rows(schedule, step, self.patient(clinic, language))
        ]
        return Report(tuple(sorted(self.problems)), tuple(rows))

    def schedules(self) -> list[Schedule]:
        found = []
        for name in self.content.schedules():
            try:
                schedule, file = read_schedule(self.content, name)
            except ContentError as error:
                self.note(error, self.content.schedule(name))
                continue
            found.append(schedule)
            self.problems.update(crowding_problems(schedule, file))
        for notice in sorted(NOTICES - self.messages.keys()):
            path = self.content.roots[-1] / "messages" / notice / "en.md"
            what = f'the message "{notice}" is missing; write it: every schedule needs it'
            self.problems.add(Problem(shown(path), 1, 1, what))
        return found

    def languages(self) -> dict[str, Language]:
        found = {}
        for language in self.content.languages():
            try:
                words, file = read_language(self.content, language)
            except ContentError as error:
                self.note(error, self.content.language(language))
                continue
            found[language] = words
            self.problems.update(title_problems(words, file))
            self.pages(language, words)
        return found

    def pages(self, language: str, words: Language) -> None:
        try:
            _, file = read_page_words(self.content, language)
        except ContentError as error:
            self.note(error, self.content.language(language))
            return
        self.problems.update(page_problems(file, words))

    def clinic(self, languages: dict[str, Language]) -> Clinic | None:
        try:
            file = read_yaml(self.clinic_path)
            clinic = clinic_from_file(file)
        except ContentError as error:
            self.note(error, self.clinic_path)
            return None
        self.problems.update(clinic_problems(clinic, file, languages))
        self.problems.update(on_call_problems(clinic, file))
        try:
            lines = load_crisis_lines(self.content, clinic.country)
        except ContentError as error:
            self.note(error, self.clinic_path)
            what = f'there are no emergency and crisis lines for "{clinic.country}"; add them first'
            self.problems.add(file.problem(("country",), what))
            return None
        crisis_file = read_yaml(self.content.crisis_lines())
        self.problems.update(crisis_problems(lines, crisis_file, clinic.country, languages))
        for language in languages.keys() & lines.sms.keys() & lines.answers.keys():
            words, words_file = read_language(self.content, language)
            facts = self.patient(clinic, language)
            found = answer_problems(Answers(self.content), words, words_file, facts)
            self.problems.update(found)
        return clinic

    def message(self, name: str, language: str, words: Language, clinic: Clinic | None) -> None:
        try:
            message = self.renderer.message(name, language)
        except ContentError as error:
            beside = next(iter(self.messages[name].values()))
            self.note(error, beside.with_name(f"{language}.md"))
            return
        wrong = set(message_problems(message, words))
        if clinic is not None:
            facts = self.patient(clinic, language)
            wrong.update(instruction_problems(message, facts, words))
            if not wrong:
                # A message that is wrong in itself would only be wrong again.
                wrong.update(sent_problems(self.renderer, message, facts))
        self.problems |= wrong

    def rows(self, schedule: Schedule, step: Step, facts: Facts) -> Iterator[Row]:
        try:
            message = self.renderer.message(step.message, facts.language)
            for channel in _channels(step):
                row = Row(schedule.name, step.name, step.message, channel, facts.language)
                measured = self.email_row if channel is Channel.EMAIL else self.sms_rows
                yield from measured(row, message, at_its_time(facts, step))
        except ContentError:
            return  # said already when the message itself was looked at

    def email_row(self, row: Row, message: Message, facts: Facts) -> Iterator[Row]:
        for wording, field in (("", "body"), ("in short", "in_short")):
            if message.text_of(field) is None:
                continue
            found = reading_of(self.renderer, message, field, facts)
            self.problems.update(reading_problems(message, field, found))
            yield replace(row, wording=wording, reading=found)

    def sms_rows(self, row: Row, message: Message, facts: Facts) -> Iterator[Row]:
        for wording, field in (("discreet", "sms"), ("plain", "sms_plain")):
            if message.text_of(field) is None:
                continue
            chosen = replace(facts, plain_wording=field == "sms_plain")
            real, most = self.parts(message, chosen), self.most_parts(message, chosen)
            self.problems.update(part_problems(message, field, real, most))
            self.problems.update(link_problems(self.renderer, message, field, chosen))
            yield replace(
                row,
                wording=wording,
                parts=real.count,
                encoding=real.encoding,
                most_parts=most.count,
                most_encoding=most.encoding,
            )

    def most_parts(self, message: Message, facts: Facts) -> Parts:
        """What a text costs at worst: the clinic's name is known, the sample clinic's is not."""
        days = long_days(self.renderer.language(facts.language))
        clinics = like(facts.clinic) if self.clinic_path == SAMPLE else (facts.clinic,)
        found = [
            self.parts(message, replace(worst, page_url=page_url))
            for clinic in clinics
            for worst in at_worst(replace(facts, clinic=clinic), days)
            for page_url in dict.fromkeys((facts.page_url, None))
        ]
        return max(found, key=lambda parts: (parts.count > limit_of(parts), parts.count))

    def parts(self, message: Message, facts: Facts) -> Parts:
        return measure(self.renderer.sms(message.name, facts).body)

    def patient(self, clinic: Clinic, language: str) -> Facts:
        return ordinary(clinic, language, page_url=self.page_url)

    def note(self, error: ContentError, path: Path) -> None:
        if isinstance(error, BrokenContent):
            self.problems.update(error.problems)
        else:
            self.problems.add(Problem(shown(path), 1, 1, str(error)))


def _channels(step: Step) -> tuple[Channel, ...]:
    """The channels of a step; a text-only essential one may go by email too (T12)."""
    texts_only = step.channels == (Channel.SMS,) and step.essential
    return (Channel.SMS, Channel.EMAIL) if texts_only else step.channels


def clinic_problems(
    clinic: Clinic, file: YamlFile, languages: dict[str, Language]
) -> Iterator[Problem]:
    """What in a clinic's profile does not go with the words that are there."""
    if clinic.language not in languages:
        what = f'there are no words in "{clinic.language}"; {nearest(clinic.language, languages)}'
        yield file.problem(("language",), what)
    begin = {begin for words in languages.values() for begin in words.not_discreet}
    for found in beginnings(clinic.public_name, begin):
        what = f'"{found.word}" is not discreet: lock screens show this name; choose another'
        yield file.problem(("public_name",), what, offset=found.column - 1)
    for language in clinic.instructions:
        if language not in languages:
            what = f'there are no messages in "{language}"; {nearest(language, languages)}'
            yield file.problem(("instructions", language), what, key=True)


def unheard_problems(content: ContentDir) -> Iterator[Problem]:
    """Warnings at messages in a language that has no file of words: nobody ever gets them."""
    languages = content.languages()
    for files in content.messages().values():
        for language in files.keys() - set(languages):
            what = (
                f'nobody gets this: there are no words in "{language}"; '
                f"write messages/_language/{language}.yaml"
            )
            yield Problem(shown(files[language]), 1, 1, what, Severity.WARNING)


def crisis_problems(
    lines: CrisisLines, file: YamlFile, country: str, languages: Iterable[str]
) -> Iterator[Problem]:
    """Languages without a sentence on the emergency and crisis lines of a country."""
    for language in languages:
        for channel, sentences in _sentences(lines):
            if language not in sentences:
                what = f'no sentence in "{language}" on the crisis lines of {country}; add it'
                yield file.problem((country, channel), what, key=True)


def _sentences(lines: CrisisLines) -> tuple[tuple[str, dict[str, str]], ...]:
    return ("sms", lines.sms), ("email", lines.email), ("answers", lines.answers)


def title_problems(words: Language, file: YamlFile) -> Iterator[Problem]:
    """Titles of calendar files that say too much: others see a calendar."""
    for field in ("title", "cancelled_title"):
        for found in beginnings(getattr(words.calendar, field), words.not_discreet):
            what = f'"{found.word}" is not discreet: others see a calendar; say it in another way'
            yield file.problem(("calendar", field), what, offset=found.column - 1)


def crowding_problems(schedule: Schedule, file: YamlFile) -> Iterator[Problem]:
    """Warnings where a patient booked well ahead gets many texts in a day or in a week."""
    times = text_times(schedule)
    for limit, span, said in ((A_DAY, 1, "day"), (A_WEEK, 7, "week")):
        for at, step in times:
            first = at.date() - timedelta(days=span - 1)
            near = [other.name for then, other in times if first <= then.date() and then <= at]
            if len(near) > limit:
                what = f"{len(near)} texts in a {said} ({', '.join(near)}); aim at {limit} at most"
                yield file.problem(
                    step_loc(schedule, step, "when"), what, severity=Severity.WARNING
                )
