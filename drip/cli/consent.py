"""`drip consent`: what a patient agreed to, and took back."""

from collections.abc import Callable
from getpass import getuser
from typing import Any, TypeVar

import click

from drip.app import App
from drip.cli.enrollment_option import enrollment_id, names_enrollment
from drip.cli.plan_table import calls_json, print_calls, print_plan
from drip.cli.printing import as_json, note, print_json, print_table, said, warn
from drip.content.words import phone_said
from drip.core.delivery import SAID, Reason
from drip.core.schedule import Channel
from drip.intake.booking import CONSENT_HOWS
from drip.intake.fields import one_line
from drip.services.consent import consenting
from drip.services.consent.consenting import ConsentFile, Standing
from drip.services.scope import Scope
from drip.services.trials.previewing_enrolled import preview_enrollment
from drip.store.schema import Consent

F = TypeVar("F", bound=Callable[..., Any])

_ADDRESS = {Channel.SMS: "The phone", Channel.EMAIL: "The mailbox"}
_TO_CHANNEL = {Channel.SMS: "texts", Channel.EMAIL: "emails"}


def _needed(context: click.Context, param: click.Parameter, value: str | None) -> str:
    """What an option must have, asked for in one line."""
    if value is None:
        assert isinstance(param.type, click.Choice)
        raise click.UsageError(f"Add {param.opts[0]}: {', '.join(param.type.choices)}", context)
    return value


