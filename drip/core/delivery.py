"""A delivery's life: its statuses, the moves between them, and the reasons staff can read."""

from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from drip.core.schedule import Weight


class Status(StrEnum):
    """Where a delivery stands."""

    SCHEDULED = "scheduled"
    CLAIMED = "claimed"
    HELD = "held"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Priority(IntEnum):
    """Which deliveries of a clinic are claimed first: the lower number."""

    TIME_CRITICAL = 0
    ESSENTIAL = 1
    EDUCATION = 2


_TIME_CRITICAL = timedelta(hours=3)


def priority_of(weight: Weight, planned_at: datetime, until: datetime) -> Priority:
    """How a delivery goes before others where a sender's pace is short.

    What must not wait, such as the text of the day itself, goes before what is only essential:
    an essential step that has at most three hours between its time and its `until`.
    """
    if weight is Weight.EDUCATION:
        return Priority.EDUCATION
    short = until - planned_at <= _TIME_CRITICAL
    return Priority.TIME_CRITICAL if short else Priority.ESSENTIAL


_S = Status
TRANSITIONS: dict[Status, frozenset[Status]] = {
    _S.SCHEDULED: frozenset({_S.CLAIMED, _S.SKIPPED, _S.EXPIRED, _S.CANCELLED, _S.HELD}),
    _S.CLAIMED: frozenset(
        {_S.SENDING, _S.SCHEDULED, _S.SKIPPED, _S.EXPIRED, _S.CANCELLED, _S.HELD}
    ),
    _S.HELD: frozenset({_S.SCHEDULED, _S.SKIPPED, _S.EXPIRED, _S.CANCELLED}),
    _S.SENDING: frozenset(
        {_S.ACCEPTED, _S.DELIVERED, _S.UNDELIVERED, _S.SCHEDULED, _S.FAILED, _S.UNKNOWN}
    ),
    _S.UNKNOWN: frozenset({_S.ACCEPTED, _S.DELIVERED, _S.UNDELIVERED, _S.FAILED, _S.SCHEDULED}),
    _S.ACCEPTED: frozenset({_S.DELIVERED, _S.UNDELIVERED, _S.FAILED, _S.SCHEDULED}),
    _S.DELIVERED: frozenset(),
    _S.UNDELIVERED: frozenset(),
    _S.FAILED: frozenset(),
    _S.SKIPPED: frozenset({_S.SCHEDULED}),
    _S.EXPIRED: frozenset({_S.SCHEDULED}),
    _S.CANCELLED: frozenset({_S.SCHEDULED}),
}
"""From each status, where a delivery may go next."""

WAITING = frozenset({_S.SCHEDULED, _S.CLAIMED, _S.HELD})
"""Not handed over, and still meant to be."""

HANDED_OVER = frozenset(
    {_S.SENDING, _S.UNKNOWN, _S.ACCEPTED, _S.DELIVERED, _S.UNDELIVERED, _S.FAILED}
)
"""The provider has, or may have, seen it."""

REACHED = HANDED_OVER - {_S.FAILED, _S.UNDELIVERED}
"""The patient has, or may have, read it."""

NEVER_SENT = frozenset({_S.SKIPPED, _S.EXPIRED, _S.CANCELLED})
"""Ended without having been handed over; may be planned anew."""


class Reason(StrEnum):
    """Why a delivery is not, or not yet, on its way. Stored, counted, shown to staff."""

    LATE = "late"
    TOO_LATE = "too_late"
    NO_WINDOW = "no_window"
    CROWDED = "crowded"
    COVERED = "covered"
    GROUP_SKIPPED = "group_skipped"
    NO_CONSENT = "no_consent"
    NO_ADDRESS = "no_address"
    SUPPRESSED = "suppressed"
    STOPPED = "stopped"
    PAUSED = "paused"
    CRISIS = "crisis"
    SESSION_CANCELLED = "session_cancelled"
    SESSION_MOVED = "session_moved"
    NO_SHOW = "no_show"
    ALREADY_TOLD = "already_told"
    ANSWERED = "answered"
    NEEDLESS = "needless"
    UNTIL_PASSED = "until_passed"
    BROKEN = "broken"
    RETRYING = "retrying"
    PROVIDER_DOWN = "provider_down"
    GAVE_UP = "gave_up"
    REFUSED = "refused"
    NO_ANSWER = "no_answer"


TOO_SHORT_NOTICE = frozenset({Reason.LATE, Reason.TOO_LATE, Reason.CROWDED, Reason.NO_WINDOW})
"""Why a short-notice plan skips education; the welcome email then says it in short."""

SAID: dict[Reason, str] = {
    Reason.LATE: "its time had passed when it was planned",
    Reason.TOO_LATE: "no longer useful so close to the visit",
    Reason.NO_WINDOW: "no decent hour left to send it",
    Reason.CROWDED: "too many messages around that time",
    Reason.COVERED: "a later message says it again",
    Reason.GROUP_SKIPPED: "the message it follows was not sent",
    Reason.NO_CONSENT: "no consent on record",
    Reason.NO_ADDRESS: "no address on record",
    Reason.SUPPRESSED: "this address must not be messaged",
    Reason.STOPPED: "the patient stopped these messages",
    Reason.PAUSED: "on hold until staff resume",
    Reason.CRISIS: "on hold since the patient wrote in a crisis, until staff resume",
    Reason.SESSION_CANCELLED: "the visit was cancelled",
    Reason.SESSION_MOVED: "the visit was moved",
    Reason.NO_SHOW: "the patient did not come",
    Reason.ALREADY_TOLD: "the patient knows this already",
    Reason.ANSWERED: "the patient answered already",
    Reason.NEEDLESS: "it is said in another way again",
    Reason.UNTIL_PASSED: "could not be sent in time",
    Reason.BROKEN: "the message could not be made",
    Reason.RETRYING: "the provider was busy; it is tried again",
    Reason.PROVIDER_DOWN: "the provider is away; it is tried again",
    Reason.GAVE_UP: "the provider would not take it in time",
    Reason.REFUSED: "the provider refused it",
    Reason.NO_ANSWER: "no answer came back; it may have arrived",
}
"""Each reason as staff read it."""


def held_because(weight: Weight, *, paused: bool, education_paused: bool) -> Reason | None:
    """Why what is planned is held until staff resume it; None where it goes on.

    A pause holds everything. After a crisis education waits, and what is essential goes on.
    """
    if paused:
        return Reason.PAUSED
    return Reason.CRISIS if education_paused and weight is Weight.EDUCATION else None


def may_move(before: Status, after: Status) -> bool:
    """Whether a delivery may go from one status to the other."""
    return after in TRANSITIONS[before]


def sources_of(after: Status) -> frozenset[Status]:
    """The statuses from which a delivery may come to this one."""
    return frozenset(before for before, nexts in TRANSITIONS.items() if after in nexts)
