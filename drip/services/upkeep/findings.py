"""What an examination of the set-up finds, each with how to mend it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is; with a problem Drip does not work as it is set."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found and, unless it is fine, how to mend it."""

    level: Level
    says: str
    mend: str = ""


Findings = Iterator[Finding]


def fine(says: str) -> Finding:
    """What is as it should be."""
    return Finding(Level.OK, says)


def warning(says: str, mend: str) -> Finding:
    """What works, but not as it should."""
    return Finding(Level.WARNING, says, mend)


def problem(says: str, mend: str = "") -> Finding:
    """What does not work."""
    return Finding(Level.PROBLEM, says, mend)
