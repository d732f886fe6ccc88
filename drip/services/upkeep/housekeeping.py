"""What keeps deliveries from standing still: lapsed leases, unknown outcomes, `until`."""

from collections.abc import Mapping
from datetime import datetime

import structlog
from sqlalchemy import Engine

from drip.core.delivery import Reason
from drip.core.schedule import Channel
from drip.providers.protocol import Provider
from drip.services.outbound.afterwards import tell_staff
from drip.services.outbound.settling import settle_all
from drip.store import deliveries
from drip.store.engine import writing

log = structlog.get_logger(__name__)


def keep_house(engine: Engine, providers: Mapping[Channel, Provider], now: datetime) -> None:
    """Rescue, expire and settle, once; `now` is aware UTC.

    Asking providers comes last: one that is slow holds up nothing else.
    """
    rescue(engine, now)
    expire(engine, now)
    settle_all(engine, providers, now)


def rescue(engine: Engine, now: datetime) -> None:
    """Give back what a dead worker had claimed; what it was sending is unknown from now on."""
    with writing(engine) as session:
        rescued = deliveries.rescue(session, now)
    if rescued.given_back or rescued.unknown:
        log.warning("lease.lapsed", given_back=rescued.given_back, unknown=rescued.unknown)


def expire(engine: Engine, now: datetime) -> None:
    """End what waited past its `until`; staff hear of the essential steps among it."""
    while True:
        with writing(engine) as session:
            rows = deliveries.expire(session, now)
            for row in rows:
                tell_staff(session, row, Reason.UNTIL_PASSED, now)
        if not rows:
            return
