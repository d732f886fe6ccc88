"""What every provider does."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from drip.core.inbound import ReceiptWord
from drip.core.outgoing import Answer, Outgoing, Settlement, Unsettled


class Provider(Protocol):
    """Carries messages of one channel.

    A provider never raises for what a message, an address or a network may do: every outcome
    is an answer. It opens connections lazily and keeps them; `close` ends them.
    """

    name: str

    def send(self, batch: Sequence[Outgoing], now: datetime) -> list[Answer]:
        """Hand over a batch; one answer each, in the order of the batch. `now` is UTC."""
        ...

    def settle(self, batch: Sequence[Unsettled], now: datetime) -> list[Settlement]:
        """Ask what became of attempts that had no answer; one settlement each, in order."""
        ...

    def close(self) -> None:
        """End connections."""
        ...


@runtime_checkable
class Knowing(Protocol):
    """A provider that can be asked for a message by the id that it gave it."""

    name: str

    def look_up(self, provider_ids: Sequence[str]) -> list[ReceiptWord | None]:
        """What it says by now of each, in order; None where it does not say. Never raises."""
        ...
