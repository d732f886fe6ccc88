"""What became of texts whose answer was lost: Twilio's own list says it.

Twilio has no idempotency key, so that an attempt is known again by number, words and time
(rules.md, "Twilio"). A wrong "not there" would text a patient twice, and a wrong "there" would
leave one without: where it is not clear, the answer is Unknown.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]
from twilio.rest.api.v2010.account.message import (  # type: ignore[import-untyped]
    MessageInstance,
)

from drip.core.inbound import ReceiptWord
from drip.core.outgoing import Accepted, NotSent, Settlement, Unknown, Unsettled
from drip.providers.twilio_codes import meaning_of
from drip.providers.twilio_http import NoAnswerError, NotSentError

_CLOCKS_DIFFER = timedelta(minutes=5)
_LATEST = timedelta(hours=1)
_SURE_AFTER = timedelta(minutes=2)
_DAY = timedelta(days=1)
_NEWEST = 200
_TRIAL_PREFIX = "Sent from your Twilio trial account - "
_FAILED = frozenset({"failed", "undelivered", "canceled"})

_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What the Twilio client raises for an answer that is not what it expects."""

Map = Callable[[Callable[[list[Unsettled]], list[Settlement]], Iterable[list[Unsettled]]], Any]


def settle_all(
    client: Client,
    sender: str | None,
    batch: Sequence[Unsettled],
    now: datetime,
    over: Map,
) -> list[Settlement]:
    """Settle the attempts of a batch: one look into the list for each number.

    `sender` is the From number if there is one; `over` maps a function over the numbers, in
    order, perhaps at the same time. A message that was made from five minutes before the attempt
    to an hour after it with the same words is the attempt's, and of one attempt only. NotSent
    is said only once an attempt is two minutes old.
    """
    by_number: dict[tuple[str, str | None], list[Unsettled]] = defaultdict(list)
    for unsettled in batch:
        by_number[unsettled.to, unsettled.sender].append(unsettled)
    groups = [sorted(group, key=lambda one: one.started_at) for group in by_number.values()]
    settled: dict[int, Settlement] = {}
    answers = over(lambda group: _settle_number(client, sender, group, now), groups)
    for group, settlements in zip(groups, answers, strict=True):
        settled |= {one.attempt_id: answer for one, answer in zip(group, settlements, strict=True)}
    return [settled[unsettled.attempt_id] for unsettled in batch]


def look_up(client: Client, sid: str) -> ReceiptWord | None:
    """What Twilio says by now of the message with this id; None where it does not say."""
    try:
        message = client.messages(sid).fetch()
    except (NotSentError, NoAnswerError, TwilioException, *_UNREADABLE):
        return None
    if message.sid != sid or not message.status:
        return None
    code = str(message.error_code) if message.error_code else None
    return ReceiptWord("twilio", sid, str(message.status), code)


def _settle_number(
    client: Client, sender: str | None, group: list[Unsettled], now: datetime
) -> list[Settlement]:
    """Settle the attempts to one number, oldest first: each takes the oldest message that fits."""
    try:
        messages = _listed(client, sender, group)
    except (NotSentError, NoAnswerError, TwilioException, *_UNREADABLE):
        return [Unknown("Twilio's list of messages did not answer") for _ in group]
    return [_settle(one, messages, now) for one in group]


def _settle(one: Unsettled, messages: list[MessageInstance], now: datetime) -> Settlement:
    in_time = [
        message
        for message in messages
        if -_CLOCKS_DIFFER <= message.date_created - one.started_at <= _LATEST
    ]
    for message in in_time:
        if _same_words(message.body, one.body):
            messages.remove(message)
            return _outcome(message)
    if any(not message.body for message in in_time):
        return Unknown("Twilio's list hides the words of its messages")
    if now - one.started_at <= _SURE_AFTER:
        return Unknown("Twilio's list may not show it yet")
    return NotSent()


def _listed(client: Client, sender: str | None, group: list[Unsettled]) -> list[MessageInstance]:
    """The messages to the number, oldest first, each once.

    Those with a sending date around the attempts, and the newest ones besides: a message that
    still waits at Twilio has no sending date yet and is missing among the first.
    """
    sender = group[0].sender or sender
    filters = {"to": group[0].to} | ({"from_": sender} if sender else {})
    by_day = client.messages.stream(
        **filters,
        date_sent_after=group[0].started_at - _DAY,
        date_sent_before=group[-1].started_at + 2 * _DAY,
        page_size=_NEWEST,
    )
    newest = client.messages.stream(**filters, limit=_NEWEST, page_size=_NEWEST)
    found = {message.sid: message for message in _ours(by_day)}
    found |= {message.sid: message for message in _ours(newest)}
    return sorted(found.values(), key=lambda message: message.date_created)


def _ours(messages: Iterable[MessageInstance]) -> Iterator[MessageInstance]:
    """Those that can be told: with an id and a date, and not a patient's own."""
    for message in messages:
        if message.sid and message.date_created and message.direction != "inbound":
            yield message


def _same_words(listed: str | None, sent: str | None) -> bool:
    """Whether the words are the same; a trial account puts its own before them."""
    words = (listed or "").strip()
    return bool(words) and words.removeprefix(_TRIAL_PREFIX) == (sent or "").strip()


def _outcome(message: MessageInstance) -> Settlement:
    if message.error_code or message.status in _FAILED:
        return meaning_of(str(message.error_code or message.status)).as_answer()
    return Accepted(message.sid)
