"""`drip classify`: how a patient's reply is understood."""

import json
from collections.abc import Iterator
from typing import BinaryIO

import click

from drip.app import App
from drip.cli.printing import as_json, print_table
from drip.core.replies import Understood
from drip.services.inbound.understanding import understand_replies

_EXAMPLE = """\b
For example:
  drip classify "please stop texting me"
  drip classify --file replies.txt --json"""


@click.command(epilog=_EXAMPLE)
@click.argument("text", required=False)
@click.option("--file", type=click.File("rb"), help="A file with a reply a line; - reads input.")
@as_json
def classify(text: str | None, file: BinaryIO | None, as_json: bool) -> None:
    """Show how a patient's reply is understood.

    The rules are in messages/_replies, a file for each language. With --json there is a line
    of JSON for each reply. Needs no set-up.
    """
    if (text is None) == (file is None):
        raise click.UsageError("Say one thing: a TEXT, or --file FILE")
    texts = _lines(file) if file is not None else iter([text or ""])
    understood = understand_replies(App.from_environment().content, texts)
    if as_json:
        for each in understood:
            click.echo(json.dumps(_json(*each), ensure_ascii=False))
        return
    rows = [_row(*each) for each in understood]
    print_table(("Class", "Stop", "Language", "Matched", "Reply"), rows)


def _lines(file: BinaryIO) -> Iterator[str]:
    """The lines of a file; what is not UTF-8 in it is shown as a replacement character."""
    first = True
    for line in file:
        text = line.decode("utf-8-sig" if first else "utf-8", errors="replace")
        yield text.rstrip("\r\n")
        first = False


def _json(text: str, understood: Understood) -> dict[str, object]:
    return {
        "text": text,
        "class": understood.reply_class.value,
        "stop": understood.stop,
        "language": understood.language,
        "matched": understood.matched,
    }


def _row(text: str, understood: Understood) -> tuple[str, ...]:
    return (
        understood.reply_class.value,
        "stop" if understood.stop else "",
        understood.language or "",
        understood.matched or "",
        text,
    )
