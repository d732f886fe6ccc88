"""Jinja2, closed in: values can never become markup, lines or code, and nothing stays blank."""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from drip.content.forms import StandIn, only_prints, printed
from drip.content.markdown import escaped, one_line
from drip.content.messages import Message
from drip.content.problems import BrokenContent
from drip.content.words import SessionWords


class Trusted(str):
    """Markdown of our own files, put into a body as it is. Whatever is made from it is not."""

    __slots__ = ()


class UnprintableError(TemplateError):
    """A value that would print nothing, or no word, where the message needs one."""


def _printed(safe: Callable[[str], str]) -> Callable[[Any], Any]:
    def finalize(value: Any) -> Any:
        if isinstance(value, (Trusted, StrictUndefined)):
            return value
        if isinstance(value, StandIn):
            return printed(value)
        if not isinstance(value, str | int):
            raise UnprintableError("what stands here is not a word")
        text = safe(str(value))
        if not text:
            raise UnprintableError("a value here is blank; a message is never sent with a hole")
        return text

    return finalize


_OPEN = frozenset({SimpleNamespace, SessionWords})
"""What holds the values of messages, with nothing in it to be kept from them."""


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox without `*`: "x" times a billion would fill the memory."""

    intercepted_binops = frozenset(["*", "**"])

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The names that messages use, quickly; all else as the sandbox sees it."""
        if type(obj) in _OPEN and attribute[0] != "_" and hasattr(obj, attribute):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        raise TemplateError(f"a message does not count: {operator} is not allowed")


def _environment(safe: Callable[[str], str]) -> ImmutableSandboxedEnvironment:
    environment = _Environment(
        undefined=StrictUndefined,
        finalize=_printed(safe),
        autoescape=False,  # the values are escaped for Markdown, by finalize
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.clear()
    return environment


_LINE = _environment(one_line)
_MARKDOWN = _environment(escaped)
MARKDOWN_FIELDS = frozenset({"body", "in_short"})
"""The fields that are Markdown; the others are plain lines."""

_BLANK = re.compile(r"\{\{ *([a-z]\w*)\.([a-z]\w*) *\}\}", re.ASCII)
_CODE = re.compile(r"\{[{%#]|[}%#]\}")
_UNDEFINED = re.compile(r"'[^']*' has no attribute '(\w+)'|'(\w+)' is undefined")


class MessageTemplate:
    """One field of a message (or "body"), ready to be filled in.

    Raises BrokenContent where it is not a template.
    """

    def __init__(self, message: Message, field: str) -> None:
        self._message, self._field = message, field
        self._source = message.text_of(field) or ""
        self._environment = _MARKDOWN if field in MARKDOWN_FIELDS else _LINE
        # Most templates hold blanks and no code, and are filled without compiling them, which
        # takes longer than all else that is done to a message.
        self._pieces = _BLANK.split(self._source)
        if any(_CODE.search(text) for text in self._pieces[::3]):
            _ = self._compiled

    def render(self, values: Mapping[str, Any]) -> str:
        """Fill in the values. Raises BrokenContent with file and line where it cannot be done."""
        try:
            text = self._rendered(values)
        except Exception as error:  # noqa: BLE001  a template may fail in any way; all are its fault
            raise self._broken(_line_of(error), _said(error), _name_in(error)) from None
        if not text.strip():
            raise self._broken(1, "this comes out empty; a message is never sent without words")
        return text

    @cached_property
    def only_prints(self) -> bool:
        """Whether it never keeps, changes or looks at what it has printed."""
        return "_compiled" not in self.__dict__ or only_prints(parsed(self._source))

    def _rendered(self, values: Mapping[str, Any]) -> str:
        if "_compiled" not in self.__dict__:
            try:
                return self._filled(values)
            except (KeyError, AttributeError, TemplateError):
                pass  # Jinja fails in the same way, and knows the line.
        return self._compiled.render(values)

    def _filled(self, values: Mapping[str, Any]) -> str:
        printed, parts = self._environment.finalize, list(self._pieces)
        assert printed is not None
        for i in range(1, len(parts), 3):
            # No name here begins with an underscore, and only a word or a number is printed.
            value = getattr(values[parts[i]], parts[i + 1])
            parts[i], parts[i + 1] = str(printed(value)), ""
        return "".join(parts)

    @cached_property
    def _compiled(self) -> Template:
        try:
            return self._environment.from_string(self._source)
        except TemplateSyntaxError as error:
            what = f"this is not a template: {error.message}"
            raise self._broken(error.lineno, what) from None

    def _broken(self, line: int, what: str, name: str = "") -> BrokenContent:
        lines = self._source.split("\n")
        text = lines[line - 1] if 0 < line <= len(lines) else ""
        found = re.search(rf"\b{re.escape(name)}\b", text) if name else re.search(r"\{[{%]", text)
        column = found.start() + 1 if found else 1
        return BrokenContent([self._message.problem(self._field, line, column, what)])


def parsed(source: str) -> nodes.Template:
    """Take a template apart. Raises TemplateSyntaxError where it is not one."""
    return _LINE.parse(source)


def _line_of(error: BaseException) -> int:
    """The line of the template that was at work, from 1."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _name_in(error: BaseException) -> str:
    found = _UNDEFINED.search(str(error))
    return (found[1] or found[2]) if found else ""


def _said(error: BaseException) -> str:
    name = _name_in(error)
    if name:
        return f'nothing is called "{name}" here; run `drip check` for the names that there are'
    return f"this template does not work: {error}"
