"""Addresses that must not be messaged, known by a keyed hash: they outlive their patients' rows.

The key comes from DRIP_SECRET_KEY and is given once, to `use_key`. Without one nothing is
remembered here, and an address is suppressed for as long as its row is there. With another key
what was remembered is no longer found.
"""

import hmac
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from drip.core.schedule import Channel
from drip.store.inserting import insert_or
from drip.store.schema import Suppression

_LABEL = b"drip.suppressions.1"
"""What the key is for: the links of a patient's pages are signed with another."""

_key: bytes | None = None


def use_key(secret: bytes | None) -> None:
    """Hash addresses with a key that is made of this secret from now on; None for not at all."""
    global _key
    _key = hmac.digest(secret, _LABEL, "sha256") if secret else None


def digest_of(channel: Channel, address: str) -> str | None:
    """The keyed hash (HMAC-SHA256, hexadecimal) of an address on a channel; None without a key."""
    if _key is None:
        return None
    return hmac.digest(_key, f"{channel.value}:{address}".encode(), "sha256").hex()


def remember(
    session: Session, clinic_id: int, channel: Channel, address: str, because: str, at: datetime
) -> None:
    """Know this address again, whatever becomes of its row. Another reason replaces the first."""
    digest = digest_of(channel, address)
    if digest is None:
        return
    statement = insert_or(session, Suppression).values(
        clinic_id=clinic_id, channel=channel, digest=digest, because=because, at=at
    )
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["clinic_id", "channel", "digest"],
        set_={"because": new.because, "at": new.at},
        where=Suppression.because != new.because,
    )
    session.execute(statement)


def forget(session: Session, clinic_id: int, channel: Channel, address: str) -> None:
    """Know this address no longer: it may be messaged again."""
    digest = digest_of(channel, address)
    if digest is None:
        return
    session.execute(
        delete(Suppression).where(
            Suppression.clinic_id == clinic_id,
            Suppression.channel == channel,
            Suppression.digest == digest,
        )
    )
