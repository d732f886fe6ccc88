"""Receipts: what a provider's later word says of a message (rules.md, "Twilio")."""

from enum import StrEnum

from drip.core.delivery import Status


class Taken(StrEnum):
    """What became of a receipt."""

    MOVED = "moved"
    """The delivery stands elsewhere now."""
    KEPT = "kept"
    """It is on record; the delivery was there, or further, already."""
    AGAIN = "again"
    """It was on record already: nothing is changed."""
    NOT_OURS = "not_ours"
    """There is no such delivery."""


_SAYS: dict[str, Status] = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), Status.ACCEPTED),
    **dict.fromkeys(("delivered", "read"), Status.DELIVERED),
    "undelivered": Status.UNDELIVERED,
    **dict.fromkeys(("failed", "canceled"), Status.FAILED),
}


def says(word: str) -> Status | None:
    """Where a provider's word puts a message; None for a word that nobody knows.

    Words come in any order: a message only ever goes on from one to the next of accepted, and
    delivered, undelivered or failed, which end it.
    """
    return _SAYS.get(word)


def is_failure(status: Status | None) -> bool:
    """Whether the message came to nothing."""
    return status in (Status.UNDELIVERED, Status.FAILED)
