"""A text that failed for good: the same step by email, where email may (T12)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from drip.core.delivery import Reason, Status, held_because
from drip.core.history import Existing
from drip.core.planner import PlannedDelivery
from drip.core.schedule import Channel
from drip.core.window import SendWindow


@dataclass(frozen=True, slots=True)
class Mailbox:
    """How an enrollment's patient stands for email.

    `blocked` is why email cannot be used; None where it can. `zone` is the patient's, `window`
    the clinic's; `session_at` (UTC), `revision`, `paused` and `education_paused` are the
    enrollment's, and `answered` the steps that its patient has made needless.
    """

    blocked: Reason | None
    zone: ZoneInfo
    window: SendWindow
    session_at: datetime
    revision: int
    paused: bool
    education_paused: bool = False
    answered: frozenset[str] = frozenset()


def by_email(
    failed: Existing, message: str, existing: Sequence[Existing], mailbox: Mailbox, now: datetime
) -> PlannedDelivery | None:
    """The email that says what a failed text should have said; None where there is none to send.

    None if it was not a text, if the step has an email of its own, whatever became of it, if the
    patient has answered what it asks, if it speaks of another session, or if no decent hour is
    left. It is planned at `now` (UTC) or the
    next opening of the window. Planning again leaves it as it is: it is settled under the
    present revision.
    """
    has_email = any(
        (row.step, row.occurrence, row.channel) == (failed.step, failed.occurrence, Channel.EMAIL)
        for row in existing
    )
    if failed.channel is not Channel.SMS or has_email or mailbox.blocked is not None:
        return None
    due_at = _next_minute(failed, mailbox, now)
    if due_at is None or failed.step in mailbox.answered or failed.session_at != mailbox.session_at:
        return None
    held = held_because(
        failed.weight, paused=mailbox.paused, education_paused=mailbox.education_paused
    )
    return PlannedDelivery(
        step=failed.step,
        message=message,
        channel=Channel.EMAIL,
        occurrence=failed.occurrence,
        weight=failed.weight,
        status=Status.SCHEDULED if held is None else Status.HELD,
        reason=held,
        planned_at=failed.planned_at,
        due_at=due_at,
        until=failed.until,
        session_at=failed.session_at,
        revision=mailbox.revision,
    )


def _next_minute(failed: Existing, mailbox: Mailbox, now: datetime) -> datetime | None:
    """The first moment from now on at which the email may go out, still of use (T4, T5)."""
    before_session = failed.planned_at < failed.session_at
    last = min(failed.until, failed.session_at) if before_session else failed.until
    due_at: datetime | None = now
    if not mailbox.window.contains(now, mailbox.zone):
        due_at = mailbox.window.next_opening(now, mailbox.zone)
    return due_at if due_at is not None and due_at < last else None
