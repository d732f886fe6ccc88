"""What comes in from a provider, as the rules see it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InboundText:
    """A text that somebody sent to one of our numbers.

    `provider_id` is the provider's own id of it, `address` who wrote (E.164), `sender` the number
    of ours that it came to. `media` counts the pictures with it. `opted` is what the carrier
    understood and answered itself ("STOP", "START" or "HELP"), None where it did not.
    """

    provider: str
    provider_id: str
    address: str
    sender: str
    body: str
    media: int = 0
    opted: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiptWord:
    """A provider's later word about a message: its own `status`, and a `code` where it failed."""

    provider: str
    provider_id: str
    status: str
    code: str | None = None
