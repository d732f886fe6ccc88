"""The tasks: each a few lines that call a service. Their arguments are ids and a lease's token."""

from functools import cache

from celery import shared_task

from drip.app import App
from drip.core.schedule import Channel
from drip.services import metrics
from drip.services.answers.answering import send_waiting
from drip.services.answers.crisis import raise_again
from drip.services.outbound.sending import Claim, Sender
from drip.services.outbound.settling import settle_all
from drip.services.receipts import polling
from drip.services.staff.digest import send_digests
from drip.services.upkeep import housekeeping
from drip.worker import ticking

_TICK = "tick"
_FOLLOW_UP = "follow-up"
_LATE = 2.0
"""Seconds after which a tick that did not come, or did not end, is not waited for any more."""


@shared_task(name="drip.tick")
def tick(*, follow_up: bool = False) -> None:
    """Claim what is due and give it to the workers of its channel."""
    app, sender = _app(), _sender()
    if follow_up:
        app.turns.leave(_FOLLOW_UP)
    if not app.turns.take(_TICK, _LATE):
        return
    metrics.ticked(app.clock())
    try:
        wait = ticking.watch(sender, _hand_on, app.clock)
    finally:
        app.turns.leave(_TICK)
    if wait is not None and app.turns.take(_FOLLOW_UP, wait + _LATE):
        tick.apply_async(kwargs={"follow_up": True}, countdown=wait)


@shared_task(name="drip.deliver")
def deliver(ids: list[int], token: str) -> None:
    """Send a claimed batch: decide, render, hand over, record."""
    sender, clock = _sender(), _app().clock
    sender.record_answers(clock())
    sender.work_through(Claim(token, tuple(ids)), clock)


@shared_task(name="drip.rescue")
def rescue() -> None:
    """Take care of deliveries whose worker let the lease lapse."""
    sender, now = _sender(), _app().clock()
    sender.record_answers(now)
    housekeeping.rescue(sender.engine, now)


@shared_task(name="drip.settle")
def settle() -> None:
    """Ask the providers what became of deliveries whose outcome is not known."""
    sender = _sender()
    settle_all(sender.engine, sender.providers, _app().clock())


@shared_task(name="drip.poll")
def poll() -> None:
    """Ask for receipts of texts that did not come."""
    sender = _sender()
    polling.poll(sender.engine, sender.providers[Channel.SMS], _app().clock())


@shared_task(name="drip.expire")
def expire() -> None:
    """End what is too late."""
    housekeeping.expire(_sender().engine, _app().clock())


@shared_task(name="drip.digest")
def digest() -> None:
    """Tell each clinic in the morning what its day brings."""
    sender = _sender()
    send_digests(sender.engine, sender.providers[Channel.EMAIL], _app().clock())


@shared_task(name="drip.answer")
def answer() -> None:
    """Say what waits to be said to those who wrote, and to staff."""
    app, sender = _app(), _sender()
    while send_waiting(sender.engine, sender.providers, app.clock(), pace=sender.pace):
        pass


@shared_task(name="drip.alarm")
def alarm() -> None:
    """Alert staff again of what nobody has taken on."""
    raise_again(_sender().engine, _app().clock())


def _hand_on(channel: Channel, claim: Claim) -> None:
    deliver.apply_async((list(claim.ids), claim.token), queue=channel.value)


@cache
def _app() -> App:
    """The application of this process. Workers fork first and then connect."""
    return App.from_environment()


@cache
def _sender() -> Sender:
    return _app().sender()
