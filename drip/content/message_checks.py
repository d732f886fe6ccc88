"""What `drip check` looks at in one message in one language."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

from drip.content.language_file import Language
from drip.content.markdown import Document, one_line
from drip.content.messages import Message
from drip.content.problems import BrokenContent, Problem, Severity, nearest
from drip.content.readability import Reading, Scale, read
from drip.content.render import Renderer
from drip.content.values import Facts
from drip.content.variables import FIELDS, INSTRUCTIONS, Use, name_problems, uses
from drip.content.wording import beginnings, phrases
from drip.core.sms import Parts, limit_of
from drip.errors import ContentError

_DISCREET = ("subject", "sms")
_TEXTS = ("sms", "sms_plain")
_ROUTES = ("", "iv", "im", "nasal", "oral")


def message_problems(message: Message, words: Language) -> Iterator[Problem]:
    """What can be seen in a message without sending it to anybody."""
    yield from _source_problems(message)
    for field in FIELDS:
        text = message.text_of(field)
        if text is not None:
            yield from name_problems(message, field)
            yield from _arrival_problems(message, field)
            yield from _word_problems(message, field, text, words)


def sent_problems(renderer: Renderer, message: Message, facts: Facts) -> Iterator[Problem]:
    """What goes wrong when a message is made: with each route, with and without replies, and
    with and without the link to its page.
    """
    used = {use.part or use.name for field in FIELDS for use in _uses(message, field)}
    addresses = (facts.page_url, None) if "page" in used else (None,)
    heard = (True, False) if "invite" in used else (False,)
    for route, hears, page_url in product(_routes(message), heard, addresses):
        clinic = replace(facts.clinic, hears_replies=hears)
        someone = replace(facts, route=route, clinic=clinic, page_url=page_url)
        yield from _made(renderer, message, someone)
    try:
        renderer.email(message.name, facts)
    except ContentError as error:
        yield from _told(message, "body", error)


def instruction_problems(message: Message, facts: Facts, words: Language) -> Iterator[Problem]:
    """Instructions that a message needs and that neither the clinic nor the language says."""
    there = {*words.instructions, *facts.clinic.instructions.get(message.language, {})}
    for field in FIELDS:
        for use in dict.fromkeys(_uses(message, field)):
            if use.name == "clinic" and use.part in INSTRUCTIONS - there:
                what = (
                    f'nobody says "{use.part}" in "{message.language}": add it to the clinic\'s '
                    f"instructions, or to messages/_language/{message.language}.yaml"
                )
                yield message.problem(field, use.line, use.column, what)


def part_problems(message: Message, field: str, real: Parts, long: Parts) -> Iterator[Problem]:
    """What a text costs, with the values of an ordinary patient and at worst."""
    limit = limit_of(real)
    if real.count > limit:
        what = f"this text takes {real.count} parts{_why(real)}; at most {limit}: shorten it"
        yield message.problem(field, 1, 1, what)
    elif long.count > limit_of(long):
        what = (
            f"with long names, dates and times this text takes {long.count} parts{_why(long)}; "
            f"at most {limit_of(long)}: shorten it"
        )
        yield message.problem(field, 1, 1, what, Severity.WARNING)
    elif real.outside:
        what = f"this text takes {real.count} parts{_why(real)}; without them it would be cheaper"
        yield message.problem(field, 1, 1, what, Severity.WARNING)


def link_problems(
    renderer: Renderer, message: Message, field: str, facts: Facts
) -> Iterator[Problem]:
    """Whether a text has room for the link to its page, which it would go without."""
    linked = next((use for use in _uses(message, field) if use.name == "links"), None)
    if linked is not None and (facts.page_url or "") not in renderer.sms(message.name, facts).body:
        what = (
            "this text has no room for the link to its page and goes without it: shorten the "
            "text, or the address in DRIP_PUBLIC_URL"
        )
        yield message.problem(field, linked.line, linked.column, what, Severity.WARNING)


def reading_problems(message: Message, field: str, found: Reading | None) -> Iterator[Problem]:
    """Whether everybody can read the email, or the section of it that is `in_short`."""
    if found is not None and found.is_hard:
        severity = Severity.ERROR if found.is_too_hard else Severity.WARNING
        grade = found.scale is Scale.GRADE
        what = (
            f"this reads like {'US school ' if grade else ''}{found.scale} {found.value}; "
            f"aim at {found.aim}, never {'above' if grade else 'below'} {found.limit}: "
            "use shorter sentences and words"
        )
        yield message.problem(field, 1, 1, what, severity)


def reading_of(renderer: Renderer, message: Message, field: str, facts: Facts) -> Reading | None:
    """How hard the body of an email, or its `in_short`, is to read: by the hardest route."""
    not_counted = renderer.language(message.language).not_counted
    found = [
        read(_prose(renderer, message, field, someone), message.language, not_counted)
        for someone in (replace(facts, route=route) for route in _routes(message))
    ]
    return max((each for each in found if each), key=lambda each: each.hardness, default=None)


def _prose(renderer: Renderer, message: Message, field: str, facts: Facts) -> str:
    if field == "in_short":
        return Document(renderer.in_short(message, facts).text).prose()
    return renderer.document(message.name, facts).prose()


def _why(parts: Parts) -> str:
    said = " ".join(f'"{c}"' for c in parts.outside)
    return f" because of {said}, which make it UCS-2" if said else ""


def _made(renderer: Renderer, message: Message, facts: Facts) -> Iterator[Problem]:
    for field in _TEXTS:
        if message.text_of(field) is not None:
            someone = replace(facts, plain_wording=field == "sms_plain")
            try:
                text = renderer.sms(message.name, someone).body
            except ContentError as error:
                yield from _told(message, field, error)
            else:
                yield from _leaks(renderer, message, field, text, someone)
    try:
        subject = renderer.subject(message.name, facts)
        yield from _leaks(renderer, message, "subject", subject, facts)
        renderer.document(message.name, facts)
        if message.front.in_short is not None:
            renderer.in_short(message, facts)
    except ContentError as error:
        yield from _told(message, "body", error)


def _routes(message: Message) -> tuple[str, ...]:
    """The routes that a message tells apart."""
    used = any(use.part == "route" for field in FIELDS for use in _uses(message, field))
    return _ROUTES if used else ("",)


def _leaks(
    renderer: Renderer, message: Message, field: str, text: str, facts: Facts
) -> Iterator[Problem]:
    """Words in a text that came with a value: the template itself is looked at elsewhere."""
    if field not in _DISCREET:
        return
    words = renderer.language(message.language)
    own = {found.word for found in beginnings(message.text_of(field) or "", words.not_discreet)}
    text = text.replace(one_line(renderer.crisis_sms(facts)), "")
    for found in beginnings(text, words.not_discreet):
        if found.word not in own and found.word not in facts.clinic.public_name:
            what = f'a value puts "{found.word}" in here, which is not discreet; reword the value'
            yield message.problem(field, 1, 1, what)


def _told(message: Message, field: str, error: ContentError) -> Iterator[Problem]:
    if isinstance(error, BrokenContent):
        yield from error.problems
    else:
        yield message.problem(field, 1, 1, str(error))


def _uses(message: Message, field: str) -> Iterator[Use]:
    try:
        yield from uses(message, field)
    except BrokenContent:
        return  # said already by name_problems


def _word_problems(message: Message, field: str, text: str, words: Language) -> Iterator[Problem]:
    if field in _DISCREET:
        for found in beginnings(text, words.not_discreet):
            what = f'"{found.word}" is not discreet: others may see this; say it in another way'
            yield message.problem(field, found.line, found.column, what)
    for found in phrases(text, words.relative_words):
        what = f'"{found.word}" may be wrong when this is read; use {{{{ session.when }}}}'
        yield message.problem(field, found.line, found.column, what)
    if field in _TEXTS:
        for use in _uses(message, field):
            if use.name == "patient":
                what = "no patient's name goes into a text: a lock screen is public; leave it out"
                yield message.problem(field, use.line, use.column, what)


def _arrival_problems(message: Message, field: str) -> Iterator[Problem]:
    used = {(use.name, use.part): use for use in _uses(message, field)}
    said = {part for name, part in used if name == "session"}
    if said & {"time", "at"}:
        return
    for part in sorted(said & {"arrive_time", "arrive_at"}):
        use = used["session", part]
        what = f"session.{part} names no zone; say {{{{ session.at }}}} beside it, which does"
        yield message.problem(field, use.line, use.column, what)


def _source_problems(message: Message) -> Iterator[Problem]:
    for place, heading in enumerate(message.front.sources):
        if heading not in headings():
            what = f'the article has no heading "{heading}"; {nearest(heading, headings())}'
            yield message.file.problem(("sources", place), what.partition(" Known:")[0])


@cache
def headings() -> frozenset[str]:
    """The headings of the article that the messages draw on."""
    path = Path(__file__).with_name("article_headings.txt")
    return frozenset(path.read_text(encoding="utf-8").splitlines())
