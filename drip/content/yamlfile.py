"""YAML 1.2 with a place for every problem: file, line and column."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from drip.content.plain_yaml import NotPlain, read_plain
from drip.content.problems import BrokenContent, Problem, Severity, shown
from drip.errors import ContentError

Loc = Sequence[str | int]
"""The way to a value: keys of mappings and places in lists."""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A parsed YAML text that still knows where each of its values stands.

    `first_line` is the line of the file on which the text begins (front matter begins on 2).
    """

    path: Path
    text: str
    data: Any
    first_line: int = 1

    def problem(
        self,
        loc: Loc,
        what: str,
        *,
        key: bool = False,
        offset: int | None = None,
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        """A problem at a value, or at its key; `offset` counts characters into its text."""
        line, column = self.place(loc, key=key, offset=offset)
        return Problem(shown(self.path), line, column, what, severity)

    def place(self, loc: Loc, *, key: bool = False, offset: int | None = None) -> tuple[int, int]:
        """Line and column, from 1, of a value, of its key, or of the nearest thing above it."""
        # The text is read a second time, and only now: places are needed for problems alone.
        node = YAML(typ="safe", pure=True).compose(self.text)
        if node is None:
            return self.first_line, 1
        mark = node.start_mark
        for depth, part in enumerate(loc):
            found = _child(node, part)
            if found is None:
                return self.first_line + mark.line, mark.column + 1
            name, node = found
            mark = name.start_mark if key and depth == len(loc) - 1 else node.start_mark
        if offset is not None and isinstance(node, ScalarNode):
            quoted = node.style in ("'", '"')
            return self.first_line + mark.line, mark.column + 1 + offset + quoted
        return self.first_line + mark.line, mark.column + 1


def read_text(path: Path) -> str:
    """A file of content as text. Raises ContentError if it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        start: bytes = error.object[: error.start]
        line, column = start.count(b"\n") + 1, len(start) - start.rfind(b"\n")
        what = "this is not UTF-8; save the file as UTF-8"
        raise BrokenContent([Problem(shown(path), line, column, what)]) from None
    except OSError as error:
        raise ContentError(f"{shown(path)} cannot be read: {error.strerror}.") from None


def read_yaml(path: Path) -> YamlFile:
    """Read and parse a file. Raises BrokenContent where it is not YAML 1.2."""
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: Path, first_line: int = 1) -> YamlFile:
    """Parse a text that stands in a file. Raises BrokenContent with the place of the mistake."""
    try:
        return YamlFile(path, text, read_plain(text), first_line)
    except NotPlain:
        pass
    try:
        return YamlFile(path, text, YAML(typ="safe", pure=True).load(text), first_line)
    except RecursionError:
        line, column, what = 0, 0, "this is nested too deeply; a bracket may be too many"
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line, column = (mark.line, mark.column) if mark else (0, 0)
        what = _said(error)
    problem = Problem(shown(path), first_line + line, column + 1, what)
    raise BrokenContent([problem])


def _said(error: YAMLError) -> str:
    if isinstance(error, DuplicateKeyError):
        name = str(error.problem).split('"')[1] if '"' in str(error.problem) else "this key"
        return f'"{name}" stands here a second time; keep one of the two'
    what = error.problem if isinstance(error, MarkedYAMLError) else str(error).splitlines()[0]
    return f"this is not YAML: {what}; put text that has : # {{ or quotes in it between quotes"


def _child(node: Node, part: str | int) -> tuple[Node, Node] | None:
    if isinstance(node, MappingNode):
        pairs: list[tuple[Node, Node]] = node.value
        return next((pair for pair in pairs if pair[0].value == str(part)), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
