"""Who sends: the clinic's profile as the rules see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from drip.core.window import SendWindow


@dataclass(frozen=True, slots=True)
class Crowding:
    """How close together a patient's steps may come."""

    steps_per_day: int = 2
    spacing: timedelta = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Texts:
    """From where a clinic's texts come, and how many a second may.

    `sender` is the clinic's own number in E.164; None where it uses the installation's.
    """

    rate: float = 1.0
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class OnCall:
    """Whom a crisis is told at once: mailboxes, and phones in E.164. Neither is a patient's."""

    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()

    @property
    def is_anybody(self) -> bool:
        """Whether somebody is named."""
        return bool(self.emails or self.phones)


@dataclass(frozen=True, slots=True)
class Clinic:
    """A clinic's profile.

    `key` names it in the database; `name` may say anything, `public_name` is the discreet one
    that is shown in texts, subjects and sender names. `phone` is E.164. `country` is ISO 3166
    alpha-2. `instructions` maps a language to the clinic's own words (food, driving, ...).
    `arrive_early` is how long before the session a patient should come.
    """

    key: str
    name: str
    public_name: str
    country: str
    zone: ZoneInfo
    phone: str
    email: str
    address: str
    language: str
    window: SendWindow
    crowding: Crowding
    arrive_early: timedelta
    hears_replies: bool
    texts: Texts
    instructions: Mapping[str, Mapping[str, str]]
    on_call: OnCall = OnCall()
