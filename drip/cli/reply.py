"""`drip reply`: a member of staff answers in a patient's thread."""

import sys
from getpass import getuser

import click

from drip.app import App
from drip.cli.enrollment_option import RowId, enrollment_id
from drip.cli.printing import as_json, note, print_json, warn
from drip.content.words import phone_said
from drip.core.sms import Parts
from drip.errors import InvalidInput
from drip.intake.fields import one_line
from drip.services.staff.replying import (
    Draft,
    StaffAnswer,
    answer_patient,
    draft_answer,
    night_said,
)

_EXAMPLE = (
    '\b\nFor example:\n  drip reply 12 "Yes, the side entrance is open."\n'
    '  drip reply --ref A1 --by Sam "We will call you at 3."'
)
_MANY_PARTS = 3
_ID = RowId("an enrollment", "`drip list` shows them; put the text in quotes")


@click.command(epilog=_EXAMPLE)
@click.argument("words", metavar="[ID] TEXT", nargs=-1)
@click.option("--ref", metavar="REF", help="The clinic's own id, in place of ID.")
@click.option("--by", metavar="NAME", help="Who answers.  [default: your user name]")
@click.option("--now", "at_any_hour", is_flag=True, help="Send it outside of the hours too.")
@as_json
@click.pass_context
def reply(
    context: click.Context,
    words: tuple[str, ...],
    ref: str | None,
    by: str | None,
    at_any_hour: bool,
    as_json: bool,
) -> None:
    """Answer a patient: send a text in the thread of an enrollment's patient.

    It is refused where the patient may not be texted. An answer to a text of the last 4 hours,
    or in an open crisis, goes out at any hour; another keeps to the hours for texts.
    """
    id_, text = _id_and_text(context, words, ref)
    app = App.from_environment()
    scope, now = app.scope, app.clock()
    by = _name(by)
    found = enrollment_id(scope, id_, ref)
    draft = draft_answer(scope, found, text, now)
    if draft.opens_at is not None and not at_any_hour and _can_ask(as_json):
        at_any_hour = click.confirm(f"{night_said(draft, now)} Send it now?", abort=True)
    sent = answer_patient(scope, found, text, by, now, at_any_hour=at_any_hour)
    if as_json:
        print_json(sent.as_json())
    else:
        _print_sent(sent, hears=scope.clinic.hears_replies)


def _id_and_text(
    context: click.Context, words: tuple[str, ...], ref: str | None
) -> tuple[int | None, str]:
    """Take the arguments apart: with --ref there is no ID."""
    wanted = 1 if ref is not None else 2
    if len(words) > wanted:
        raise click.UsageError("Put the text in quotes, so that it is one word", context)
    if len(words) < wanted:
        raise click.UsageError('Say whom to answer and what: drip reply ID "TEXT"', context)
    return (None if ref is not None else _ID.convert(words[0], None, context)), words[-1]


def _name(by: str | None) -> str:
    """Who answers; a machine's own user is nobody. Raises InvalidInput."""
    if by is None:
        try:
            user = getuser()
        except (OSError, KeyError):
            user = "root"
        by = "" if user == "root" else user
    by = one_line("--by", by.strip())
    if not by:
        raise InvalidInput("Say who answers: --by NAME.")
    return by


def _can_ask(as_json: bool) -> bool:
    return not as_json and sys.stdin.isatty() and sys.stdout.isatty()


def _print_sent(sent: StaffAnswer, *, hears: bool) -> None:
    draft = sent.draft
    count = draft.parts.count
    if count > _MANY_PARTS:
        warn(f"It takes {_parts_said(draft.parts)}: each is paid for, and may come alone.")
    click.echo(f"On its way to {phone_said(draft.phone)} by {sent.by}: {_parts_said(draft.parts)}.")
    _say_next(draft, hears=hears)


def _say_next(draft: Draft, *, hears: bool) -> None:
    note("`drip run` or a worker hands it over at once.")
    note(f"`drip show {draft.enrollment_id}` says what became of it.")
    if draft.task_id is not None:
        note(f"Task {draft.task_id} stays open: `drip tasks done {draft.task_id} --by NAME`.")
    if not hears:
        note("Drip does not hear an answer to it: `replies` is off in clinic.yaml.")


def _parts_said(parts: Parts) -> str:
    count = f"{parts.count} part{'' if parts.count == 1 else 's'}"
    if parts.encoding == "GSM-7":
        return count
    return f"{count}, more because of {' '.join(parts.outside[:5])}"
