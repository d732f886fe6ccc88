"""`drip check`: what is wrong with schedules, messages and the clinic's profile."""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby

import click

from drip.app import CLINIC_FILE, App
from drip.cli.printing import as_json, note, print_json, print_table
from drip.content.checks import Report, Row
from drip.content.checks import check as check_content
from drip.content.clinic_file import SAMPLE
from drip.content.problems import Problem, Severity
from drip.core.schedule import Channel

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


@click.command()
@as_json
def check(as_json: bool) -> None:
    """Check schedules, messages and the clinic's profile.

    Shows what each step costs and how hard it is to read; ends with status 1 if there is an
    error. A text should take 1 part; "2 parts GSM-7, 4 UCS-2" is 2 parts mostly and 4 at worst.
    An English email should need a US school grade of 6 at most; a Spanish one should have an
    INFLESZ of 65 at least (from 0 to 100, higher is easier).
    """
    app = App.from_environment()
    sample = not app.has_clinic
    path = SAMPLE if sample else app.folder / CLINIC_FILE
    report = check_content(app.content, path, app.settings.public_url)
    if as_json:
        print_json(_json(report, sample=sample))
    else:
        if sample:
            note("There is no clinic.yaml here: this is for the sample clinic.")
        _print(report)
    if report.errors:
        sys.exit(1)


def _print(report: Report) -> None:
    for problem in report.problems:
        place = f"{problem.path}:{problem.line}:{problem.column}"
        severity = click.style(problem.severity.value, fg=_COLOURS[problem.severity])
        click.echo(f"{place}: {severity}: {problem.what}")
    for schedule, rows in groupby(report.rows, key=lambda row: row.schedule):
        _print_schedule(schedule, list(rows))
    click.echo(_summed(report.problems))


def _print_schedule(schedule: str, rows: list[Row]) -> None:
    """One line for each step, channel and wording; one column for each language."""
    languages = list(dict.fromkeys(row.language for row in rows))
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        channel = f"{row.channel} {row.wording}".strip()
        lines.setdefault((row.step, channel), {})[row.language] = _cell(row)
    table = [
        (*key, *(cells.get(each, "missing") for each in languages)) for key, cells in lines.items()
    ]
    print_table(("Step", "Channel", *languages), table, schedule)


def _cell(row: Row) -> str:
    if row.channel is Channel.EMAIL:
        reading = row.reading
        return "no measure" if reading is None else f"{reading.scale} {reading.value}"
    count, at_worst = f"{row.parts}", ""
    if row.encoding != row.most_encoding:
        at_worst = f", {row.most_parts} {row.most_encoding}"
    elif row.parts != row.most_parts:
        count = f"{row.parts}-{row.most_parts}"
    return f"{count} {'part' if count == '1' else 'parts'} {row.encoding}{at_worst}"


def _summed(problems: Iterable[Problem]) -> str:
    severities = [problem.severity for problem in problems]
    counts = [_count(severities.count(each), each.value) for each in Severity]
    summed = ", ".join(counts) + "."
    return summed[0].upper() + summed[1:]


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _json(report: Report, *, sample: bool) -> dict[str, object]:
    return {
        "clinic": "sample" if sample else str(CLINIC_FILE),
        "problems": [problem._asdict() for problem in report.problems],
        "steps": [asdict(row) for row in report.rows],
    }
