"""`drip list` and `drip show`: what there is."""

from collections.abc import Iterator
from datetime import datetime
from typing import cast, get_args
from zoneinfo import ZoneInfo

import click

from drip.app import App
from drip.cli.conversation import answer_lines, phone_shown, reply_lines, said_at
from drip.cli.enrollment_option import RowId, enrollment_id, names_enrollment
from drip.cli.printing import as_json, note, print_json, print_table, said, wrapped
from drip.content.words import phone_said
from drip.core.delivery import HANDED_OVER, SAID, Status
from drip.core.schedule import Channel
from drip.services.journeys import address_of
from drip.services.staff.looking import Dossier, Page, Sent, list_enrollments, show_enrollment
from drip.store.schema import Attempt, EnrollmentStatus

_STATUSES = get_args(EnrollmentStatus)
_COLOURS = {
    Status.DELIVERED: "green",
    Status.ACCEPTED: "green",
    Status.UNKNOWN: "yellow",
    Status.HELD: "yellow",
    Status.UNDELIVERED: "red",
    Status.FAILED: "red",
    Status.EXPIRED: "red",
}
_NAMED = {Channel.SMS: "Texts", Channel.EMAIL: "Emails"}


@click.command("list")
@click.option(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    help="Only enrollments that stand so.",
)
@click.option(
    "--search", default="", metavar="TEXT", help="A part of the name, phone, email or ref."
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option(
    "--after",
    metavar="ID",
    type=RowId("an enrollment", "give the last ID of the page before"),
    help="Go on after this one.",
)
@as_json
def list_(status: str | None, search: str, limit: int, after: int | None, as_json: bool) -> None:
    """List enrollments, the newest first."""
    scope = App.from_environment().scope
    page = list_enrollments(
        scope,
        status=cast("EnrollmentStatus | None", status),
        search=search,
        limit=limit,
        after=after,
    )
    if as_json:
        print_json(page.as_json())
    elif page.enrollments:
        _print_page(page)
    elif status or search or after:
        note("No enrollment is like that.")
    else:
        note("There are no enrollments yet: `drip enroll` and `drip import` add them.")
    if page.next_after is not None and not as_json:
        note(f"There are more: add `--after {page.next_after}`.")


@click.command()
@names_enrollment
@as_json
def show(id_: int | None, ref: str | None, as_json: bool) -> None:
    """Show one enrollment: its deliveries with their attempts, and what the patient replied."""
    scope = App.from_environment().scope
    dossier = show_enrollment(scope, enrollment_id(scope, id_, ref))
    if as_json:
        print_json(dossier.as_json())
        return
    for line in (*_head(dossier), "", *_timeline(dossier), *_to_do(dossier)):
        click.echo(line)


def _print_page(page: Page) -> None:
    rows = []
    for listed in page.enrollments:
        enrollment, due_at = listed.enrollment, listed.next_due_at
        sent = sum(count for status, count in listed.counts.items() if status in HANDED_OVER)
        rows.append(
            (
                str(enrollment.id),
                listed.patient.name,
                enrollment.session_local.replace("T", " "),
                enrollment.status,
                str(sent),
                _at(due_at, ZoneInfo(enrollment.session_zone)) if due_at is not None else "",
            )
        )
    print_table(("ID", "Patient", "Session", "Status", "Sent", "Next message"), rows)


def _head(dossier: Dossier) -> Iterator[str]:
    """Whose enrollment it is, when the session is, and how the patient can be reached."""
    enrollment, patient = dossier.enrollment, dossier.patient
    clinic_zone = ZoneInfo(enrollment.session_zone)
    yield click.style(f"Enrollment {enrollment.id}: {patient.name}, {enrollment.status}", bold=True)
    yield _field("Session", f"{said(enrollment.session_at, clinic_zone)} ({clinic_zone})")
    yield _field("Booked", said(enrollment.booked_at, clinic_zone))
    for name, moment in (
        ("Confirmed", enrollment.confirmed_at),
        ("Ride home", enrollment.ride_arranged_at),
        ("No-show", enrollment.no_show_at),
        ("Cancelled", enrollment.cancelled_at),
    ):
        if moment is not None:
            yield _field(name, said(moment, clinic_zone))
    if enrollment.education_paused_at is not None:
        since = said(enrollment.education_paused_at, clinic_zone)
        yield _field("On hold", f"education steps, since {since}: `drip resume {enrollment.id}`")
    if enrollment.reference is not None:
        yield _field("Ref", f"{enrollment.reference} (from {enrollment.source})")
    yield _field("Schedule", f"{enrollment.schedule}, version {enrollment.schedule_version}")
    if enrollment.route is not None:
        yield _field("Route", enrollment.route)
    yield _field("Language", f"{patient.language}, {patient.wording} wording")
    for channel in Channel:
        yield _field(_NAMED[channel], _reach_said(dossier, channel))


def _reach_said(dossier: Dossier, channel: Channel) -> str:
    address = address_of(dossier.patient, channel)
    why, consent = dossier.reach[channel], dossier.consents.get(channel)
    if address is None:
        return SAID[why] if why is not None else ""
    shown = phone_said(address) if channel is Channel.SMS else address
    if why is not None:
        return f"{shown}: {SAID[why]}"
    if consent is None:
        return shown
    return f"{shown}, consent {consent.how} {_day(consent.at, dossier.zone)} ({consent.by_whom})"


def _timeline(dossier: Dossier) -> Iterator[str]:
    """Deliveries, replies and answers in order of time."""
    zone, conversation = dossier.zone, dossier.conversation
    wide = max((len(each.delivery.step) for each in dossier.deliveries), default=0)
    told = [(each.at, _delivery_lines(each, zone, wide)) for each in dossier.deliveries]
    for reply in conversation.replies:
        lines = reply_lines(reply, zone) + _elsewhere(dossier, "from", reply.address)
        told.append((reply.received_at, lines))
    for answer in conversation.answers:
        lines = answer_lines(answer, zone)
        if answer.channel is Channel.SMS:
            lines += _elsewhere(dossier, "to", answer.address)
        told.append((said_at(answer), lines))
    if not told:
        yield "No deliveries."
        return
    what = "Deliveries" if len(told) == len(dossier.deliveries) else "Deliveries and replies"
    yield f"{what}, on the patient's clock ({zone}):"
    for _, lines in sorted(told, key=lambda each: each[0]):
        yield from lines


def _elsewhere(dossier: Dossier, word: str, address: str) -> list[str]:
    """A line that names a phone which is not the patient's present one."""
    if address == dossier.patient.phone:
        return []
    return [click.style(f"{'':20}{word} {phone_shown(address)}", dim=True)]


def _delivery_lines(sent: Sent, zone: ZoneInfo, wide: int) -> list[str]:
    """A line for a delivery, and below it one for each attempt and one for the receipts."""
    row = sent.delivery
    start = f"  {_at(sent.at, zone)}  {row.step:{wide}}  {row.channel:5}  "
    first, *rest = wrapped(f"{row.status}: {sent.why}" if sent.why else row.status, len(start))
    below = [_attempt_said(attempt, sent, zone) for attempt in sent.attempts]
    if sent.receipts:
        below += wrapped(_receipts_said(sent, zone), 20)
    return [
        start + click.style(first, fg=_COLOURS.get(row.status)),
        *(" " * len(start) + line for line in rest),
        *(click.style(f"{'':20}{line}", dim=True) for line in below),
    ]


def _attempt_said(attempt: Attempt, sent: Sent, zone: ZoneInfo) -> str:
    answer = attempt.outcome or "was asked, and has not answered yet"
    words = (attempt.provider, answer, attempt.code, attempt.provider_id)
    said = " ".join(word for word in words if word)
    return said if len(sent.attempts) == 1 else f"{_at(attempt.started_at, zone)}  {said}"


def _receipts_said(sent: Sent, zone: ZoneInfo) -> str:
    words = (
        " ".join(word for word in (each.status, each.code, _at(each.received_at, zone)) if word)
        for each in sent.receipts
    )
    return f"receipts: {', '.join(words)}"


def _to_do(dossier: Dossier) -> Iterator[str]:
    if not dossier.tasks:
        return
    yield ""
    yield click.style("To do (`drip tasks done ID --by NAME`):", bold=True)
    for task in dossier.tasks:
        start = f"  {task.id}  "
        first, *rest = wrapped(("URGENT " if task.urgent else "") + task.says, len(start))
        yield start + first
        yield from (" " * len(start) + line for line in rest)


def _field(name: str, value: str) -> str:
    first, *rest = wrapped(value, 12)
    return "\n".join((f"  {name:10}{first}", *(" " * 12 + line for line in rest)))


def _at(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _day(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d}"
