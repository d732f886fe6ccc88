"""What is counted for Prometheus while deliveries are sent. Off until `turn_on`.

The functions that a sender calls cost nothing to speak of while metrics are off, and a
microsecond or a few while they are on. Labels are few and never name a clinic or a patient.
"""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from drip.core.schedule import Channel

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

# prometheus_client takes as long to import as all of Drip: only who shows metrics pays for it.

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Where the processes of a worker put their counts; set before prometheus_client is imported."""

_TOLD_EVERY = timedelta(seconds=0.5)

_SECONDS_OF_HAND_OVER = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SECONDS_LATE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14400)


class _Meters:
    """The meters of a process; each keeps its children at hand, as finding one costs most."""

    def __init__(self, registry: "CollectorRegistry | None") -> None:
        from prometheus_client import Counter, Histogram

        claimed = Counter(
            "drip_deliveries_claimed_total",
            "Deliveries that were claimed.",
            ("channel",),
            registry=registry,
        )
        ended = Counter(
            "drip_deliveries_ended_total",
            "Hand-overs of a delivery that have ended, by what the provider answered.",
            ("channel", "provider", "outcome"),
            registry=registry,
        )
        messages = Counter(
            "drip_hand_over_messages_total",
            "Messages that were given to a provider.",
            ("provider",),
            registry=registry,
        )
        hand_over = Histogram(
            "drip_hand_over_seconds",
            "How long a provider took over a batch of messages, or over one.",
            ("provider",),
            registry=registry,
            buckets=_SECONDS_OF_HAND_OVER,
        )
        late = Histogram(
            "drip_due_to_hand_over_seconds",
            "How long after its due time a delivery was handed over.",
            ("channel",),
            registry=registry,
            buckets=_SECONDS_LATE,
        )
        said = Counter(
            "drip_answers_ended_total",
            "Hand-overs of an answer that have ended, and receipts of one, by what it was for.",
            ("kind", "outcome"),
            registry=registry,
        )
        receipts = Counter(
            "drip_receipts_total",
            "Receipts of deliveries, by the provider's word and code; doubled ones count too.",
            ("provider", "status", "code"),
            registry=registry,
        )
        webhooks = Counter(
            "drip_webhooks_total",
            "Requests of providers, by what they were for and what became of them.",
            ("kind", "outcome"),
            registry=registry,
        )
        self.claimed: Callable[[Channel], Counter] = cache(claimed.labels)
        self.ended: Callable[[Channel, str, str], Counter] = cache(ended.labels)
        self.messages: Callable[[str], Counter] = cache(messages.labels)
        self.hand_over: Callable[[str], Histogram] = cache(hand_over.labels)
        self.late: Callable[[Channel], Histogram] = cache(late.labels)
        self.said: Callable[[str, str], Counter] = cache(said.labels)
        self.receipts: Callable[[str, str, str], Counter] = cache(receipts.labels)
        self.webhooks: Callable[[str, str], Counter] = cache(webhooks.labels)


_meters: _Meters | None = None
_shown: "CollectorRegistry | None" = None
_last_tick: datetime | None = None
_tell: Callable[[datetime], None] | None = None
_told: datetime | None = None


def claimed(channel: Channel, count: int) -> None:
    """Count deliveries that were claimed."""
    if _meters is not None:
        _meters.claimed(channel).inc(count)


def answered(channel: Channel, provider: str, outcome: str, count: int = 1) -> None:
    """Count answers of a provider; `outcome` is that of the attempt, as in "accepted"."""
    if _meters is not None:
        _meters.ended(channel, provider, outcome).inc(count)


def said(kind: str, outcome: str) -> None:
    """Count what became of an answer; `kind` as in "help", `outcome` as in "accepted"."""
    if _meters is not None:
        _meters.said(kind, outcome).inc()


def receipt(provider: str, status: str, code: str) -> None:
    """Count a receipt; `code` is "" without one, and "unknown" for one that no table has."""
    if _meters is not None:
        _meters.receipts(provider, status, code).inc()


def webhook(kind: str, outcome: str) -> None:
    """Count a provider's request; `kind` as in "twilio_status", `outcome` as in "forged"."""
    if _meters is not None:
        _meters.webhooks(kind, outcome).inc()


def handed_over(provider: str, seconds: float, count: int) -> None:
    """Note how long a provider took over `count` messages that were given to it together."""
    if _meters is not None:
        _meters.hand_over(provider).observe(seconds)
        _meters.messages(provider).inc(count)


def late(channel: Channel, seconds: float) -> None:
    """Note how long after its due time a delivery is handed over."""
    if _meters is not None:
        _meters.late(channel).observe(max(seconds, 0.0))


def ticked(now: datetime) -> None:
    """Note that somebody looked for what is due at `now` (UTC)."""
    global _last_tick, _told
    _last_tick = now
    if _tell is not None and (_told is None or abs(now - _told) >= _TOLD_EVERY):
        _told = now
        _tell(now)


def last_tick() -> datetime | None:
    """When this process last looked for what is due (UTC)."""
    return _last_tick


def tell_ticks(tell: Callable[[datetime], None]) -> None:
    """Have ticks told to `tell` as well, at most twice a second."""
    global _tell
    _tell = tell


def turn_on() -> "CollectorRegistry":
    """Count from now on, if it did not before; gives what there is to show.

    Where `MULTIPROCESS` names a folder, that is the counts of all processes that share it.
    """
    from prometheus_client import CollectorRegistry, disable_created_metrics

    global _meters, _shown
    if _shown is not None:
        return _shown
    disable_created_metrics()  # type: ignore[no-untyped-call] # a series more for each
    shown = _shown = CollectorRegistry()
    if MULTIPROCESS not in os.environ:
        _meters = _Meters(shown)
        return shown
    from prometheus_client.multiprocess import MultiProcessCollector

    MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
    _meters = _Meters(None)
    return shown


def page() -> bytes:
    """What there is to show, as Prometheus reads it; counts from now on if it did not before."""
    from prometheus_client import generate_latest

    return generate_latest(turn_on())


def turn_off() -> None:
    """Count no more."""
    global _meters, _shown, _tell, _told, _last_tick
    _meters = _shown = _tell = _told = _last_tick = None
