"""The names that a message may use, and a look at those that it does use."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, get_args

from jinja2 import TemplateSyntaxError, nodes

from drip.content.language_file import Instruction
from drip.content.messages import Message
from drip.content.problems import BrokenContent, Problem, nearest
from drip.content.templates import MARKDOWN_FIELDS, MessageTemplate, parsed
from drip.content.words import SessionWords

INSTRUCTIONS: frozenset[str] = frozenset(get_args(Instruction))

FIELDS = ("subject", "sms", "sms_plain", "title", "in_short", "body")
"""Every field of a message that is a template."""

_OF_ALL = {
    "patient": frozenset({"first_name"}),
    "clinic": INSTRUCTIONS | {"public_name", "phone", "email", "address"},
    "session": frozenset(SessionWords._fields),
}
_LINKED = frozenset({"sms", "sms_plain", "body"})
_PLAIN = frozenset({"invite"})


class Use(NamedTuple):
    """One name that a template uses: `name`, or `name.part`; `line` and `column` from 1."""

    name: str
    part: str
    line: int
    column: int


def variables(field: str) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """The names with parts and the names without any that a field may use."""
    crisis = frozenset({"email" if field in MARKDOWN_FIELDS else "sms"})
    plain = _PLAIN | {"by_email", "catch_up"} if field == "body" else _PLAIN
    links = {"links": frozenset({"page"})} if field in _LINKED else {}
    return {**_OF_ALL, **links, "crisis": crisis}, plain


def uses(message: Message, field: str) -> tuple[Use, ...]:
    """The names that a field uses. Raises BrokenContent where the field is not a template."""
    try:
        return _used(message.text_of(field) or "")
    except TemplateSyntaxError:
        MessageTemplate(message, field)  # says what is wrong, and where
        raise


@lru_cache(maxsize=1024)
def _used(source: str) -> tuple[Use, ...]:
    tree = parsed(source)
    lines = source.split("\n")
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    whole = [
        _use(node.node.name, node.attr, node.lineno, lines)
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name)
    ]
    with_part = {use.name for use in whole}
    alone = [
        _use(node.name, "", node.lineno, lines)
        for node in tree.find_all(nodes.Name)
        if node.name not in with_part
    ]
    return tuple(use for use in (*whole, *alone) if use.name not in own)


def name_problems(message: Message, field: str) -> Iterator[Problem]:
    """Names that a field uses and that nothing is called, even where no patient would meet them."""
    with_parts, plain = variables(field)
    try:
        found = uses(message, field)
    except BrokenContent as error:
        yield from error.problems
        return
    for use in dict.fromkeys(found):
        what = _wrong(use, with_parts, plain)
        if what:
            yield message.problem(field, use.line, use.column, what)


def _wrong(use: Use, with_parts: dict[str, frozenset[str]], plain: frozenset[str]) -> str:
    said = f"{use.name}.{use.part}" if use.part else use.name
    if use.name in with_parts:
        known = {f"{use.name}.{part}" for part in with_parts[use.name]}
        right = use.part in with_parts[use.name]
    else:
        known = {f"{name}.{part}" for name, parts in with_parts.items() for part in parts} | plain
        right = use.name in plain
    return "" if right else f'nothing is called "{said}" here; {nearest(said, known)}'


def _use(name: str, part: str, line: int, lines: list[str]) -> Use:
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    dotted = rf"\b{name}\s*\.\s*{part}\b" if part else rf"\b{name}\b"
    found = re.search(dotted, text)
    return Use(name, part, line, found.start() + 1 if found else 1)
