"""RESULTS.md: a table for each benchmark, of its last run."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.figures import HEADERS, Figure

RESULTS = Path(__file__).with_name("RESULTS.md")

_SECTION = re.compile(r"^## (?P<name>\S+)\n\n(?P<table>(?:\|.*\n)+)", re.MULTILINE)


def keep(figures: Mapping[str, Sequence[Figure]], order: Sequence[str]) -> None:
    """Write the tables of the benchmarks that ran; the tables of the others in `order` stay."""
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    tables = {found["name"]: found["table"] for found in _SECTION.finditer(before)}
    tables |= {name: _table(some) for name, some in figures.items()}
    sections = [f"## {name}\n\n{tables[name]}" for name in order if name in tables]
    RESULTS.write_text("\n".join([_heading(), *sections]), encoding="utf-8")


def _table(figures: Sequence[Figure]) -> str:
    rows = [HEADERS, tuple("---" for _ in HEADERS), *(figure.row() for figure in figures)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _heading() -> str:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return (
        "# The last run of `make bench`\n\n"
        f"On a machine with {machine}; servers, senders and sinks share it,\n"
        "and all speak over loopback. Each ratio is taken side by side in one run; absolute\n"
        "figures differ from machine to machine. `python -m tests.benchmarks NAME` runs one.\n"
    )
