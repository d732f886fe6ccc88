"""What happens after booking: reschedule, cancel, pause, resume, no-show, stop."""

from getpass import getuser

import click

from drip.app import App
from drip.cli.enrollment_option import enrollment_id, names_enrollment
from drip.cli.plan_table import calls_json, print_calls, print_plan
from drip.cli.printing import as_json, note, print_json, said, warn
from drip.core.delivery import Reason
from drip.core.planner import Plan
from drip.core.schedule import Channel
from drip.errors import InvalidInput
from drip.intake.booking import CONSENT_HOWS, read_email, read_phone
from drip.intake.fields import one_line, read_moment
from drip.services.bookings import changing
from drip.services.consent import stopping
from drip.services.scope import Scope
from drip.services.trials.previewing_enrolled import preview_enrollment


@click.command(epilog="\b\nFor example:\n  drip reschedule 12 --session 2026-12-14T10:30")
@names_enrollment
@click.option("--session", required=True, metavar="WHEN", help="The new time, as 2026-12-10T09:00.")
@as_json
def reschedule(id_: int | None, ref: str | None, session: str, as_json: bool) -> None:
    """Move a session; the messages move with it, and the patient is told."""
    app = App.from_environment()
    scope = app.scope
    found = enrollment_id(scope, id_, ref)
    session_at = read_moment(session, app.clinic.zone, "session")
    made = changing.reschedule(scope, found, session_at, app.clock())
    _show(scope, found, "Moved" if not made.is_empty else "Nothing changed", made, as_json)


@click.command()
@names_enrollment
@as_json
def cancel(id_: int | None, ref: str | None, as_json: bool) -> None:
    """Cancel a session: what waits is cancelled, and the patient is told."""
    app = App.from_environment()
    found = enrollment_id(app.scope, id_, ref)
    made = changing.cancel(app.scope, found, app.clock())
    _show(app.scope, found, "Cancelled", made, as_json)


@click.command()
@names_enrollment
@as_json
def pause(id_: int | None, ref: str | None, as_json: bool) -> None:
    """Hold an enrollment's messages until `drip resume`."""
    app = App.from_environment()
    found = enrollment_id(app.scope, id_, ref)
    held = changing.pause(app.scope, found, app.clock())
    if as_json:
        rows = [{"step": r.step, "channel": r.channel, "due_at": r.due_at} for r in held]
        print_json({"enrollment": found, "essential_held": rows})
        return
    click.echo(f"Paused: enrollment {found}. `drip resume {found}` lets it go on.")
    for row in held:
        due_at = said(row.due_at, app.clinic.zone)
        warn(f"Held, and essential: {row.step} by {row.channel}, due {due_at}.")


@click.command()
@names_enrollment
@as_json
def resume(id_: int | None, ref: str | None, as_json: bool) -> None:
    """Let a paused enrollment go on, planned again from now."""
    app = App.from_environment()
    found = enrollment_id(app.scope, id_, ref)
    made = changing.resume(app.scope, found, app.clock())
    _show(app.scope, found, "Goes on", made, as_json)
    if not as_json and any(row.reason is Reason.CRISIS for _, row in made.change):
        warn(f"Education stays on hold: a crisis is open. `drip resume {found}` again ends that.")


@click.command("no-show")
@names_enrollment
@as_json
def no_show(id_: int | None, ref: str | None, as_json: bool) -> None:
    """Note that the patient did not come: nothing is sent about the time after."""
    app = App.from_environment()
    found = enrollment_id(app.scope, id_, ref)
    made = changing.no_show(app.scope, found, app.clock())
    _show(app.scope, found, "Noted as a no-show", made, as_json)


@click.command(epilog="\b\nFor example:\n  drip stop 12\n  drip stop ana@example.com")
@click.argument("who", metavar="ID|ADDRESS")
@click.option(
    "--channel",
    type=click.Choice(("sms", "email", "all"), case_sensitive=False),
    help="What to stop, by enrollment id.  [default: sms]",
)
@click.option(
    "--how",
    type=click.Choice(CONSENT_HOWS, case_sensitive=False),
    default="verbal",
    show_default=True,
)
@click.option("--by", default=None, help="Who heard it.  [default: your user name]")
@as_json
def stop(who: str, channel: str | None, how: str, by: str | None, as_json: bool) -> None:
    """Stop messages to a patient who said so, for good.

    By enrollment id it stops texts, with --channel email or all other things too. By phone
    number or email address it stops that address, for everybody who has it.
    """
    app = App.from_environment()
    scope, now, by = app.scope, app.clock(), one_line("--by", by or getuser())
    if who.isascii() and who.isdigit() and len(who) < 7:
        channels = list(Channel) if channel == "all" else [Channel(channel or "sms")]
        stopped = stopping.stop_enrollment(scope, int(who), channels, how, by, now)
    else:
        if channel is not None:
            raise InvalidInput("--channel goes with an enrollment id; an address has its own.")
        kind, address = _address(who, app.clinic.country)
        stopped = [stopping.stop_address(scope, kind, address, how, by, now)]
    if as_json:
        print_json([_stopped_json(each) for each in stopped])
        return
    for each in stopped:
        _print_stopped(each)
    if channel is None and stopped[0].channel is Channel.SMS:
        note("Emails go on where the patient agreed to them; `--channel all` stops both.")


def _address(text: str, country: str) -> tuple[Channel, str]:
    if "@" in text:
        return Channel.EMAIL, read_email(text)
    return Channel.SMS, read_phone(text, country)


def _print_stopped(stopped: stopping.Stopped) -> None:
    ids = ", ".join(str(id_) for id_ in stopped.plans) or "nobody enrolled"
    click.echo(f"Stopped for good: {stopped.channel} to {stopped.address} (enrollments: {ids}).")
    if not stopped.plans:
        warn("Nobody enrolled has this address: is it written as it is on record?")
    for made in stopped.plans.values():
        print_calls(made.unsendable)


def _stopped_json(stopped: stopping.Stopped) -> dict[str, object]:
    return {
        "channel": stopped.channel,
        "address": stopped.address,
        "enrollments": [
            {"enrollment": id_, "cancelled": len(made.cancel), "call": calls_json(made.unsendable)}
            for id_, made in stopped.plans.items()
        ],
    }


def _show(scope: Scope, found: int, what: str, made: Plan, as_json: bool) -> None:
    """Print what a change left: the plan as it stands now, and whom to call."""
    shown = preview_enrollment(scope, found)
    if as_json:
        print_json({"enrollment": found, "call": calls_json(made.unsendable), **shown.as_json()})
        return
    click.echo(f"{what}: enrollment {found}.")
    print_plan(shown, scope.clinic.zone)
    print_calls(made.unsendable)
