"""What is handed to a provider, and the answers it may give."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from drip.core.retry import RetryKind
from drip.core.schedule import Channel


@dataclass(frozen=True, slots=True)
class SmsContent:
    """A text, ready to send: one line or more of plain characters."""

    body: str


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """An iCalendar file that travels with an email. `method` is PUBLISH or CANCEL."""

    method: str
    data: bytes


@dataclass(frozen=True, slots=True)
class EmailContent:
    """An email, ready to be put into MIME parts.

    `unsubscribe_url` is where mail programs unsubscribe the patient with one click (RFC 8058).
    What goes `to_staff` has no way to unsubscribe: it would be taken for a patient's wish.
    """

    subject: str
    html: str
    text: str
    from_name: str
    reply_to: str
    calendar: CalendarFile | None = None
    unsubscribe_url: str | None = None
    to_staff: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One delivery, or one answer, to hand over now: one attempt.

    `kind` says which of the two `delivery_id` is the id of. `to` is an E.164 number or a
    mailbox. `give_up_at` (UTC) is the moment after which the
    message must no longer reach the patient: the nearer of `until` and the window's close.
    `sender` is the number that a text comes from; None for the installation's own.
    """

    delivery_id: int
    attempt_id: int
    channel: Channel
    to: str
    content: SmsContent | EmailContent
    give_up_at: datetime
    sender: str | None = None
    kind: Literal["delivery", "answer"] = "delivery"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message over and answers for it under this id."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The provider did not take the message; the same may be tried again.

    `code` is the provider's, `kind` says how it is retried. `after` is the wait in seconds that
    the provider asks for. `alert` is for staff: it says what is wrong with the set-up, where
    that is why, and trying again will not help until it is mended.
    """

    code: str
    after: float | None = None
    alert: str | None = field(default=None, compare=False)
    kind: RetryKind = field(default=RetryKind.BACK_OFF, compare=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider will not take the message. `code` is the provider's own.

    `address_is_bad` says that the fault lies with the address, whatever the message;
    `suppress` that the address must not be messaged again. `alert` as for Retry.
    """

    code: str
    address_is_bad: bool = False
    suppress: bool = False
    alert: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request went out and no answer came back: the patient may have the message."""

    why: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Settling only: the provider shows that it never had the message."""


Answer = Accepted | Retry | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An attempt whose outcome is not known, with what is needed to ask the provider.

    `body` is the text as it was handed over (SMS), None for email. `started_at` is UTC.
    `sender` is the number that a text came from; None for the installation's own. `kind` is as
    for Outgoing.
    """

    delivery_id: int
    attempt_id: int
    to: str
    body: str | None
    started_at: datetime = field(compare=False)
    sender: str | None = None
    kind: Literal["delivery", "answer"] = "delivery"


Settlement = Accepted | Retry | Rejected | NotSent | Unknown
"""What a provider says of an attempt later. Retry: it had the message, which came to nothing."""
