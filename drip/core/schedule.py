"""What a schedule is: a named, versioned list of steps."""

from dataclasses import dataclass, field
from enum import StrEnum

from drip.core.when import Anchor, When

DEFAULT_SCHEDULE = "ketamine-first-session"
"""The schedule of a patient for whom none is named."""


class Channel(StrEnum):
    """How a message reaches a patient."""

    SMS = "sms"
    EMAIL = "email"


class Weight(StrEnum):
    """Whether a step may be dropped when there is no room for it."""

    ESSENTIAL = "essential"
    EDUCATION = "education"


class IfLate(StrEnum):
    """What becomes of a step whose time is past when it is first planned."""

    SEND = "send"
    SKIP = "skip"


class OnReschedule(StrEnum):
    """What becomes of a sent step when the session moves."""

    RESEND = "resend"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a schedule: which message, when, on which channels, what if late."""

    name: str
    message: str
    when: When
    channels: tuple[Channel, ...]
    weight: Weight
    if_late: IfLate = IfLate.SKIP
    until: When | None = None
    on_reschedule: OnReschedule = OnReschedule.KEEP
    answered_by: str | None = None
    group: str | None = None
    start_group: bool = False
    covers: tuple[str, ...] = ()

    @property
    def essential(self) -> bool:
        """Whether the step must reach the patient, by a person if not by Drip."""
        return self.weight is Weight.ESSENTIAL

    @property
    def opens(self) -> bool:
        """Whether this goes out at booking."""
        return self.when.is_booking_itself


@dataclass(frozen=True, slots=True)
class Schedule:
    """A named, versioned list of steps, in the order of the file."""

    name: str
    title: str
    version: int
    steps: tuple[Step, ...]
    by_name: dict[str, Step] = field(init=False, repr=False, compare=False)
    welcome: str | None = field(init=False, repr=False, compare=False)
    coverers: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    openers: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the steps: by name, who goes first, covers whom, follows which group's opener.

        The welcome is the first step at booking: nothing goes out before it (T7).
        """
        coverers: dict[str, tuple[str, ...]] = {}
        openers: dict[str, str] = {}
        first: dict[str, str] = {}
        for step in self.steps:
            for covered in step.covers:
                coverers[covered] = (*coverers.get(covered, ()), step.name)
            if step.group is not None:
                opener = first.setdefault(step.group, step.name)
                if opener != step.name and not step.start_group:
                    openers[step.name] = opener
        object.__setattr__(self, "by_name", {step.name: step for step in self.steps})
        welcome = next((step.name for step in self.steps if step.opens), None)
        object.__setattr__(self, "welcome", welcome)
        object.__setattr__(self, "coverers", coverers)
        object.__setattr__(self, "openers", openers)

    def needless_after(self, word: str) -> frozenset[str]:
        """The steps that a reply makes needless: those that follow the opener which it answers.

        The opener itself goes out all the same: it says more than it asks.
        """
        answered = {step.name for step in self.steps if step.answered_by == word}
        return frozenset(name for name, opener in self.openers.items() if opener in answered)


RIDE = "RIDE"
"""The word that says that a ride is arranged; the same in every language."""

RESCHEDULED = "rescheduled"
CANCELLED = "cancelled"


def notice(name: str) -> Step:
    """A step that an event plans, not a time: `rescheduled` or `cancelled` (T8, T9).

    It goes out at once, on both channels, and is named after its message.
    """
    return Step(
        name=name,
        message=name,
        when=When(Anchor.BOOKING),
        channels=(Channel.SMS, Channel.EMAIL),
        weight=Weight.ESSENTIAL,
        if_late=IfLate.SEND,
    )


NOTICES = {name: notice(name) for name in (RESCHEDULED, CANCELLED)}
"""The steps that every schedule has beside its own."""
