"""The outcome of a simulation in the terminal: 80 columns, the answer first."""

import sys
from collections.abc import Sequence

import click

from drip.cli.printing import print_table, wrapped
from drip.cli.simulation_words import (
    days_said,
    fates,
    hour_said,
    number,
    parts,
    patients_said,
    span,
    summary,
    texts_a_second,
    wait_classes,
)
from drip.services.trials.simulation_report import Hour, Report

_BAR = 16
"""Columns of the longest bar."""


def print_report(made: Report) -> None:
    """Print all of it."""
    wanted = made.wanted
    title = (
        f"{patients_said(wanted.patients)} of {made.clinic} over {days_said(wanted.days)} "
        f"at {texts_a_second(made.rate)}"
    )
    click.secho(title, bold=True)
    for sentence in summary(made):
        for line in wrapped(sentence, 2):
            click.echo(line)
    click.echo()
    _print_figures(("What became of them", "Texts", "Emails"), fates(dict(made.counts)))
    click.echo(f"{number(made.held)} were held for a while: the patient's messages were paused.\n")
    _print_hours(made)
    click.echo()
    _print_waits(made)
    click.echo()
    _print_figures(("Texts by length", "Texts", "Parts", "Cost"), parts(made))


def _print_hours(made: Report) -> None:
    if not made.hours:
        return
    most = max(hour.most for hour in made.hours)
    headers = ("Hour of the day", "All days", "Busiest day", "Of the pace", "")
    rows = [_hour_row(hour, made.allowed, most) for hour in made.hours]
    _print_figures(
        headers, rows, f"Texts by the hour; the pace allows {number(made.allowed)} an hour"
    )


def _hour_row(hour: Hour, allowed: float, most: int) -> tuple[str, ...]:
    share = f"{hour.most / allowed:.0%}"
    return hour_said(hour.hour), number(hour.texts), number(hour.most), share, _bar(hour.most, most)


def _print_waits(made: Report) -> None:
    late = made.lateness
    all_sent = sum(late.classes) or 1
    rows = [
        (name, number(count), f"{count / all_sent:.1%}", _bar(count, max(late.classes)))
        for name, count in zip(wait_classes(), late.classes, strict=True)
    ]
    title = (
        f"How late: half within {span(late.half)}, 95 in 100 within {span(late.most)}, "
        f"the last {span(late.longest)}"
    )
    _print_figures(("After its time", "Texts", "Share", ""), rows, title)


def _print_figures(headers: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table of names, figures and perhaps bars, each figure's last digit beneath another's.

    A column of bars has no header.
    """
    columns = [list(column) for column in zip(headers, *rows, strict=True)]
    for column in columns[1:]:
        if column[0]:
            column[:] = [cell.rjust(max(map(len, column))) for cell in column]
    header, *lines = zip(*columns, strict=True)
    print_table(header, lines, title)


def _bar(count: int, most: int) -> str:
    """A bar for a person; in a pipe the numbers say it."""
    return "█" * round(_BAR * count / most) if most and sys.stdout.isatty() else ""
