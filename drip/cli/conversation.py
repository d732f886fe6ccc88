"""How replies and answers are shown in a terminal."""

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from drip.cli.printing import wrapped
from drip.content.words import phone_said
from drip.core.answers import STAFF
from drip.core.replies import ReplyClass
from drip.services.staff.conversation import Conversation
from drip.store.schema import Answer, AnswerStatus, Reply

_INDENT = 20

_UNDERSTOOD = {
    ReplyClass.CRISIS: "words of crisis",
    ReplyClass.STOP: "stop",
    ReplyClass.START: "start",
    ReplyClass.HELP: "help",
    ReplyClass.CONFIRM: "confirms the visit",
    ReplyClass.RIDE: "has a ride home",
    ReplyClass.RESCHEDULE: "wants another time",
    ReplyClass.LATE: "comes late",
    ReplyClass.OTHER: "for a person to read",
}
_COLOURS: dict[AnswerStatus, str] = {
    "accepted": "green",
    "delivered": "green",
    "unknown": "yellow",
    "undelivered": "red",
    "failed": "red",
    "withheld": "red",
}
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_JOINERS = "\u200c\u200d"
"""They are not seen, but emoji and the letters of some languages are joined by them."""


def conversation_lines(conversation: Conversation, zone: ZoneInfo) -> Iterator[str]:
    """Replies and answers in order of time, on the clock of `zone`."""
    said = [(reply.received_at, reply_lines(reply, zone)) for reply in conversation.replies]
    said += [(said_at(answer), answer_lines(answer, zone)) for answer in conversation.answers]
    for _, lines in sorted(said, key=lambda each: each[0]):
        yield from lines


def said_at(answer: Answer) -> datetime:
    """When an answer was handed over, or else was written (UTC)."""
    return answer.sent_at or answer.created_at


def reply_lines(reply: Reply, zone: ZoneInfo) -> list[str]:
    """A reply: when it came, how it was understood, and its words below."""
    notes = [_UNDERSTOOD[reply.reply_class]]
    if reply.stop and reply.reply_class is not ReplyClass.STOP:
        notes.append("stop")
    if reply.media:
        notes.append(f"{reply.media} picture{'' if reply.media == 1 else 's'}, not fetched")
    if reply.task_id is not None:
        notes.append(f"task {reply.task_id}")
    is_crisis = reply.reply_class is ReplyClass.CRISIS
    said = f"reply: {', '.join(notes)}"
    return [*_head(reply.received_at, zone, said, "red" if is_crisis else "cyan"), *_words(reply)]


def answer_lines(answer: Answer, zone: ZoneInfo) -> list[str]:
    """An answer: when it went out, by whom, what became of it, and its words below."""
    kind = "" if answer.kind == STAFF else f" ({answer.kind})"
    code = f" {answer.code}" if answer.code else ""
    said = f"answer by {shown(answer.by_whom)}{kind}, {answer.channel}: {answer.status}{code}"
    return [*_head(said_at(answer), zone, said, _COLOURS.get(answer.status)), *_words(answer)]


def shown(text: str) -> str:
    """Somebody's words on one line, with a "?" for what a terminal might obey or hide."""
    words = " ".join(text.split())
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else "?" for letter in words
    )


def phone_shown(address: str) -> str:
    """A phone as people write it, and as it came where it is none: a short code, a service."""
    if not _PHONE.fullmatch(address):
        return shown(address)
    if address.startswith("+1"):
        return phone_said(address)
    from phonenumbers import NumberParseException

    try:
        return phone_said(address)
    except NumberParseException:
        return address


def _head(moment: datetime, zone: ZoneInfo, said: str, colour: str | None) -> list[str]:
    first, *rest = wrapped(said, _INDENT)
    start = f"  {moment.astimezone(zone):%Y-%m-%d %H:%M}  "
    return [
        start + click.style(first, fg=colour),
        *(" " * _INDENT + click.style(line, fg=colour) for line in rest),
    ]


def _words(of: Reply | Answer) -> list[str]:
    said = shown(of.body)
    lines = wrapped(f'"{said}"' if said else "(no words)", _INDENT)
    return [" " * _INDENT + line for line in lines]
