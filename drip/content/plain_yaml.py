"""A quick reader for plain YAML; what it does not know for certain it leaves to the full one.

Mappings and lists by indentation, one-line scalars, `|` blocks and lists of words in brackets are
nearly all that our files hold, and the full parser takes more time over them than everything else
in `drip preview`. This one either gives what YAML 1.2 says, or gives up.
"""

import re
from typing import Any

_KEY = re.compile(r"([A-Za-z_][\w-]*):(?: +(.*))?", re.ASCII)
_DOUBLE = re.compile(r'"([^"\\]*)"(?: +#.*)?')
_SINGLE = re.compile(r"'((?:[^']|'')*)'(?: +#.*)?")
_WORDS = re.compile(r"\[([A-Za-z][\w-]*(?:, *[A-Za-z][\w-]*)*)?\](?: +#.*)?", re.ASCII)
_PLAIN = re.compile(r"(?:[^\W_]|[¿¡(])(?:(?!: | #).)*(?<!:)(?: +#.*)?")
_COMMENT = re.compile(r" +#.*")
_WHOLE = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_COUNTED = re.compile(r"\d+\.? [A-Za-z]{2}", re.ASCII)
_NOT_TEXT = frozenset({"true", "false", "null"})


class NotPlain(Exception):
    """The text holds something that only the full parser knows."""


def read_plain(text: str) -> dict[str, Any]:
    """Read a mapping. Raises NotPlain for whatever is not plain, mistakes among it."""
    if not text.endswith("\n"):
        raise NotPlain
    reader = _Reader(text.split("\n")[:-1])
    data = reader.mapping(0)
    if reader.peek() is not None:
        raise NotPlain
    return data


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        if not all(line.isprintable() for line in lines):
            raise NotPlain

    def peek(self) -> int | None:
        """The indentation of the next line that says something; None at the end."""
        while self.at < len(self.lines):
            line = self.lines[self.at].lstrip(" ")
            if line and not line.startswith("#"):
                return len(self.lines[self.at]) - len(line)
            self.at += 1
        return None

    def mapping(self, indent: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while self.peek() == indent:
            entry = _KEY.fullmatch(self.lines[self.at][indent:].rstrip(" "))
            if entry is None or entry[1] in data or entry[1].lower() in _NOT_TEXT:
                raise NotPlain
            self.at += 1
            data[entry[1]] = self.value(entry[2] or "", indent)
        if not data:
            raise NotPlain
        return data

    def value(self, text: str, indent: int) -> Any:
        """What stands behind a key at this indentation, on its line or below."""
        if text == "|":
            return self.block(indent)
        below = self.peek()
        deeper = below is not None and below > indent
        if text and not text.startswith("#"):
            if deeper:
                raise NotPlain
            return _scalar(text)
        if below is None or below < indent:
            raise NotPlain
        if self.lines[self.at][below:].startswith("- "):
            return self.sequence(below)
        if not deeper:
            raise NotPlain
        return self.mapping(below)

    def sequence(self, indent: int) -> list[Any]:
        items: list[Any] = []
        while self.peek() == indent and self.lines[self.at][indent:].startswith("- "):
            line = self.lines[self.at]
            inner = len(line) - len(line[indent + 1 :].lstrip(" "))
            if _KEY.fullmatch(line[inner:].rstrip(" ")):
                # "- key: value" begins a mapping where the key stands.
                self.lines[self.at] = " " * inner + line[inner:]
                items.append(self.mapping(inner))
                continue
            self.at += 1
            below = self.peek()
            if below is not None and below > indent:
                raise NotPlain
            items.append(_scalar(line[inner:].rstrip(" ")))
        return items

    def block(self, indent: int) -> str:
        start = self.at
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip(" ") and len(line) - len(line.lstrip(" ")) <= indent:
                break
            self.at += 1
        lines = self.lines[start : self.at]
        while lines and not lines[-1]:
            lines.pop()
        if not lines or not lines[0].strip(" "):
            raise NotPlain
        depth = len(lines[0]) - len(lines[0].lstrip(" "))
        if any(line[:depth].strip(" ") or 0 < len(line) <= depth for line in lines):
            raise NotPlain
        return "\n".join(line[depth:] for line in lines) + "\n"


def _scalar(text: str) -> Any:
    if found := _DOUBLE.fullmatch(text):
        return found[1]
    if found := _SINGLE.fullmatch(text):
        return found[1].replace("''", "'")
    if found := _WORDS.fullmatch(text):
        words = re.split(", *", found[1]) if found[1] else []
        if _NOT_TEXT.intersection(word.lower() for word in words):
            raise NotPlain
        return words
    if _PLAIN.fullmatch(text) is None:
        raise NotPlain
    return _plain(_COMMENT.split(text, maxsplit=1)[0])


def _plain(text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    if text.lower() in _NOT_TEXT or (text[0].isdigit() and not _COUNTED.match(text)):
        raise NotPlain
    return text
