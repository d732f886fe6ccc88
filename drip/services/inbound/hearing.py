"""Hearing replies: each text that somebody sends is kept, understood, and followed by what it asks.

All of it happens in one transaction, under the lock of the address that wrote: what two texts of
one phone ask for is done one after the other, and a stop is seen by whoever sends.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.content.answers import load_answers
from drip.content.reply_rules import load_replies
from drip.content.sources import ContentDir, content_dir
from drip.core.inbound import InboundText
from drip.core.replies import Replies, ReplyClass, Understood
from drip.core.schedule import Channel
from drip.errors import ContentError
from drip.services.answers import crisis
from drip.services.inbound.effects import (
    answer_help,
    confirm,
    note_ride,
    read_by_person,
    start,
    stop,
)
from drip.services.inbound.hearing_crisis import hear_crisis
from drip.services.inbound.said import Heard
from drip.services.inbound.whose import whose_is
from drip.store import patients, replies
from drip.store.engine import writing

log = structlog.get_logger(__name__)

_EFFECTS: Mapping[ReplyClass, Callable[[Session, Heard], None]] = {
    ReplyClass.STOP: stop,
    ReplyClass.START: start,
    ReplyClass.HELP: answer_help,
    ReplyClass.CONFIRM: confirm,
    ReplyClass.RIDE: note_ride,
}
"""What follows from a reply of each class; from any other, that a person reads it."""

_LONGEST = 100
"""Characters of a number or an id; the real ones are far shorter."""

_MOST_PICTURES = 100

_OPTED = {"STOP": ReplyClass.STOP, "START": ReplyClass.START, "HELP": ReplyClass.HELP}


def get_ready(content: ContentDir) -> None:
    """Read the rules and the words, so that no patient waits for it; `hear` says what is broken."""
    _rules(content)
    with suppress(ContentError):
        load_answers(content)


def hear(engine: Engine, content: ContentDir, text: InboundText, now: datetime) -> None:
    """Keep a text that somebody sent, and do what it asks for; `now` is UTC.

    The same text a second time changes nothing at all. Raises StoreError while there is no
    clinic, ContentError where the clinic's profile is broken.
    """
    text = _storable(text)
    understood = _rules(content).understand(text.body)
    stops = understood.stop or text.opted == "STOP"
    asks = _asks(text, understood, stops=stops)
    with writing(engine) as session:
        whose = whose_is(session, engine, content, text, now)
        reply_id = replies.keep(
            session,
            clinic_id=whose.scope.clinic_id,
            provider=text.provider,
            provider_id=text.provider_id,
            address=text.address,
            sender=text.sender,
            body=text.body,
            media=text.media,
            received_at=now,
            reply_class=asks,
            stop=stops,
            language=understood.language,
        )
        if reply_id is None:
            return
        pair = (Channel.SMS, text.address)
        # In one order for all, so that nobody waits for somebody who waits for them.
        locked = {
            scope.clinic_id: pair in patients.lock_addresses(session, scope.clinic_id, [pair])
            for scope in sorted((whose.scope, *whose.also), key=lambda scope: scope.clinic_id)
        }
        stopped = locked[whose.scope.clinic_id]
        _follow(session, Heard(reply_id, text, understood, asks, stops, whose, stopped, now))
    log.info("reply.heard", reply=reply_id, clinic=whose.scope.clinic_id, reply_class=asks)


@lru_cache(maxsize=8)
def _rules(content: ContentDir) -> Replies:
    """What understands replies. Where a clinic broke its own rules, the built-in ones do: a cry
    for help is not lost over a slip in a file.
    """
    try:
        return load_replies(content)
    except ContentError as error:
        log.error("replies.broken", what=str(error))
        return load_replies(content_dir())


def _asks(text: InboundText, understood: Understood, *, stops: bool) -> ReplyClass:
    """What a text asks for: a crisis before all, then what the carrier has understood.

    What came with a picture is read by a person, whatever the words beside it say.
    """
    if understood.reply_class is ReplyClass.CRISIS:
        return ReplyClass.CRISIS
    if stops:
        return ReplyClass.STOP
    if text.opted in _OPTED:
        return _OPTED[text.opted]
    return ReplyClass.OTHER if text.media else understood.reply_class


def _follow(session: Session, heard: Heard) -> None:
    case = crisis.open_case_of(session, heard.scope.clinic_id, heard.address)
    if heard.asks is ReplyClass.CRISIS or case is not None:
        hear_crisis(session, heard, case)
    else:
        _EFFECTS.get(heard.asks, read_by_person)(session, heard)


def _storable(text: InboundText) -> InboundText:
    """The text as every database can keep it: no NUL, no half of a character, nothing endless."""
    return replace(
        text,
        provider_id=_clean(text.provider_id)[:_LONGEST],
        body=_clean(text.body),
        address=_clean(text.address).strip()[:_LONGEST],
        sender=_clean(text.sender).strip()[:_LONGEST],
        media=min(max(text.media, 0), _MOST_PICTURES),
    )


def _clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
