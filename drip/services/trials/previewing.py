"""What a patient would get, and when; nothing is read from or written to a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from drip.content.render import Renderer
from drip.content.schedule_file import load_schedule
from drip.content.sources import ContentDir
from drip.content.values import Facts
from drip.core.clinic import Clinic
from drip.core.delivery import TOO_SHORT_NOTICE, Reason
from drip.core.planner import Journey, PlannedDelivery, Unsendable, plan
from drip.core.schedule import Channel, Schedule, Weight
from drip.core.sms import Parts, measure
from drip.core.timing import Anchors

SAMPLE_NAME = "Ana"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a preview is asked for; `session_at` and `booked_at` are aware.

    `zone` is the patient's. `page_url` stands for the link to the page of each message; None where
    there are no pages.
    """

    schedule: str
    session_at: datetime
    booked_at: datetime
    zone: ZoneInfo
    language: str
    route: str = ""
    plain_wording: bool = False
    first_name: str = SAMPLE_NAME
    page_url: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """The words of a delivery: `parts` for a text, the rest for an email.

    All are None for what does not go out.
    """

    subject: str | None = None
    body: str | None = None
    parts: Parts | None = None
    html: str | None = None
    calendar: bytes | None = None


@dataclass(frozen=True, slots=True)
class Previewed:
    """One delivery as it would go out; times on the patient's clock."""

    step: str
    message: str
    channel: Channel
    due_at: datetime
    status: str
    reason: Reason | None
    until: datetime
    said: Said


@dataclass(frozen=True, slots=True)
class Preview:
    """A whole plan with its words, in order of time; all moments on the patient's clock."""

    schedule: str
    version: int
    zone: ZoneInfo
    booked_at: datetime
    session_at: datetime
    deliveries: tuple[Previewed, ...]
    unsendable: tuple[Unsendable, ...]

    def as_json(self) -> dict[str, Any]:
        """The preview as `drip preview --json` prints it."""
        return {
            "schedule": self.schedule,
            "version": self.version,
            "timezone": self.zone.key,
            "booked_at": self.booked_at,
            "session_at": self.session_at,
            "deliveries": [_delivery_json(each) for each in self.deliveries],
        }


def make_preview(
    content: ContentDir, clinic: Clinic, asked: Asked, *, whole: bool = False
) -> Preview:
    """Plan and render as if the patient were enrolled at `booked_at` with both consents.

    `whole` makes the emails with their HTML and calendar file, which takes longer than their
    text. Raises ContentError where a schedule or message is broken.
    """
    schedule = load_schedule(content, asked.schedule)
    made = plan(journey_of(clinic, asked, schedule), asked.booked_at)
    rows = sorted(made.add, key=lambda row: row.due_at)
    renderer = Renderer(content)
    skipped = left_out(rows)
    return Preview(
        schedule=schedule.name,
        version=schedule.version,
        zone=asked.zone,
        booked_at=asked.booked_at.astimezone(asked.zone),
        session_at=asked.session_at.astimezone(asked.zone),
        deliveries=tuple(
            _previewed(renderer, row, facts_of(clinic, asked, row.due_at, skipped), whole=whole)
            for row in rows
        ),
        unsendable=made.unsendable,
    )


def journey_of(clinic: Clinic, asked: Asked, schedule: Schedule) -> Journey:
    """The journey of a patient with both consents."""
    return Journey(
        schedule=schedule,
        anchors=Anchors(asked.booked_at, asked.session_at),
        zone=asked.zone,
        window=clinic.window,
        crowding=clinic.crowding,
        reach=dict.fromkeys(Channel),
    )


def facts_of(clinic: Clinic, asked: Asked, now: datetime, skipped: tuple[str, ...] = ()) -> Facts:
    """What a message may say of the patient that the preview is for, sent at `now`."""
    return Facts(
        first_name=asked.first_name,
        language=asked.language,
        zone=asked.zone,
        clinic=clinic,
        session_at=asked.session_at,
        now=now,
        plain_wording=asked.plain_wording,
        route=asked.route,
        skipped=skipped,
        enrollment="preview",
        page_url=asked.page_url,
    )


def left_out(rows: Sequence[PlannedDelivery]) -> tuple[str, ...]:
    """The education that a short-notice plan skips on every channel."""
    fates: dict[str, bool] = {}
    for row in rows:
        if row.weight is Weight.EDUCATION:
            skipped = row.reason in TOO_SHORT_NOTICE
            fates[row.message] = fates.get(row.message, True) and skipped
    return tuple(message for message, skipped in fates.items() if skipped)


def _previewed(renderer: Renderer, row: PlannedDelivery, facts: Facts, *, whole: bool) -> Previewed:
    planned = row.reason is None
    return Previewed(
        step=row.step,
        message=row.message,
        channel=row.channel,
        due_at=row.due_at.astimezone(facts.zone),
        status="planned" if planned else "skipped",
        reason=row.reason,
        until=row.until.astimezone(facts.zone),
        said=say(renderer, row.message, row.channel, facts, whole=whole) if planned else Said(),
    )


def say(renderer: Renderer, message: str, channel: Channel, facts: Facts, *, whole: bool) -> Said:
    """The words of one delivery; `whole` makes an email with its HTML and calendar file."""
    if channel is Channel.SMS:
        body = renderer.sms(message, facts).body
        return Said(body=body, parts=measure(body))
    if whole:
        email = renderer.email(message, facts)
        calendar = None if email.calendar is None else email.calendar.data
        return Said(email.subject, email.text, html=email.html, calendar=calendar)
    return Said(renderer.subject(message, facts), renderer.email_text(message, facts))


def _delivery_json(each: Previewed) -> dict[str, Any]:
    return {
        "step": each.step,
        "message": each.message,
        "channel": each.channel,
        "due_at": each.due_at,
        "status": each.status,
        "reason": each.reason,
        "until": each.until,
        "subject": each.said.subject,
        "body": each.said.body,
        "parts": None if each.said.parts is None else each.said.parts.count,
        "encoding": None if each.said.parts is None else each.said.parts.encoding,
    }
