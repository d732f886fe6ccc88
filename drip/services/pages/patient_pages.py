"""A patient's page: the message of a delivery in full, the visit, and what may be answered."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.content.calendar import Visit, visit_file
from drip.content.language_file import CrisisLines, crisis_words, load_crisis_lines
from drip.content.markdown import Document, one_line
from drip.content.page_words import PageWords, page_words
from drip.content.render import Renderer
from drip.content.sources import ContentDir
from drip.content.values import Facts
from drip.content.words import clinic_blanks, fill, session_words
from drip.core.clinic import Clinic
from drip.core.links import Link
from drip.core.schedule import CANCELLED, NOTICES, Channel, Schedule, Weight
from drip.errors import NotFound
from drip.services.bookings.visiting import Answered, asks_for_ride, confirm_visit, ride_arranged
from drip.services.consent.stopping import stop_address
from drip.services.journeys import addresses_of, reach_of, schedule_of, zone_of
from drip.services.outbound.deciding import first_name, left_out
from drip.services.scope import Scope, scope_of
from drip.store import deliveries, enrollments, patients
from drip.store.engine import reading, writing
from drip.store.schema import Delivery, Enrollment, Patient

Action = Literal["confirm", "ride", "stop"]
"""What a patient may answer on a page."""

Notice = Literal["moved", "cancelled", "past"]
"""Why the visit of a message is no longer what it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientPage:
    """What a page shows.

    The words are either `html`, which is made of the email's Markdown and holds no other markup,
    or `text`, or neither, where they would no longer be true. `blanks` fills the sentences of
    `words`. `lines` are the numbers of the crisis lines in `crisis` (HTML). `offers` names what
    makes sense now: an Action, or "calendar".
    """

    clinic: Clinic
    words: PageWords
    blanks: dict[str, str]
    heading: str
    html: str | None
    text: str | None
    crisis: str
    lines: tuple[str, ...]
    notice: Notice | None
    session_at: datetime
    shows_visit: bool
    confirmed: bool
    ride_arranged: bool
    offers: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows behind a page."""

    delivery: Delivery
    enrollment: Enrollment
    patient: Patient
    schedule: Schedule
    skipped: tuple[str, ...]
    gets_texts: bool


def open_page(engine: Engine, content: ContentDir, link: Link, now: datetime) -> PatientPage:
    """The page of a link as it stands now (UTC). Raises NotFound where there is none."""
    with reading(engine) as session:
        rows = _rows(session, link)
    scope = scope_of(engine, content, link.clinic_id)
    facts = _facts(rows, scope.clinic, now)
    notice = _notice(rows, scope.clinic, now)
    renderer = _renderer(content)
    words = page_words(content, facts.language)
    enrollment = rows.enrollment
    upcoming = enrollment.status in ("active", "paused") and now < enrollment.session_at
    crisis, lines = _crisis(content, scope.clinic.country, facts.language)
    html, text = (None, None) if _untrue(rows, notice) else _words(rows, renderer, facts)
    return PatientPage(
        clinic=scope.clinic,
        words=words,
        blanks=_blanks(renderer, scope.clinic, facts),
        heading=words.visit.heading if _untrue(rows, notice) else _heading(rows, renderer, facts),
        html=html,
        text=text,
        # Some messages say it themselves.
        crisis="" if html is not None and crisis in html else crisis,
        lines=(lines.emergency, lines.crisis),
        notice=notice,
        session_at=enrollment.session_at,
        shows_visit=enrollment.status != "cancelled" and not _is_over(rows, scope.clinic, now),
        confirmed=enrollment.confirmed_at is not None,
        ride_arranged=enrollment.ride_arranged_at is not None,
        offers=_offers(rows, upcoming=upcoming),
    )


def answer(
    engine: Engine,
    content: ContentDir,
    link: Link,
    action: Action,
    session_at: datetime | None,
    now: datetime,
) -> Answered:
    """Do what a patient asks for on a page; asking twice is fine.

    `session_at` is the session that the page showed: an answer about another one does not count.
    A stop concerns the patient's phone, whoever else has it. Raises NotFound.
    """
    scope = scope_of_link(engine, content, link)
    if action == "stop":
        return _stop(scope, link, now)
    note = confirm_visit if action == "confirm" else ride_arranged
    with writing(engine) as session:
        enrollment_id = _delivery(session, link).enrollment_id
        return note(session, scope, enrollment_id, "page", "patient", now, session_at=session_at)


def visit_calendar(engine: Engine, content: ContentDir, link: Link, now: datetime) -> bytes:
    """The visit of a link as an iCalendar file. Raises NotFound, also after a cancellation."""
    with reading(engine) as session:
        rows = _rows(session, link)
    if rows.enrollment.status == "cancelled":
        raise NotFound("This visit was cancelled.")
    clinic = scope_of(engine, content, link.clinic_id).clinic
    said, blanks = (
        _renderer(content).language(rows.patient.language).calendar,
        clinic_blanks(clinic),
    )
    visit = Visit(
        clinic=clinic,
        enrollment=str(rows.enrollment.id),
        sequence=rows.enrollment.sequence,
        session_at=rows.enrollment.session_at,
        title=fill(said.title, blanks),
        description=fill(said.description, blanks),
        language=rows.patient.language,
    )
    return visit_file(visit, now).data


def scope_of_link(engine: Engine, content: ContentDir, link: Link) -> Scope:
    """The clinic of a link. Raises NotFound where its delivery is no longer there."""
    with reading(engine) as session:
        _delivery(session, link)
    return scope_of(engine, content, link.clinic_id)


# --- What is behind a link ------------------------------------------------------------------------


def _delivery(session: Session, link: Link) -> Delivery:
    delivery = deliveries.get(session, link.subject_id)
    if delivery is None or delivery.clinic_id != link.clinic_id:
        raise NotFound("There is no such page.")
    return delivery


def _rows(session: Session, link: Link) -> _Rows:
    delivery = _delivery(session, link)
    enrollment = enrollments.get(session, delivery.enrollment_id)
    patient = patients.get(session, delivery.patient_id)
    assert enrollment is not None, "a delivery belongs to an enrollment"
    assert patient is not None, "an enrollment is a patient's"
    consents = patients.consents_of(session, [patient.id])
    given = {channel: consent.given for (_, channel), consent in consents.items()}
    stopped = patients.suppressed(session, link.clinic_id, addresses_of([patient]))
    return _Rows(
        delivery,
        enrollment,
        patient,
        schedule_of(session, enrollment),
        left_out(enrollment.id, deliveries.of_enrollment(session, enrollment.id)),
        gets_texts=reach_of(patient, given, stopped)[Channel.SMS] is None,
    )


# --- What is shown --------------------------------------------------------------------------------


def _notice(rows: _Rows, clinic: Clinic, now: datetime) -> Notice | None:
    """What is to be said above a message that speaks of a visit to come."""
    if rows.delivery.step == CANCELLED or _is_follow_up(rows):
        return None
    if rows.enrollment.status == "cancelled":
        return "cancelled"
    if _is_over(rows, clinic, now):
        return "past"
    return "moved" if rows.delivery.session_at != rows.enrollment.session_at else None


def _untrue(rows: _Rows, notice: Notice | None) -> bool:
    """Whether the words speak of a visit that is not to come. Education stays true."""
    essential = rows.delivery.weight is Weight.ESSENTIAL
    return notice == "cancelled" or (notice == "past" and essential)


def _is_follow_up(rows: _Rows) -> bool:
    return rows.delivery.planned_at >= rows.delivery.session_at


def _is_over(rows: _Rows, clinic: Clinic, now: datetime) -> bool:
    """Whether the day of the session has passed: who runs late still needs to see the visit."""
    session_at = rows.enrollment.session_at.astimezone(clinic.zone)
    return now.astimezone(clinic.zone).date() > session_at.date()


def _offers(rows: _Rows, *, upcoming: bool) -> frozenset[str]:
    enrollment = rows.enrollment
    asks = asks_for_ride(rows.schedule)
    offered = {
        "confirm": upcoming and enrollment.confirmed_at is None,
        "ride": upcoming and enrollment.ride_arranged_at is None and asks,
        "calendar": upcoming,
        "stop": rows.gets_texts,
    }
    return frozenset(name for name, makes_sense in offered.items() if makes_sense)


def _facts(rows: _Rows, clinic: Clinic, now: datetime) -> Facts:
    """What the message may say now: of the visit as it stands, not as it stood."""
    patient, enrollment = rows.patient, rows.enrollment
    return Facts(
        first_name=first_name(patient.name),
        language=patient.language,
        zone=zone_of(patient, clinic),
        clinic=clinic,
        session_at=enrollment.session_at,
        now=now,
        plain_wording=patient.wording == "plain",
        route=enrollment.route or "",
        skipped=rows.skipped,
        enrollment=str(enrollment.id),
        sequence=enrollment.sequence,
        by_email=False,
    )


def _words(rows: _Rows, renderer: Renderer, facts: Facts) -> tuple[str | None, str | None]:
    """The email's words as HTML where the step has an email, else its text."""
    step = rows.schedule.by_name.get(rows.delivery.step) or NOTICES.get(rows.delivery.step)
    by_email = rows.delivery.channel is Channel.EMAIL
    if by_email or (step is not None and Channel.EMAIL in step.channels):
        return renderer.document(rows.delivery.message, facts).html(), None
    return None, renderer.sms(rows.delivery.message, facts).body


def _heading(rows: _Rows, renderer: Renderer, facts: Facts) -> str:
    return renderer.subject(rows.delivery.message, facts)


def _blanks(renderer: Renderer, clinic: Clinic, facts: Facts) -> dict[str, str]:
    """What the sentences round the message may say."""
    language = renderer.language(facts.language)
    session = session_words(language, clinic, facts.session_at, facts.zone, facts.now, facts.route)
    said = {f"session.{name}": value for name, value in session._asdict().items()}
    return {name: one_line(value) for name, value in {**clinic_blanks(clinic), **said}.items()}


@lru_cache(maxsize=8)
def _renderer(content: ContentDir) -> Renderer:
    return Renderer(content)


@lru_cache(maxsize=64)
def _crisis(content: ContentDir, country: str, language: str) -> tuple[str, CrisisLines]:
    lines = load_crisis_lines(content, country)
    return Document(crisis_words(lines, language, "email")).html(), lines


def _stop(scope: Scope, link: Link, now: datetime) -> Answered:
    with reading(scope.engine) as session:
        rows = _rows(session, link)
    if rows.patient.phone is None or not rows.gets_texts:
        return "already"
    stop_address(scope, Channel.SMS, rows.patient.phone, "web", "patient", now)
    return "noted"
