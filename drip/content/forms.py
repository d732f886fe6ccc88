"""What is the same in many emails is made once.

To parse Markdown and to write the rules of the layout into the elements takes milliseconds, and
from patient to patient only a first name, a few words about the session and the links in the
footer differ. So these are printed as stand-ins: single characters that mean nothing in Markdown
or HTML and stand in no value. What comes out is a form. It is kept by the Markdown with the
stand-ins and by the layout's words, and for each patient only the values are put in.

Only a plain value has a stand-in: letters, a few digits and signs that Markdown and HTML leave
alone. Any other value, such as `*Ana* <b>`, is printed escaped, as it would be without forms. A
message or layout that might look at what it has printed has no form; and a form is only kept if it
gives, to the byte, the email that is made from the beginning.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self

from jinja2 import nodes

from drip.content.markdown import escaped, one_line

FIRST_NAME, SESSION, SUBJECT, BODY = "\ufdd0", "\ufdd1", "\ufddd", "\ufdde"
PAGE_URL, STOP_URL, PREFERENCES_URL = "\ufdda", "\ufddb", "\ufddc"
"""Stand-ins; that of the n-th word about a session is n further on. BODY stands round the body."""
STAND_IN = re.compile("([\ufdd0-\ufddd])")

_PLAIN = re.compile(
    # Begins and ends with a letter or a digit, as a stand-in does in the eyes of Markdown.
    r"([^\W_](?:[^\W_]|[ ',.:’\u0300-\u036f-])*(?<![ ',.:’-]))([',.:’-]*)"
)
_ADDRESS = re.compile(r"https?://[\w./:-]+", re.ASCII)
"""An address that Markdown and HTML write as it is."""
_DIGITS = 4
"""A value with more might hold a phone number, which the layout makes a link."""
_TIME = re.compile(r" (?<=\d )(?:[AP]M\b|[ap]\. m\.)")
_CHANGED_IN_HTML = re.compile("[&<>\"']")
_KEPT = 1000
_SEEN = 10_000


class StandIn(str):
    """A value that is itself in conditions and filters, and its stand-in where it is printed."""

    # Underscored, so that no template gets at them.
    _mark: str
    _core: str
    _shown: str

    @classmethod
    @lru_cache(maxsize=4096)
    def of(cls, mark: str, value: str) -> str:
        """The value with a stand-in; the value alone where it is not plain."""
        found = _PLAIN.fullmatch(one_line(value))
        if found is None or not _harmless(found[1]):
            return value
        return cls._made(value, mark, found[1], found[2])

    @classmethod
    def of_link(cls, mark: str, url: str | None) -> str | None:
        """The address of a link with a stand-in; the address alone where it is not plain."""
        return url if url is None or not _ADDRESS.fullmatch(url) else cls._made(url, mark, url, "")

    @classmethod
    def _made(cls, value: str, mark: str, core: str, end: str) -> Self:
        made = cls(value)
        made._mark, made._core, made._shown = mark, core, mark + escaped(end)
        return made


def _harmless(core: str) -> bool:
    """Whether these words cannot be the number of a list or a phone number."""
    return sum(map(str.isdigit, core)) <= _DIGITS and not core.isdigit()


def printed(value: StandIn) -> str:
    """What is printed for a value: its stand-in, and the signs at its end."""
    return value._shown  # noqa: SLF001


def to_put_in(values: Mapping[str, Any]) -> dict[str, str]:
    """What is to be put in for each stand-in among the values of a template."""
    found = (values["patient"].first_name, values["links"].page, *values["session"])
    return {each._mark: each._core for each in found if isinstance(each, StandIn)}  # noqa: SLF001


def plain_in_html(text: str) -> bool:
    """Whether HTML writes this text as it is."""
    return not _CHANGED_IN_HTML.search(text)


def only_prints(tree: nodes.Template) -> bool:
    """Whether a template never keeps, changes or looks at what it has printed."""
    return all(
        isinstance(each, nodes.Output | nodes.If)
        or (isinstance(each, nodes.For) and not each.recursive)
        for each in tree.find_all(nodes.Stmt)
    )


def held_together(html: str) -> str:
    """The body with its hours held together, as in 9:00 AM: no line may break there."""
    return _TIME.sub(lambda time: time[0].replace(" ", "&nbsp;"), html)


class Form(NamedTuple):
    """The HTML (before the body, the body, after it) and the text, each cut at its stand-ins."""

    head: list[str]
    body: list[str]
    foot: list[str]
    text: list[str]

    def fill(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Put in the values; gives the HTML and the text."""
        head, body, foot, text = (_filled(pieces, values) for pieces in self)
        return head + held_together(body) + foot, text


def cut(text: str) -> list[str]:
    """A text with stand-ins as it stands in a form."""
    return STAND_IN.split(text)


def _filled(pieces: list[str], values: Mapping[str, str]) -> str:
    if len(pieces) == 1:
        return pieces[0]
    parts = pieces.copy()
    # A mark without a value stands in a file; the email differs, and the form is not kept.
    parts[1::2] = [values.get(mark, "") for mark in parts[1::2]]
    return "".join(parts)


class Forms:
    """The forms that were of use lately. One is made when it is wanted for the second time."""

    def __init__(self) -> None:
        self._forms: dict[Hashable, Form | None] = {}
        self._seen: set[int] = set()

    def get(self, key: Hashable, make: Callable[[], Form | None]) -> Form | None:
        """The form, or None where there is none, or not yet."""
        if key in self._forms:
            return self._forms[key]
        if hash(key) not in self._seen:
            if len(self._seen) >= _SEEN:
                self._seen.clear()
            self._seen.add(hash(key))
            return None
        if len(self._forms) >= _KEPT:
            self._forms.clear()
        form = self._forms[key] = make()
        return form
