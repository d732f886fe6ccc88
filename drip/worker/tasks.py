"""The tasks: each a few lines that call a service. Their arguments are ids and a lease's token."""

from functools import cache

from celery import shared_task

from drip.app import App
from drip.core.schedule import Channel
from drip.services.housekeeping import keep_house as keep_house_now
from drip.services.sending import Claim, Sender

BATCHES = 20
"""Batches that one tick may claim of a channel; what is left is claimed by the next one."""


@shared_task(name="drip.tick")
def tick() -> None:
    """Claim what is due and give it to the workers of its channel."""
    sender, now = _sender(), _app().clock()
    for channel in Channel:
        for _ in range(BATCHES):
            claim = sender.claim(now, channel)
            if not claim.ids:
                break
            deliver.apply_async((list(claim.ids), claim.token), queue=channel.value)


@shared_task(name="drip.deliver")
def deliver(ids: list[int], token: str) -> None:
    """Send a claimed batch: decide, render, hand over, record."""
    sender, now = _sender(), _app().clock()
    sender.record_answers(now)
    sender.work(Claim(token, tuple(ids)), now)


@shared_task(name="drip.keep_house")
def keep_house() -> None:
    """Rescue lapsed leases, settle unknown outcomes, end what is too late."""
    sender = _sender()
    keep_house_now(sender.engine, sender.providers, _app().clock())


@cache
def _app() -> App:
    """The application of this process. Workers fork first and then connect."""
    return App.from_environment()


@cache
def _sender() -> Sender:
    return _app().sender()
