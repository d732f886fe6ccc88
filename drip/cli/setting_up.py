"""`drip init` and `drip doctor`: a folder to work in, and what is wrong with it."""

import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drip.app import App
from drip.cli.printing import as_json, print_json, print_table, wrapped
from drip.errors import SettingsError
from drip.services.upkeep.setting_up import Written, set_up_database, write_files

if TYPE_CHECKING:
    from drip.services.upkeep.findings import Finding

_NEXT = """\
Next:
1. Fill in clinic.yaml (who sends, when, in which words), then run `drip check`.
2. See what a patient would get: `drip preview --session 2026-12-10T09:00`.
3. Enrol with `drip enroll`, send with `drip run`; `drip doctor` looks it over."""


@click.command()
@click.option("--database-only", is_flag=True, help="Write no file; bring the database up to date.")
@as_json
def init(database_only: bool, as_json: bool) -> None:
    """Write clinic.yaml and .env, and set up the database.

    What is there already is never overwritten; a database of an older version is brought up to
    date. Several may run at once: one works, the others wait.
    """
    written = Written((), ()) if database_only else write_files(Path())
    app = App.from_environment()
    changed = set_up_database(app.engine)
    database = app.engine.url.render_as_string(hide_password=True)
    if as_json:
        files = {"written": written.new, "kept": written.kept}
        print_json({**files, "database": database, "database_changed": changed})
        return
    _print_written(written)
    click.echo(f"The database {database} {'is set up' if changed else 'was up to date'}.")
    if not database_only:
        click.echo(_NEXT)


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Check the set-up and say how to mend it. Nothing is sent or changed."""
    from drip.services.upkeep.doctor import examine, shown_settings
    from drip.services.upkeep.findings import Finding, Level

    found: list[Finding] = []
    try:
        app = App.from_environment()
    except SettingsError as error:
        found = [Finding(Level.PROBLEM, str(error), "Mend it in .env or the environment.")]
        findings: Iterable[Finding] = found
        shown = []
    else:
        shown = shown_settings(app.settings, os.environ, app.folder)
        findings = examine(app.settings, app.folder, app.clock())
    if as_json:
        found = list(findings)
        listed = [asdict(finding) for finding in found]
        print_json({"settings": [asdict(each) for each in shown], "findings": listed})
    else:
        if shown:
            rows = [(each.name, each.value, each.origin) for each in shown]
            print_table(("Setting", "Value", "From"), rows)
        found = [_printed(finding) for finding in findings]
    if any(finding.level is Level.PROBLEM for finding in found):
        sys.exit(1)


def _print_written(written: Written) -> None:
    if written.new:
        click.echo(f"Wrote {' and '.join(written.new)}.")
    if written.kept:
        click.echo(f"Kept what was there: {' and '.join(written.kept)}.")


def _printed(finding: "Finding") -> "Finding":
    """Print a finding as soon as it is there: some take seconds."""
    colours = {"ok": "green", "warning": "yellow", "problem": "red"}
    start = click.style(f"{finding.level:9}", fg=colours[finding.level])
    lines = wrapped(finding.says, 9) + wrapped(finding.mend, 9)
    click.echo(start + "\n".join(lines[:1] + [" " * 9 + line for line in lines[1:] if line]))
    return finding
