"""What a service that carries emails says of one later."""

from dataclasses import dataclass
from enum import StrEnum


class EmailFate(StrEnum):
    """What became of an email."""

    DELIVERED = "delivered"
    """It is in the mailbox, as far as the service knows."""
    DEFERRED = "deferred"
    """It did not arrive this time: a full mailbox, a server that is away, an automatic answer."""
    BOUNCED = "bounced"
    """It came back for good: the mailbox is none."""
    COMPLAINED = "complained"
    """The patient marked it as spam."""


@dataclass(frozen=True, slots=True)
class EmailEvent:
    """A word about one email to one mailbox.

    `message_id` is the Message-ID that the email went out with, None where the service does not
    say. `code` is the service's own reason, short.
    """

    provider: str
    fate: EmailFate
    address: str
    message_id: str | None = None
    code: str | None = None
