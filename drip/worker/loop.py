"""The embedded loop: one process that sends what is due and keeps house."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from drip.clock import Clock
from drip.core.schedule import Channel
from drip.errors import StoreError
from drip.services import metrics
from drip.services.answers.answering import send_waiting
from drip.services.answers.crisis import raise_again
from drip.services.outbound.sending import Sender
from drip.services.receipts.polling import poll
from drip.services.staff.digest import send_digests
from drip.services.upkeep.housekeeping import keep_house
from drip.store import claiming
from drip.store.engine import reading

log = structlog.get_logger(__name__)

_HOUSE_EVERY = timedelta(seconds=30)
_LONGEST_NAP = 1.0
"""Seconds: how late a delivery that another process plans may be noticed."""
_AFTER_TROUBLE = 5.0
_PACE_IS_SHORT = 0.1
"""Seconds after which what is due and could not be claimed is looked at again."""


def run(
    sender: Sender,
    clock: Clock,
    stop: threading.Event,
    on_batch: Callable[[int], None] = lambda _sent: None,
) -> None:
    """Send until `stop` is set; the batch in hand is finished first.

    A database that is away for a while is waited for: nothing is lost meanwhile.
    """
    house_due: datetime | None = None
    while not stop.is_set():
        now = clock()
        try:
            send_waiting(sender.engine, sender.providers, now, pace=sender.pace)
            claimed = sender.tick(now)
            metrics.ticked(now)
            if house_due is None or now >= house_due:
                raise_again(sender.engine, now)
                keep_house(sender.engine, sender.providers, now)
                if (sms := sender.providers.get(Channel.SMS)) is not None:
                    poll(sender.engine, sms, now)
                if (email := sender.providers.get(Channel.EMAIL)) is not None:
                    send_digests(sender.engine, email, now)
                house_due = now + _HOUSE_EVERY
            nap = 0.0 if claimed else _nap(sender, clock())
        except StoreError as error:
            log.error("store.trouble", what=str(error))
            nap = _AFTER_TROUBLE
        else:
            if claimed:
                on_batch(claimed)
        stop.wait(nap)
    _finish(sender, clock())


def _finish(sender: Sender, now: datetime) -> None:
    """Write down what providers said while the database was away, if it is back."""
    try:
        sender.record_answers(now)
    except StoreError as error:
        log.error("store.trouble", what=str(error), unrecorded=len(sender.answers))


def _nap(sender: Sender, now: datetime) -> float:
    """How long to sleep, in seconds: until the next delivery is due, but not for long."""
    with reading(sender.engine) as session:
        due_at = claiming.next_due_at(session)
    if due_at is None:
        return _LONGEST_NAP
    seconds = (due_at - now).total_seconds()
    if seconds <= 0:
        return _PACE_IS_SHORT
    return min(max(seconds, 0.001), _LONGEST_NAP)
