"""What is wrong with a file of content, and where: one line a problem, with the way out."""

import difflib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from drip.errors import ContentError


class Severity(StrEnum):
    """Whether a problem stops a message from going out."""

    ERROR = "error"
    WARNING = "warning"


class Problem(NamedTuple):
    """One thing that is wrong at one place. `line` and `column` count from 1."""

    path: str
    line: int
    column: int
    what: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.what}"


class BrokenContent(ContentError):
    """Content that cannot be used, with every problem that was found in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        more = len(self.problems) - 1
        rest = f" (and {more} more; run `drip check` to see all)" if more else ""
        super().__init__(f"{self.problems[0]}{rest}")


def shown(path: Path) -> str:
    """A path as a person reads it: relative to the working directory where it lies in it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def nearest(word: str, known: Iterable[str]) -> str:
    """The way out for a name that is not known: the nearest match, then all that are allowed."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    known = ", ".join(names) or "none"
    return f'did you mean "{close[0]}"? Known: {known}' if close else f"known: {known}"
