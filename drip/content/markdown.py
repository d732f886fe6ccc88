"""Markdown to HTML and to plain text, both from the same tokens; and values made safe for it."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MARKS = re.compile(r"([!#&()*+.<=>\[\\\]_`{|}~-])")
"""What may mean something in Markdown, at the beginning of a line or within it."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_HIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Marks that would turn round the text behind them."""
_DROPPED = _BIDI | frozenset(map(chr, range(0xFDD0, 0xFDF0)))
"""Also what Unicode keeps for programs themselves, as the stand-ins of forms.py."""
_OURS = re.compile("[\ufdd0-\ufdef]")
_MEANT = re.compile(r"(?<!\\)(?:\\\\)*[`<&\[]")
"""What begins code, a link or an entity."""


@lru_cache(maxsize=4096)
def one_line(value: str) -> str:
    """A value as one plain line: white space made single, control and direction marks dropped."""
    if not value.isascii():
        value = "".join(
            " " if unicodedata.category(c) in _HIDDEN else c for c in value if c not in _DROPPED
        )
    return " ".join(_CONTROL.sub(" ", value).split())


@lru_cache(maxsize=4096)
def escaped(value: str) -> str:
    """A value as Markdown that reads as the value itself and as nothing more."""
    return _MARKS.sub(r"\\\1", one_line(value))


class Document:
    """A Markdown text, parsed once, written as HTML or as plain text."""

    def __init__(self, markdown: str) -> None:
        self._tokens = _parser().parse(markdown)
        for token in self._tokens:
            if link := _lone_link(token.children or ()):
                link.attrSet("class", "button")

    def html(self) -> str:
        """The HTML; what looks like HTML in the Markdown is shown as text."""
        parser = _parser()
        html: str = parser.renderer.render(self._tokens, parser.options, {})
        return html

    def prose(self) -> str:
        """The sentences alone: paragraphs and list items one a line, without headings."""
        pairs = zip(self._tokens, self._tokens[1:], strict=False)
        found = [
            _inline(token.children or (), addresses=False)
            for before, token in pairs
            if token.type == "inline" and before.type != "heading_open"
        ]
        return "\n".join(found)

    def among_words(self, mark: re.Pattern[str]) -> int:
        """How often a mark stands in plain words, which nothing but emphasis is among, or is
        the whole address of a link in a paragraph of its own.
        """
        return sum(_among_words(mark, token) for token in self._tokens if token.type == "inline")

    def text(self) -> str:
        """The plain text: one line a paragraph, blank lines between, links with their address."""
        return _Text().write(self._tokens)


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("js-default").disable("table")
    written = parser.normalizeLink
    # A stand-in for an address is left as it is.
    parser.normalizeLink = lambda url: url if _OURS.fullmatch(url) else written(url)  # type: ignore[method-assign]
    return parser


def _lone_link(tokens: Sequence["Token"]) -> "Token | None":
    """The link that is all of a paragraph: it is shown as a button."""
    kinds = [token.type for token in tokens]
    return tokens[0] if kinds == ["link_open", "text", "link_close"] else None


def _among_words(mark: re.Pattern[str], token: "Token") -> int:
    children = token.children or []
    if link := _lone_link(children):
        address = str(link.attrGet("href"))
        return len(mark.findall(children[1].content)) + bool(mark.fullmatch(address))
    return 0 if _MEANT.search(token.content) else len(mark.findall(token.content))


class _Text:
    """Writes block tokens as plain text."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.markers: list[str] = []  # of the lists that are open, the innermost last
        self.fresh = False  # whether the next line opens a list item

    def write(self, tokens: Sequence["Token"]) -> str:
        for token in tokens:
            if token.type in ("inline", "fence", "code_block"):
                self.paragraph(token)
            elif token.type == "hr":
                self.lines += ["---", ""]
            else:
                self.list_token(token)
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip() + "\n"

    def list_token(self, token: "Token") -> None:
        match token.type:
            case "bullet_list_open":
                self.markers.append("-")
            case "ordered_list_open":
                self.markers.append(f"{token.attrGet('start') or 1}.")
            case "bullet_list_close" | "ordered_list_close":
                self.markers.pop()
                self.gap()
            case "list_item_open":
                self.fresh = True
            case "list_item_close" if self.markers[-1] != "-":
                self.markers[-1] = f"{int(self.markers[-1][:-1]) + 1}."

    def paragraph(self, token: "Token") -> None:
        children = token.children
        text = token.content.rstrip("\n") if children is None else _inline(children)
        hanging = "".join(" " * (len(marker) + 1) for marker in self.markers)
        first, *rest = text.split("\n")
        if self.fresh:
            marker = self.markers[-1]
            self.lines.append(f"{hanging[: -len(marker) - 1]}{marker} {first}")
        else:
            self.lines.append(hanging + first)
        self.lines += [hanging + line for line in rest]
        self.fresh = False
        self.gap()

    def gap(self) -> None:
        """Leave a blank line, except inside a list."""
        if not self.markers:
            self.lines.append("")


def _inline(tokens: Sequence["Token"], *, addresses: bool = True) -> str:
    """Write inline tokens as text; a link is followed by its address unless it says it itself."""
    lone = _lone_link(tokens) is not None
    parts: list[str] = []
    links: list[tuple[int, str]] = []
    for token in tokens:
        match token.type:
            case "text" | "code_inline":
                parts.append(token.content)
            case "softbreak":
                parts.append(" ")
            case "hardbreak":
                parts.append("\n")
            case "link_open":
                links.append((len(parts), str(token.attrGet("href") or "")))
            case "link_close":
                start, address = links.pop()
                shown = address.removeprefix("mailto:").removeprefix("tel:")
                if addresses and shown not in "".join(parts[start:]):
                    # A bracket behind an address would be taken for a part of it.
                    parts.append(f": {shown}" if lone else f" ({shown})")
            case "image":
                parts.append(token.content)
    return "".join(parts)
