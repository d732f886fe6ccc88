"""How results are shown: tables for a person, plain lines in a pipe, JSON for a script."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
"""The `--json` option that every command has."""


def print_json(data: Any) -> None:
    """Print data as JSON; moments as ISO 8601."""
    click.echo(json.dumps(data, default=_plain, ensure_ascii=False, indent=2))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print rows: drawn where a person is looking, aligned plain text in a pipe."""
    rows = [tuple(row) for row in rows]
    if sys.stdout.isatty():
        _draw(headers, rows, title)
        return
    if title:
        click.echo(title)
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    for row in (tuple(headers), *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def said(moment: datetime | None, zone: ZoneInfo) -> str:
    """A moment on the clock of a zone, as in "Thu 2026-12-10 09:00"; "" for none."""
    return "" if moment is None else f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M}"


def wrapped(text: str, indent: int) -> list[str]:
    """The text in lines that fit beside an indent; in a pipe it stays one line."""
    if not sys.stdout.isatty():
        return [text]
    room = shutil.get_terminal_size().columns - indent
    return textwrap.wrap(text, max(room, 20), break_on_hyphens=False) or [""]


def note(text: str) -> None:
    """Say something beside the result, on standard error."""
    click.secho(text, dim=True, err=True)


def warn(text: str) -> None:
    """Say something that must be seen, on standard error, in colour where there is any."""
    click.secho(text, fg="yellow", err=True)


def _draw(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for header in headers:
        table.add_column(header, overflow="fold")  # on a narrow screen nothing is left out
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be printed as JSON")
