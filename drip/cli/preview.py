"""`drip preview`: what a patient would get, and when."""

import textwrap
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from drip.app import App
from drip.cli.enrollment_option import RowId
from drip.cli.plan_table import print_calls, print_plan
from drip.cli.printing import as_json, note, print_json
from drip.core.clinic import Clinic
from drip.core.delivery import SAID
from drip.core.schedule import DEFAULT_SCHEDULE, Channel
from drip.errors import DripError, InvalidInput, NotFound
from drip.intake.fields import ROUTES, one_of, read_moment, read_zone
from drip.services.trials.previewing import Asked, Preview, make_preview

_ENROLLMENT = RowId("an enrollment", "`drip list` shows them")
_EXAMPLE = """\b
For example:
  drip preview --session 2026-12-10T09:00
  drip preview --session 2026-12-10T09:00 --step day-before"""


@click.command(epilog=_EXAMPLE)
@click.option("--session", "session_text", metavar="WHEN", help="As 2026-12-10T09:00.")
@click.option("--booked", metavar="WHEN", help="When the booking is made.  [default: now]")
@click.option("--timezone", metavar="ZONE", help="The patient's, such as America/Chicago.")
@click.option("--language", metavar="CODE", help="en or es.  [default: the clinic's]")
@click.option(
    "--route", type=click.Choice(ROUTES, case_sensitive=False), help="How the patient is treated."
)
@click.option("--plain", is_flag=True, help="The plain wording of the texts.")
@click.option("--schedule", default=DEFAULT_SCHEDULE, show_default=True, metavar="NAME")
@click.option("--enrollment", type=_ENROLLMENT, metavar="ID", help="An enrolled patient instead.")
@click.option("--step", metavar="STEP", help="Show this message whole.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with everything.")
@click.option("--ics", type=click.Path(path_type=Path), help="Write the calendar file.")
@as_json
def preview(
    session_text: str | None,
    booked: str | None,
    timezone: str | None,
    language: str | None,
    route: str | None,
    plain: bool,
    schedule: str,
    enrollment: int | None,
    step: str | None,
    html: Path | None,
    ics: Path | None,
    as_json: bool,
) -> None:
    """Show what a patient would get, and when.

    Needs no set-up: without a clinic.yaml it uses a sample clinic.
    """
    app = App.from_environment()
    if (session_text is None) == (enrollment is None):
        raise InvalidInput("Say --session 2026-12-10T09:00, or --enrollment ID.")
    whole = html is not None or ics is not None
    if enrollment is not None:
        from drip.services.trials.previewing_enrolled import preview_enrollment

        made = preview_enrollment(app.scope, enrollment, page_url=app.example_page, whole=whole)
    else:
        zone = read_zone(timezone) if timezone else app.clinic_or_sample.zone
        clinic = app.clinic_or_sample
        if not app.has_clinic:
            clinic = replace(clinic, zone=zone)
        session_at = read_moment(session_text or "", clinic.zone, "session")
        asked = Asked(
            schedule=schedule,
            session_at=session_at.astimezone(UTC),
            booked_at=_booked_at(app, booked, clinic, session_at),
            zone=zone,
            language=one_of(
                "language", (language or clinic.language).lower(), app.content.languages()
            ),
            route=route or "",
            plain_wording=plain,
            page_url=app.example_page,
        )
        made = make_preview(app.content, clinic, asked, whole=whole)
    if html is not None:
        _write_page(html, made)
    if ics is not None:
        _write(ics, _calendar(made))
    if as_json:
        print_json(made.as_json())
    elif step is not None:
        _print_step(made, step)
    elif html is None and ics is None:
        print_plan(made, app.clinic.zone if app.has_clinic else made.zone)
        print_calls(made.unsendable)
    if not app.has_clinic:
        note("A sample clinic is used, since there is no clinic.yaml here.")


def _booked_at(app: App, booked: str | None, clinic: Clinic, session_at: datetime) -> datetime:
    """When the booking is made, in UTC: as said, or now."""
    if not booked:
        now = app.clock().replace(microsecond=0)
        if session_at < now:
            note("This session is past: `--booked` shows the plan as it was at booking.")
        return now
    booked_at = read_moment(booked, clinic.zone, "booked")
    if booked_at > session_at:
        raise InvalidInput("--booked is after --session: one of the two is wrong.")
    return booked_at.astimezone(UTC)


def _print_step(made: Preview, step: str) -> None:
    found = [each for each in made.deliveries if each.step == step]
    if not found:
        one_of("step", step, list(dict.fromkeys(each.step for each in made.deliveries)))
    for each in found:
        click.secho(f"{each.step} by {each.channel}, {each.due_at:%a %Y-%m-%d %H:%M}", bold=True)
        if each.reason is not None:
            click.echo(f"Not sent: {SAID[each.reason]}.\n")
            continue
        if each.said.subject is not None:
            click.echo(f"Subject: {each.said.subject}")
        body = each.said.body or ""
        if each.channel is Channel.SMS:
            body = textwrap.fill(body, 78)
        click.echo(f"\n{body.strip()}\n")


def _calendar(made: Preview) -> bytes:
    """The calendar file that the latest email carries."""
    files = [each.said.calendar for each in made.deliveries if each.said.calendar is not None]
    if not files:
        raise NotFound("No email of this plan carries a calendar file.")
    return files[-1]


def _write_page(path: Path, made: Preview) -> None:
    from drip.cli.preview_page import page

    _write(path, page(made).encode())


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise DripError(f"{path} cannot be written: {error.strerror}.") from None
    note(f"Written: {path}")