def _says(command: F) -> F:
    """What every word for the ledger has: the channel, how it was said, and who heard it."""
    options = (
        click.option("--channel", type=click.Choice(("sms", "email")), callback=_needed),
        click.option(
            "--how",
            type=click.Choice(CONSENT_HOWS, case_sensitive=False),
            callback=_needed,
            help="How the patient said it; keyword is a text such as START or STOP.",
        ),
        click.option("--by", metavar="NAME", help="Who heard it.  [default: your user name]"),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def consent() -> None:
    """What a patient agreed to: show it, or note that it is given or taken back.

    Nothing in this ledger is ever changed: every word is added to those before.
    """


@consent.command()
@names_enrollment
@as_json
def show(id_: int | None, ref: str | None, as_json: bool) -> None:
    """Show all that a patient said of texts and emails, first to last."""
    scope = App.from_environment().scope
    found = enrollment_id(scope, id_, ref)
    shown = consenting.show(scope, found)
    if as_json:
        print_json(_file_json(scope, found, shown))
        return
    click.echo(f"{shown.patient.name}, enrollment {found}")
    click.echo(_wording_said(shown, scope))
    rows = [
        (_TO_CHANNEL[each.channel], _address(each), _stands(each, scope)) for each in shown.standing
    ]
    print_table(("Messages", "Address", "Now"), rows)
    if not shown.ledger:
        click.echo("Nothing was ever said: no message goes out.")
        return
    print_table(
        ("When", "Messages", "Consent", "How", "By", "Form"),
        [
            (
                said(word.at, scope.clinic.zone),
                _TO_CHANNEL[word.channel],
                "given" if word.given else "taken back",
                word.how,
                word.by_whom,
                word.wording_version,
            )
            for word in shown.ledger
        ],
    )


@consent.command(
    epilog="\b\nFor example:\n  drip consent grant 12 --channel sms --how paper --by Ana"
)
@names_enrollment
@_says
@as_json
def grant(
    id_: int | None, ref: str | None, channel: str, how: str, by: str | None, as_json: bool
) -> None:
    """Note that a patient agrees to texts or emails; what is still to come is planned.

    It ends a stop that staff noted, and a phone or mailbox that was not reached is tried again.
    After STOP by text only the patient's START lets texts through: note that with --how keyword
    where Drip does not hear replies. After a complaint about spam nothing goes there again.
    """
    app = App.from_environment()
    scope = app.scope
    found = enrollment_id(scope, id_, ref)
    who = _who(by)
    done = consenting.grant(scope, found, Channel(channel), how, who, app.clock())
    why = None
    if done.because is not None:
        why = consenting.why_blocked(done.because, done.channel, scope.clinic.texts.sender)
    shown = preview_enrollment(scope, found)
    own = done.plans.get(found)
    if as_json:
        head = {"enrollment": found, "channel": channel, "given": True, "blocked": why}
        calls = calls_json(own.unsendable if own else ())
        print_json({**head, "call": calls, **shown.as_json()})
        return
    what = _TO_CHANNEL[done.channel]
    click.echo(f"Noted: {what} may go to the patient of enrollment {found} ({how}, {who}).")
    if done.refused is not None:
        note(f"{_ADDRESS[done.channel]} is tried again; it was refused before ({done.refused}).")
    if why is not None:
        warn(f"No {what} yet. {why}")
    elif done.address is None:
        warn(f"No {what} yet: there is {SAID[Reason.NO_ADDRESS]}.")
    if own is not None:
        print_plan(shown, scope.clinic.zone)
        print_calls(own.unsendable)


@consent.command(
    epilog="\b\nFor example:\n  drip consent revoke 12 --channel email --how verbal --by Ana"
)
@names_enrollment
@_says
@as_json
def revoke(
    id_: int | None, ref: str | None, channel: str, how: str, by: str | None, as_json: bool
) -> None:
    """Note that a patient takes a consent back; what waits is cancelled.

    Others who share the phone or mailbox keep theirs: `drip stop` ends it for all of them.
    """
    app = App.from_environment()
    scope = app.scope
    found = enrollment_id(scope, id_, ref)
    who = _who(by)
    made = consenting.revoke(scope, found, Channel(channel), how, who, app.clock())
    if as_json:
        rows = [
            {"enrollment": each, "cancelled": len(plan.cancel), "call": calls_json(plan.unsendable)}
            for each, plan in made.items()
        ]
        head = {"enrollment": found, "channel": channel, "given": False}
        print_json({**head, "enrollments": rows})
        return
    what = _TO_CHANNEL[Channel(channel)]
    cancelled = sum(len(plan.cancel) for plan in made.values())
    click.echo(f"Noted: no more {what} to the patient of enrollment {found} ({how}, {who}).")
    click.echo(f"Cancelled: {cancelled} {what} that were waiting.")
    for plan in made.values():
        print_calls(plan.unsendable)


def _wording_said(shown: ConsentFile, scope: Scope) -> str:
    """The wording of the texts, and since when by whose choice."""
    if not shown.wordings:
        return f"Wording of the texts: {shown.patient.wording} (nothing else was chosen)"
    last = shown.wordings[-1]
    when = said(last.at, scope.clinic.zone)
    return f"Wording of the texts: {last.wording}, chosen {when} ({last.how}, {last.by_whom})"


def _who(by: str | None) -> str:
    return one_line("--by", (by or "").strip() or getuser())


def _address(each: Standing) -> str:
    if each.address is None:
        return ""
    return phone_said(each.address) if each.channel is Channel.SMS else each.address


def _stands(each: Standing, scope: Scope) -> str:
    if each.because is not None and each.reason is Reason.SUPPRESSED:
        return consenting.why_blocked(each.because, each.channel, scope.clinic.texts.sender)
    return "may go out" if each.reason is None else SAID[each.reason]


def _file_json(scope: Scope, found: int, shown: ConsentFile) -> dict[str, object]:
    return {
        "enrollment": found,
        "patient": shown.patient.name,
        "wording": shown.patient.wording,
        "wordings": [
            {
                "at": choice.at.astimezone(scope.clinic.zone),
                "wording": choice.wording,
                "how": choice.how,
                "by": choice.by_whom,
            }
            for choice in shown.wordings
        ],
        "channels": [
            {
                "channel": each.channel,
                "address": each.address,
                "blocked": each.reason,
                "suppressed": each.because,
            }
            for each in shown.standing
        ],
        "ledger": [_word_json(word, scope) for word in shown.ledger],
    }


def _word_json(word: Consent, scope: Scope) -> dict[str, object]:
    return {
        "at": word.at.astimezone(scope.clinic.zone),
        "channel": word.channel,
        "given": word.given,
        "how": word.how,
        "by": word.by_whom,
        "wording_version": word.wording_version,
    }
