"""`drip enroll`: one patient."""

from getpass import getuser

import click

from drip.app import App
from drip.cli.plan_table import calls_json, print_calls, print_plan
from drip.cli.printing import as_json, print_json
from drip.core.schedule import DEFAULT_SCHEDULE
from drip.intake.booking import CONSENT_HOWS, Defaults, read_booking
from drip.intake.fields import ROUTES, one_line
from drip.services.bookings.enrolling import enroll as enroll_one
from drip.services.trials.previewing_enrolled import preview_enrollment

SOURCE = "cli"

_SAID = {
    "enrolled": "Enrolled",
    "changed": "Enrolled already, now brought up to date",
    "unchanged": "Enrolled already, nothing changed",
}


_EXAMPLE = """\b
For example:
  drip enroll --name "Ana Diaz" --phone "+1 212 555 0100" \\
    --email ana@example.com --session 2026-12-10T09:00 \\
    --consent sms,email --consent-how verbal"""


@click.command(epilog=_EXAMPLE)
@click.option("--name", required=True, help="The patient's name.")
@click.option("--phone", help="Such as +1 212 555 0100; without +1 it is the clinic's country.")
@click.option("--email", help="The patient's email address.")
@click.option(
    "--session", required=True, metavar="WHEN", help="The first session, as 2026-12-10T09:00."
)
@click.option("--consent", metavar="LIST", help="What the patient agreed to: sms,email.")
@click.option(
    "--consent-how",
    type=click.Choice(CONSENT_HOWS, case_sensitive=False),
    help="How that was said.",
)
@click.option("--language", metavar="CODE", help="en or es.  [default: the clinic's]")
@click.option("--timezone", metavar="ZONE", help="The patient's.  [default: the clinic's]")
@click.option(
    "--route", type=click.Choice(ROUTES, case_sensitive=False), help="How the patient is treated."
)
@click.option(
    "--wording",
    type=click.Choice(("discreet", "plain"), case_sensitive=False),
    help="[default: discreet]",
)
@click.option("--ref", metavar="ID", help="The clinic's own id: the same id is the same booking.")
@click.option("--booked", metavar="WHEN", help="When it was booked.  [default: now]")
@click.option("--schedule", default=DEFAULT_SCHEDULE, show_default=True, metavar="NAME")
@click.option("--by", default=None, help="Who took the consent.  [default: your user name]")
@as_json
def enroll(as_json: bool, by: str | None, **fields: str | None) -> None:
    """Enrol one patient and print the plan.

    No text and no email goes out without the patient's consent.
    """
    app = App.from_environment()
    scope, clinic = app.scope, app.clinic
    booking = read_booking(
        {key: value for key, value in fields.items() if value is not None},
        Defaults(
            country=clinic.country,
            zone=clinic.zone,
            language=clinic.language,
            languages=app.content.languages(),
            schedule=DEFAULT_SCHEDULE,
            source=SOURCE,
            consent_by=one_line("--by", by or getuser()),
        ),
    )
    done = enroll_one(scope, booking, app.clock())
    shown = preview_enrollment(scope, done.enrollment_id)
    if as_json:
        what = {"what": done.what, "enrollment": done.enrollment_id}
        print_json({**what, "call": calls_json(done.plan.unsendable), **shown.as_json()})
        return
    click.echo(f"{_SAID[done.what]}: {booking.name}, enrollment {done.enrollment_id}.")
    print_plan(shown, clinic.zone)
    print_calls(done.plan.unsendable)
