"""A message and the facts of one patient, made into the text or email that goes out."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from drip.content.forms import (
    FIRST_NAME,
    PAGE_URL,
    PREFERENCES_URL,
    SESSION,
    STOP_URL,
    SUBJECT,
    Form,
    Forms,
    StandIn,
    plain_in_html,
    to_put_in,
)
from drip.content.language_file import (
    CrisisLines,
    Language,
    crisis_words,
    load_crisis_lines,
    load_language,
)
from drip.content.layout import Frame, Layout, frame_of
from drip.content.markdown import Document, one_line
from drip.content.messages import Message, load_message
from drip.content.sources import ContentDir
from drip.content.templates import MessageTemplate, Trusted
from drip.content.values import Facts, Values
from drip.content.words import SessionWords, clinic_blanks, fill
from drip.core.outgoing import CalendarFile, EmailContent, SmsContent
from drip.core.sms import limit_of, measure, plain_twins

_CLINICS_KEPT = 1000


class Renderer:
    """Makes texts and emails. Reads each file once and keeps it: make a new one to see changes.

    Every method raises ContentError, with file and line, where a message cannot be made.
    """

    def __init__(self, content: ContentDir) -> None:
        self._content = content
        self._messages: dict[tuple[str, str], Message] = {}
        self._templates: dict[tuple[str, str, str], MessageTemplate] = {}
        self._languages: dict[str, Language] = {}
        self._crisis: dict[str, CrisisLines] = {}
        # By the id of the clinic, which its values keep: nothing else gets that id meanwhile.
        self._values: dict[tuple[int, str], Values] = {}
        self._layout = Layout(content)
        self._forms = Forms()

    def sms(self, name: str, facts: Facts, *, test: bool = False) -> SmsContent:
        """Make the text of a message, in the wording that the patient chose.

        It goes without the link to its page where that would take it over its limit of parts.
        """
        message = self.message(name, facts.language)
        plain = facts.plain_wording and message.front.sms_plain is not None
        text = self._rendered(
            message, "sms_plain" if plain else "sms", self._values_of(facts).of_line(facts)
        )
        body = plain_twins(one_line(self._marked(text, facts, test=test)))
        if facts.page_url is not None and facts.page_url in body:
            parts = measure(body)
            if parts.count > limit_of(parts):
                return self.sms(name, replace(facts, page_url=None), test=test)
        return SmsContent(body)

    def email(self, name: str, facts: Facts, *, test: bool = False) -> EmailContent:
        """Make the email of a message, with the calendar file if it carries one."""
        message = self.message(name, facts.language)
        subject = self.subject(name, facts, test=test)
        html, text = self._parts(message, facts, subject)
        return EmailContent(
            subject=subject,
            html=html,
            text=text,
            from_name=facts.clinic.public_name,
            reply_to=facts.clinic.email,
            calendar=self._calendar(message, facts),
            unsubscribe_url=facts.unsubscribe_url,
        )

    def subject(self, name: str, facts: Facts, *, test: bool = False) -> str:
        """Make the subject of the email alone."""
        message = self.message(name, facts.language)
        text = self._rendered(message, "subject", self._values_of(facts).of_line(facts))
        return one_line(self._marked(text, facts, test=test))

    def email_text(self, name: str, facts: Facts) -> str:
        """Make the plain-text part of the email alone, which is quicker than the whole."""
        words = self.language(facts.language)
        frame = _frame(words, facts, "")
        return self._layout.text(frame, self.document(name, facts))

    def message(self, name: str, language: str) -> Message:
        """The message itself, as it is in its file."""
        key = (name, language)
        if key not in self._messages:
            self._messages[key] = load_message(self._content, name, language)
        return self._messages[key]

    def language(self, language: str) -> Language:
        """The words of a language."""
        if language not in self._languages:
            self._languages[language] = load_language(self._content, language)
        return self._languages[language]

    def document(self, name: str, facts: Facts) -> Document:
        """Make the body of the email alone, without the layout."""
        message = self.message(name, facts.language)
        return Document(self._body(message, facts, self._values_of(facts).of_body(facts)))

    def in_short(self, message: Message, facts: Facts) -> SimpleNamespace:
        """Make the section that a short-notice welcome carries: its title and its text."""
        title = self._rendered(message, "title", self._values_of(facts).of_line(facts))
        text = self._rendered(message, "in_short", self._values_of(facts).of_body(facts))
        return SimpleNamespace(title=title, text=Trusted(text))

    def crisis_sms(self, facts: Facts) -> str:
        """The sentence with the emergency and crisis lines, for a text."""
        return crisis_words(self._crisis_lines(facts.clinic.country), facts.language, "sms")

    def _parts(self, message: Message, facts: Facts, subject: str) -> tuple[str, str]:
        """The HTML and the text of an email, from its form (forms.py) where it has one."""
        frame = _frame(self.language(facts.language), facts, subject)
        if not self._template(message, "body").only_prints:
            return self._made(message, facts, frame)
        values = _with_stand_ins(self._values_of(facts).of_body(facts))
        source, own = self._body(message, facts, values), _own_words(frame)
        said = {**to_put_in(values), **dict(own.values())}
        around = frame._replace(**{name: mark for name, (mark, _) in own.items()})

        def make() -> Form | None:
            form = self._layout.form(around, source)
            # What a file holds that looks like a stand-in shows here.
            sound = form is not None and form.fill(said) == self._made(message, facts, frame)
            return form if sound else None

        form = self._forms.get((source, around), make)
        return self._made(message, facts, frame) if form is None else form.fill(said)

    def _made(self, message: Message, facts: Facts, frame: Frame) -> tuple[str, str]:
        document = self.document(message.name, facts)
        return self._layout.html(frame, document), self._layout.text(frame, document)

    def _body(self, message: Message, facts: Facts, values: dict[str, Any]) -> str:
        if "catch_up" in message.body:
            skipped = (self.message(each, facts.language) for each in facts.skipped)
            short = [self.in_short(m, facts) for m in skipped if m.front.in_short is not None]
            values["catch_up"] = short
        return self._rendered(message, "body", values)

    def _template(self, message: Message, field: str) -> MessageTemplate:
        key = (message.name, message.language, field)
        if key not in self._templates:
            self._templates[key] = MessageTemplate(message, field)
        return self._templates[key]

    def _rendered(self, message: Message, field: str, values: Mapping[str, Any]) -> str:
        return self._template(message, field).render(values)

    def _marked(self, text: str, facts: Facts, *, test: bool) -> str:
        return f"{self.language(facts.language).test_mark}: {text}" if test else text

    def _crisis_lines(self, country: str) -> CrisisLines:
        if country not in self._crisis:
            self._crisis[country] = load_crisis_lines(self._content, country)
        return self._crisis[country]

    def _values_of(self, facts: Facts) -> Values:
        clinic, language = facts.clinic, facts.language
        key = id(clinic), language
        if key not in self._values:
            if len(self._values) >= _CLINICS_KEPT:
                self._values.clear()
            lines = partial(self._crisis_lines, clinic.country)
            self._values[key] = Values(clinic, self.language(language), lines)
        return self._values[key]

    def _calendar(self, message: Message, facts: Facts) -> CalendarFile | None:
        if message.front.calendar is None:
            return None
        from drip.content.calendar import Visit, visit_file

        words, clinic = self.language(facts.language), facts.clinic
        blanks = clinic_blanks(clinic)
        cancelled = message.front.calendar == "cancel"
        title = words.calendar.cancelled_title if cancelled else words.calendar.title
        return visit_file(
            Visit(
                clinic=clinic,
                enrollment=facts.enrollment,
                sequence=facts.sequence,
                session_at=facts.session_at,
                title=fill(title, blanks),
                description=fill(words.calendar.description, blanks),
                language=facts.language,
                cancelled=cancelled,
            ),
            facts.now,
        )


def _frame(words: Language, facts: Facts, subject: str) -> Frame:
    return frame_of(words, facts.clinic, subject, facts.unsubscribe_url, facts.preferences_url)


_OWN = {"subject": SUBJECT, "stop_url": STOP_URL, "preferences_url": PREFERENCES_URL}
"""What differs from patient to patient in the layout."""


def _own_words(frame: Frame) -> dict[str, tuple[str, str]]:
    """What of the layout is a patient's own and has a stand-in: that, and the word itself."""
    found = ((name, mark, getattr(frame, name)) for name, mark in _OWN.items())
    return {name: (mark, word) for name, mark, word in found if word and plain_in_html(word)}


def _with_stand_ins(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a body, with stand-ins for those that differ from patient to patient."""
    session: SessionWords = values["session"]
    words = [StandIn.of(chr(ord(SESSION) + i), word) for i, word in enumerate(session)]
    name = StandIn.of(FIRST_NAME, values["patient"].first_name)
    return {
        **values,
        "patient": SimpleNamespace(first_name=name),
        "links": SimpleNamespace(page=StandIn.of_link(PAGE_URL, values["links"].page)),
        "session": SessionWords(*words)._replace(route=session.route),
    }
