"""Receipts that did not come: the provider is asked for them by the ids that it gave."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from drip.core.inbound import ReceiptWord
from drip.providers.protocol import Knowing, Provider
from drip.services.receipts.receiving import receive_all
from drip.store import receipts
from drip.store.engine import reading, writing
from drip.store.receipts import Silent

SILENCE = timedelta(hours=1)
"""How long a receipt is waited for after the hand-over."""

AT_ONCE = 100
"""How many deliveries one run asks about; the longest not asked for come first."""

_ASKED = (
    (SILENCE, timedelta(hours=6)),
    (timedelta(hours=6), timedelta(days=2)),
)
"""How often a provider is asked of a delivery, by how long ago that was handed over. Then it is
not asked any more: carriers that say nothing for two days will not."""


def poll(engine: Engine, provider: Provider, now: datetime) -> int:
    """Ask for texts that were accepted long ago and came to no end; gives how many.

    What the provider says is taken in as a receipt is. A provider that cannot be asked is not.
    `now` is UTC. Raises StoreError.
    """
    if not isinstance(provider, Knowing):
        return 0
    silent = _silent(engine, provider.name, now)
    if not silent:
        return 0
    said = provider.look_up([each.provider_id for each in silent])
    with writing(engine) as session:
        receipts.asked(session, [each.delivery_id for each in silent], now)
    receive_all(engine, _words(silent, said), now)
    return len(silent)


def _silent(engine: Engine, provider: str, now: datetime) -> list[Silent]:
    found: list[Silent] = []
    after = SILENCE
    for every, until in _ASKED:
        span = (now - until, now - after)
        with reading(engine) as session:
            found += receipts.silent(
                session, provider, sent=span, asked_before=now - every, limit=AT_ONCE - len(found)
            )
        after = until
    return found


def _words(silent: list[Silent], said: list[ReceiptWord | None]) -> list[tuple[int, ReceiptWord]]:
    pairs = zip(silent, said, strict=True)
    return [(each.delivery_id, word) for each, word in pairs if word is not None]
