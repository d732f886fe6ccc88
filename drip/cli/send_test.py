"""`drip send-test`: one message to oneself."""

import click

from drip.app import App
from drip.cli.printing import as_json, note, print_json
from drip.core.outgoing import Accepted, Answer, EmailContent, Outgoing, Rejected, Retry, Unknown
from drip.core.schedule import DEFAULT_SCHEDULE, Channel
from drip.errors import DripError
from drip.services.trials.send_test import SendTest, make_test_message, refuse_stopped
from drip.services.upkeep.setting_up import is_set_up

_EXAMPLE = '\b\nFor example:\n  drip send-test day-before --to "+1 212 555 0100"'


@click.command("send-test", epilog=_EXAMPLE)
@click.argument("step")
@click.option("--to", required=True, metavar="ADDRESS", help="Your own phone or email.")
@click.option("--language", metavar="CODE", help="en or es.  [default: the clinic's]")
@click.option(
    "--channel",
    type=click.Choice(tuple(channel.value for channel in Channel), case_sensitive=False),
    help="Needed only for a step that does not use the address's channel.",
)
@click.option("--schedule", default=DEFAULT_SCHEDULE, show_default=True, metavar="NAME")
@as_json
def send_test(
    step: str, to: str, language: str | None, channel: str | None, schedule: str, as_json: bool
) -> None:
    """Send the message of a step to yourself, marked as a test.

    It is made for a patient who does not exist and goes through the providers that are set. No
    enrollment is needed and nothing is kept.
    """
    app = App.from_environment()
    if not app.has_clinic:
        note("There is no clinic.yaml here: this is the sample clinic's message.")
    now = app.clock()
    chosen = Channel(channel) if channel else None
    wanted = SendTest(schedule, step, to, language, chosen, app.example_page)
    outgoing = make_test_message(app.content, app.clinic_or_sample, wanted, now)
    if app.has_clinic and is_set_up(app.engine):
        refuse_stopped(app.scope, outgoing)
    provider = app.providers()[outgoing.channel]
    try:
        (answer,) = provider.send([outgoing], now)
    finally:
        provider.close()
    if not isinstance(answer, Accepted):
        raise DripError(_why_not(provider.name, answer))
    if as_json:
        print_json(_json(outgoing, provider.name, answer))
        return
    click.echo(_content_said(outgoing))
    click.echo(f"{provider.name} took it for {outgoing.to}: {answer.provider_id}")


def _content_said(outgoing: Outgoing) -> str:
    content = outgoing.content
    return content.subject if isinstance(content, EmailContent) else content.body


def _why_not(provider: str, answer: Answer) -> str:
    match answer:
        case Rejected(code):
            return f"{provider} refused it: {_meaning(provider, code)}"
        case Retry(code):
            return f"{provider} did not take it ({code}): try again, or ask `drip doctor`."
        case Unknown(why):
            return f"It may have arrived or not: {why}."
        case Accepted():
            raise AssertionError(answer)


def _meaning(provider: str, code: str) -> str:
    if provider != "twilio":
        return f"its answer is {code}."
    from drip.providers.twilio_codes import meaning_of

    return f"{code}. {meaning_of(code).says}"


def _json(outgoing: Outgoing, provider: str, answer: Accepted) -> dict[str, object]:
    content = outgoing.content
    subject, body = (
        (content.subject, content.text)
        if isinstance(content, EmailContent)
        else (None, content.body)
    )
    return {
        "channel": outgoing.channel,
        "to": outgoing.to,
        "provider": provider,
        "provider_id": answer.provider_id,
        "subject": subject,
        "body": body,
    }
