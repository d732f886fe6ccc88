"""The layout round every email: public name above; phone, address and how to stop below."""

from functools import cached_property
from typing import NamedTuple

from css_inline import CSSInliner
from jinja2 import Environment, StrictUndefined, Template, TemplateError, nodes
from markupsafe import Markup

from drip.content.forms import BODY, STAND_IN, Form, cut, held_together, only_prints
from drip.content.language_file import Language
from drip.content.markdown import Document, one_line
from drip.content.problems import shown
from drip.content.sources import ContentDir
from drip.content.words import clinic_blanks, direction, fill
from drip.content.yamlfile import read_text
from drip.core.clinic import Clinic
from drip.errors import ContentError

_HTML, _TEXT = "email.html.jinja", "email.txt.jinja"


class Frame(NamedTuple):
    """What the layout says around the body of an email.

    `preheader` is what a list of mails or a lock screen shows beside the subject: it is discreet
    and stands there in place of the first words of the body. `start` is the side where lines
    begin. `stop_link` and `stop_url` are blank where there is no link; so are `preferences_link`
    and `preferences_url`, which lead to the page where a patient chooses what to get.
    """

    language: str
    direction: str
    start: str
    subject: str
    preheader: str
    public_name: str
    phone: str
    phone_link: str
    address: str
    contact: str
    why: str
    stop: str
    stop_link: str
    stop_url: str
    preferences_link: str
    preferences_url: str


def frame_of(
    words: Language,
    clinic: Clinic,
    subject: str,
    stop_url: str | None,
    preferences_url: str | None,
) -> Frame:
    """Say the layout's sentences for a clinic in a language."""
    blanks = {name: one_line(value) for name, value in clinic_blanks(clinic).items()}
    written = direction(words.language)
    return Frame(
        language=words.language,
        direction=written,
        start="right" if written == "rtl" else "left",
        subject=subject,
        preheader=f"{blanks['clinic.public_name']}, {blanks['clinic.phone']}",
        public_name=blanks["clinic.public_name"],
        phone=blanks["clinic.phone"],
        phone_link=clinic.phone,
        address=blanks["clinic.address"],
        contact=fill(words.footer.contact, blanks),
        why=fill(words.footer.why, blanks),
        stop=fill(words.footer.stop_email, blanks),
        stop_link=(words.footer.stop_link or "") if stop_url else "",
        stop_url=stop_url or "",
        preferences_link=(words.footer.preferences_link or "") if preferences_url else "",
        preferences_url=preferences_url or "",
    )


class Layout:
    """The two layouts, each read and compiled once, when it is first needed."""

    def __init__(self, content: ContentDir) -> None:
        self._content = content
        self._inliner = CSSInliner(load_remote_stylesheets=False)

    def html(self, frame: Frame, document: Document) -> str:
        """The HTML part of an email, with its rules written into the elements."""
        return self._page(frame, held_together(document.html()))

    def text(self, frame: Frame, document: Document) -> str:
        """The plain-text part of an email."""
        return self._text.render(frame=frame, body=document.text())

    def form(self, frame: Frame, markdown: str) -> Form | None:
        """The email of a Markdown text with stand-ins; None where they cannot stand in it."""
        document = Document(markdown)
        if not self._takes_stand_ins:
            return None
        if document.among_words(STAND_IN) != len(STAND_IN.findall(markdown)):
            return None
        parts = self._page(frame, BODY + document.html() + BODY).split(BODY)
        if len(parts) != 3:
            return None
        head, body, foot = map(cut, parts)
        return Form(head, body, foot, cut(self.text(frame, document)))

    @cached_property
    def _takes_stand_ins(self) -> bool:
        """Whether both layouts only print what has a stand-in, whatever it says."""
        sources = (read_text(self._content.layout(file)) for file in (_HTML, _TEXT))
        return all(_only_prints_them(Environment(autoescape=True).parse(each)) for each in sources)

    def _page(self, frame: Frame, body: str) -> str:
        # Document lets no HTML through, and all else is escaped: what is marked here is ours.
        number = Markup.escape(frame.phone)
        link = f'<a class="call" href="tel:{Markup.escape(frame.phone_link)}">{number}</a>'
        page = self._html.render(
            frame=frame,
            body=Markup(body),  # noqa: S704
            phones=lambda text: Markup(Markup.escape(text).replace(number, Markup(link))),  # noqa: S704
        )
        return self._inliner.inline(page)

    @cached_property
    def _html(self) -> Template:
        return self._load(_HTML, escape=True)

    @cached_property
    def _text(self) -> Template:
        return self._load(_TEXT, escape=False)

    def _load(self, file: str, *, escape: bool) -> Template:
        path = self._content.layout(file)
        environment = Environment(
            autoescape=escape,  # noqa: S701  the text part is not HTML
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )
        try:
            return environment.from_string(read_text(path))
        except TemplateError as error:
            line = getattr(error, "lineno", 1)
            raise ContentError(
                f"{shown(path)}:{line}:1: this is not a template: {error.message}"
            ) from None


_LINKS = frozenset({"stop_url", "preferences_url"})


def _only_prints_them(tree: nodes.Template) -> bool:
    printed = [each for output in tree.find_all(nodes.Output) for each in output.nodes]
    printed += [each.args[0] for each in printed if isinstance(each, nodes.Call) and each.args]
    parts = list(tree.find_all(nodes.Getattr))
    words = [
        *(each for each in parts if each.attr == "subject"),
        *(each for each in tree.find_all(nodes.Name) if each.name == "body"),
    ]
    links = [each for each in parts if each.attr in _LINKS]
    # Whether there is a link is the same for the link and its stand-in.
    asked = [each.test for each in tree.find_all(nodes.If)]
    whole = [each for each in tree.find_all(nodes.Name) if each.name == "frame"]
    return (
        only_prints(tree)
        and all(any(each is one for one in printed) for each in words)
        and all(any(each is one for one in printed + asked) for each in links)
        and all(any(each is part.node for part in parts) for each in whole)
    )
