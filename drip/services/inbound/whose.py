"""Whose a reply is: the clinic that it came to, and its patients who have the phone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.content.sources import ContentDir
from drip.core.inbound import InboundText
from drip.errors import StoreError
from drip.services.scope import Scope, scopes_of
from drip.store import enrollments, replies
from drip.store.schema import Enrollment, Patient

SOON = timedelta(hours=24)
"""A visit that begins within this is near: who reads of it later reads of it too late."""

JUST_BEGUN = timedelta(hours=3)
"""A visit that began within this is near too: patients write that they are late when they are."""

LOOKED_BACK = timedelta(days=90)
"""For how long a number is known as one that a patient had before it was changed."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Where a reply belongs.

    `scope` is the clinic that it counts for, `also` other clinics that text this phone from the
    same number: a carrier knows only numbers, so a stop is for them too. `people` are the
    patients of the clinic who have the phone, oldest first, and `booked` their enrollments by
    session. All are none for a number that nobody knows. Where nobody has the phone, `former` are
    the enrollments of who was texted at it until it was changed, by patient: whoever writes may
    be somebody else by now, so that nothing is ever noted of these on their word.
    """

    scope: Scope
    also: tuple[Scope, ...]
    people: tuple[Patient, ...]
    booked: tuple[Enrollment, ...]
    former: tuple[Enrollment, ...] = ()

    @property
    def active(self) -> list[Enrollment]:
        """The enrollments that go on, past sessions too: what is sent afterwards is part of it."""
        return _going_on(self.booked)

    @property
    def formerly_active(self) -> list[Enrollment]:
        """The enrollments that go on of who had the phone until it was changed."""
        return _going_on(self.former)

    @property
    def count(self) -> int:
        """How many people have the phone; one who was enrolled twice counts once."""
        return len({each.name.casefold() for each in self.people})

    def next_visits(self, now: datetime) -> list[Enrollment]:
        """The next visit of each person who has one to come, by session."""
        names = {each.id: each.name.casefold() for each in self.people}
        found: dict[str, Enrollment] = {}
        for each in self.active:
            if each.session_at > now:
                found.setdefault(names[each.patient_id], each)
        return list(found.values())

    def near_visit(self, now: datetime) -> Enrollment | None:
        """The visit that a reply of this moment is most likely about: the one begun or to come,
        else the last one.
        """
        likely = [each for each in self.active if each.session_at > now - JUST_BEGUN]
        return next(iter(likely or self.booked[-1:]), None)

    def zone_name(self, patient_id: int) -> str | None:
        """The zone that a patient lives in, None where that is the clinic's."""
        return next((each.timezone for each in self.people if each.id == patient_id), None)

    def language_of(self, now: datetime) -> str | None:
        """The language of who it most likely is, None where nobody is known."""
        visit = self.near_visit(now)
        likely = [each for each in self.people if visit and each.id == visit.patient_id]
        return next((each.language for each in (*likely, *self.people)), None)


def whose_is(
    session: Session, engine: Engine, content: ContentDir, text: InboundText, now: datetime
) -> Whose:
    """Find whose a reply is; only reads. `now` is UTC.

    It is the clinic whose own number received it; else one with a patient who has this phone,
    the one that messaged last if there are several; else one with a patient who had it; else the
    oldest. Raises StoreError while there is no clinic, ContentError where its profile is broken.
    """
    known = replies.numbered(session)
    if not known:
        raise StoreError("There is no clinic in the database: run `drip init` and enroll somebody.")
    number_of = dict([each for each in known if each.number == text.sender] or known)
    people, booked = replies.people_of(session, number_of, text.address)
    past: list[Patient] = []
    if not people:
        past = replies.once_theirs(session, number_of, text.address, now - LOOKED_BACK)
    clinic_id = _clinic_id(session, min(number_of), people or past)
    theirs = tuple(each for each in people if each.clinic_id == clinic_id)
    same = {id_ for id_, number in number_of.items() if number == number_of[clinic_id]}
    also = sorted({each.clinic_id for each in people} & same - {clinic_id})
    scope, *others = scopes_of(session, engine, content, (clinic_id, *also))
    ours = tuple(each for each in booked if each.clinic_id == clinic_id)
    former = tuple(
        enrollment
        for each in past
        if each.clinic_id == clinic_id
        for enrollment in enrollments.of_patient(session, each.id)
    )
    return Whose(scope, tuple(others), theirs, ours, former)


def _going_on(booked: Sequence[Enrollment]) -> list[Enrollment]:
    return [each for each in booked if each.status in ("active", "paused")]


def _clinic_id(session: Session, oldest: int, people: Sequence[Patient]) -> int:
    found = {each.clinic_id for each in people}
    last = None
    if len(found) > 1:
        last = replies.last_messaged(session, (each.id for each in people))
    return last or min(found, default=oldest)
