"""Whatever patients and staff say and when: no text without consent, no word of it changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, event

from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.services.bookings.changing import reschedule
from drip.services.consent.consenting import grant, revoke, show, start_in
from drip.services.consent.stopping import WRONG_NUMBER, stop_enrollment, stop_in
from drip.store.engine import writing
from drip.store.schema import (
    Address,
    Attempt,
    Delivery,
    Enrollment,
    Patient,
    Suppression,
    Task,
)
from tests.services.desk import NOW, Desk, at

PHONE = "+12125550101"
END = at("2027-01-15 10:00")
SMS = Channel.SMS
Act = Callable[[Desk, int, datetime], object]


def _stop(desk: Desk, _id: int, now: datetime) -> None:
    with writing(desk.engine) as session:
        stop_in(session, desk.scope, SMS, PHONE, "keyword", "patient", now)


def _start(desk: Desk, _id: int, now: datetime) -> None:
    with writing(desk.engine) as session:
        start_in(session, desk.scope, SMS, PHONE, "keyword", "patient", now)


def _wrong_number(desk: Desk, _id: int, now: datetime) -> None:
    with writing(desk.engine) as session:
        stop_in(session, desk.scope, SMS, PHONE, "keyword", "patient", now, WRONG_NUMBER)


ACTS: dict[str, Act] = {
    "STOP": _stop,
    "START": _start,
    "wrong number": _wrong_number,
    "stop noted": lambda desk, id_, now: stop_enrollment(
        desk.scope, id_, [SMS], "verbal", "Ana", now
    ),
    "grant": lambda desk, id_, now: grant(desk.scope, id_, SMS, "paper", "Ana", now),
    "grant by START": lambda desk, id_, now: grant(desk.scope, id_, SMS, "keyword", "Ana", now),
    "revoke": lambda desk, id_, now: revoke(desk.scope, id_, SMS, "verbal", "Ana", now),
    "move": lambda desk, id_, now: reschedule(desk.scope, id_, at("2026-12-18 13:00"), now),
}

_WORDS = st.lists(
    st.tuples(st.integers(1, 330), st.sampled_from(sorted(ACTS)), st.booleans()),
    min_size=1,
    max_size=6,
    unique_by=lambda word: word[0],
).map(sorted)
"""Hours after the booking, what happens then, and whether it concerns the second patient."""


_BACK_AND_FORTH = [
    (3, "revoke", False),
    (30, "STOP", True),
    (60, "grant", False),
    (90, "START", False),
    (200, "revoke", True),
    (320, "grant", True),
]


@example(words=[(3, "revoke", False)], first=True, second=True)
@example(words=_BACK_AND_FORTH, first=True, second=True)
@given(words=_WORDS, first=st.booleans(), second=st.booleans())
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_text_goes_to_a_patient_without_consent_on_record(
    engine: Engine, words: list[tuple[int, str, bool]], first: bool, second: bool
) -> None:
    desk = Desk(engine)
    _clear(desk)
    ids = [
        desk.enroll(1, name=name, email=f"{name}@example.com", consent=consent).enrollment_id
        for name, consent in (("Ann", _both(first)), ("Bob", _both(second)))
    ]
    with _ledger_untouched(desk.engine):
        for hours, act, other in words:
            now = NOW + timedelta(hours=hours)
            desk.run_until(now - timedelta(seconds=1))
            ACTS[act](desk, ids[other], now)
        desk.run_until(END)
    owners = {row.id: row.enrollment_id for row in desk.rows()}
    ledgers = {id_: [w for w in show(desk.scope, id_).ledger if w.channel is SMS] for id_ in ids}
    for when, outgoing in desk.sms.tried:
        ledger = ledgers[owners[outgoing.delivery_id]]
        said = [word.given for word in ledger if word.at <= when]
        assert said[-1:] == [True], f"a text at {when} without consent: {words}"
    for id_ in ids:
        if not any(word.given for word in ledgers[id_]):
            texts = [row for row in desk.rows(id_) if row.channel is SMS]
            assert texts
            assert all(row.status in (Status.SKIPPED, Status.CANCELLED) for row in texts)


def _both(texts: bool) -> str:
    return "sms,email" if texts else "email"


def _clear(desk: Desk) -> None:
    with writing(desk.engine) as session:
        # The ledger goes with its patients.
        for table in (Task, Attempt, Delivery, Enrollment, Patient, Address, Suppression):
            session.execute(delete(table))


@contextmanager
def _ledger_untouched(engine: Engine) -> Iterator[None]:
    """Every statement but one that adds to the ledger, or reads it, is a failure."""
    changed: list[str] = []

    def look(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        words = statement.split()
        if "consents" in words and words[0] in ("UPDATE", "DELETE"):
            changed.append(statement)

    event.listen(engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", look)
    assert changed == []
