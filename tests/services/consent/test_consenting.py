"""Consent: a ledger that only grows; START undoes the patient's own stop and nothing else."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select

from drip.core.email_events import EmailEvent, EmailFate
from drip.core.outgoing import Rejected
from drip.core.schedule import Channel
from drip.errors import NotFound
from drip.services.bookings.changing import cancel, pause
from drip.services.consent.consenting import Granted, grant, revoke, show, start_in, why_blocked
from drip.services.consent.stopping import WRONG_NUMBER, Stopped, stop_in
from drip.services.journeys import STOP
from drip.services.receipts.bounces import take_in
from drip.store import patients, suppressions, tasks
from drip.store.engine import reading, writing
from drip.store.schema import (
    Address,
    Attempt,
    Delivery,
    Enrollment,
    Patient,
    Suppression,
    Task,
)
from tests.services.desk import DAY, HOUR, NOW, Desk, at

SMS, EMAIL = Channel.SMS, Channel.EMAIL
PHONE, MAILBOX = "+12125550101", "patient1@example.com"
AFTER_ALL = at("2027-01-15 10:00")
LATER = NOW + DAY


@pytest.fixture(autouse=True)
def _key() -> Iterator[None]:
    suppressions.use_key(b"a secret of thirty-two characters")
    yield
    suppressions.use_key(None)


def _stop(
    desk: Desk,
    now: datetime,
    channel: Channel = SMS,
    address: str = PHONE,
    how: str = "keyword",
    because: str = STOP,
) -> Stopped:
    with writing(desk.engine) as session:
        return stop_in(session, desk.scope, channel, address, how, "patient", now, because)


def _start(desk: Desk, now: datetime, channel: Channel = SMS, address: str = PHONE) -> bool:
    with writing(desk.engine) as session:
        return start_in(session, desk.scope, channel, address, "keyword", "patient", now)


def _grant(desk: Desk, id_: int, how: str, now: datetime, channel: Channel = SMS) -> Granted:
    return grant(desk.scope, id_, channel, how, "Ana", now)


def _suppress(desk: Desk, because: str, now: datetime = NOW, channel: Channel = SMS) -> None:
    address = PHONE if channel is SMS else MAILBOX
    with writing(desk.engine) as session:
        patients.suppress(session, desk.scope.clinic_id, channel, address, because, now)


def _blocked(desk: Desk, channel: Channel = SMS, address: str = PHONE) -> str | None:
    with reading(desk.engine) as session:
        pair = (channel, address)
        return patients.suppressed(session, desk.scope.clinic_id, [pair]).get(pair)


def _words(desk: Desk, id_: int, channel: Channel = SMS) -> list[tuple[bool, str]]:
    ledger = show(desk.scope, id_).ledger
    return [(word.given, word.how) for word in ledger if word.channel is channel]


# --- START --------------------------------------------------------------------------------------


def test_texts_go_on_after_a_start(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(NOW)
    _stop(desk, NOW + HOUR)
    assert _start(desk, LATER)
    count = len(desk.sms.sent)
    desk.run_until(AFTER_ALL)
    assert len(desk.sms.sent) > count
    assert {"day-before/sms", "day-of/sms", "check-in/sms"} <= set(desk.sent_steps())
    assert _words(desk, id_) == [(True, "verbal"), (False, "keyword"), (True, "keyword")]


def test_what_reached_the_patient_before_the_stop_is_not_sent_again_after_a_start(
    desk: Desk,
) -> None:
    desk.enroll()
    desk.run_until(NOW)
    before = desk.sent_steps()
    _stop(desk, NOW + HOUR)
    _start(desk, NOW + 2 * HOUR)
    desk.run_until(AFTER_ALL)
    sent = desk.sent_steps()
    assert len(sent) == len(set(sent))
    assert before == sent[: len(before)]


def test_no_text_that_was_due_while_texts_were_stopped_comes_too_late(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(NOW)
    _stop(desk, NOW + HOUR)
    desk.run_until(at("2026-12-14 12:00"))
    count = len(desk.sms.sent)
    _start(desk, at("2026-12-14 12:00"))
    desk.run_until(AFTER_ALL)
    for now, outgoing in desk.sms.sent[count:]:
        row = next(row for row in desk.rows(id_) if row.id == outgoing.delivery_id)
        assert now < row.until
    assert desk.stands(id_)["day-of/sms"] == "accepted"


def test_a_start_in_the_same_second_as_the_stop_counts(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, NOW + timedelta(milliseconds=500))
    assert _start(desk, NOW + timedelta(milliseconds=900))
    assert desk.stands(id_)["day-of/sms"] == "scheduled"


def test_a_second_start_changes_nothing(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, NOW + HOUR)
    _start(desk, LATER)
    before = desk.stands(id_), _words(desk, id_), desk.enrollment(id_).revision
    assert _start(desk, LATER + HOUR)
    assert (desk.stands(id_), _words(desk, id_), desk.enrollment(id_).revision) == before


@pytest.mark.parametrize("because", ["30006", "21211", "21610", WRONG_NUMBER])
def test_a_start_lifts_nothing_but_the_patients_own_stop(desk: Desk, because: str) -> None:
    id_ = desk.enroll().enrollment_id
    _suppress(desk, because)
    before = desk.stands(id_), _words(desk, id_)
    assert not _start(desk, LATER)
    assert _blocked(desk) == because
    assert (desk.stands(id_), _words(desk, id_)) == before
    desk.run_until(AFTER_ALL)
    assert desk.sms.tried == []


def test_a_stop_that_the_carrier_told_first_is_the_patients_own_once_it_is_heard(
    desk: Desk,
) -> None:
    desk.enroll()
    desk.sms.answer = lambda _outgoing, _now: Rejected("21610", suppress=True)
    desk.send_all(NOW)
    assert _blocked(desk) == "21610"
    _stop(desk, NOW + HOUR)
    assert _blocked(desk) == STOP
    assert _start(desk, LATER)
    assert _blocked(desk) is None


def test_a_wrong_number_is_no_word_of_the_patient_and_stays(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    stopped = _stop(desk, NOW + HOUR, because=WRONG_NUMBER)
    assert set(stopped.plans) == {id_}
    assert _words(desk, id_) == [(True, "verbal")]
    assert desk.stands(id_)["day-of/sms"] == "cancelled suppressed"
    assert not _start(desk, LATER)
    desk.run_until(AFTER_ALL)
    assert desk.sms.tried == []


def test_a_wrong_number_outlasts_a_stop_from_the_same_phone(desk: Desk) -> None:
    desk.enroll()
    _stop(desk, NOW + HOUR)
    _stop(desk, NOW + 2 * HOUR, because=WRONG_NUMBER)
    _stop(desk, NOW + 3 * HOUR)
    assert not _start(desk, LATER)


def test_a_start_from_a_phone_that_nobody_has_lifts_its_stop(desk: Desk) -> None:
    _stop(desk, NOW)
    assert _blocked(desk) == STOP
    assert _start(desk, NOW + HOUR)
    assert desk.stands(desk.enroll().enrollment_id)["day-of/sms"] == "scheduled"


def test_a_start_of_a_patient_alone_on_a_phone_is_consent(desk: Desk) -> None:
    id_ = desk.enroll(consent="email").enrollment_id
    assert desk.stands(id_)["day-of/sms"] == "skipped no_consent"
    assert _start(desk, LATER)
    assert _words(desk, id_) == [(True, "keyword")]
    desk.run_until(AFTER_ALL)
    assert "day-of/sms" in desk.sent_steps()


def test_stop_and_start_hold_for_all_on_a_phone_but_give_nobodys_first_consent(desk: Desk) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    cid = desk.enroll(1, name="Cid Lee", email="cid@example.com", consent="email").enrollment_id
    stopped = _stop(desk, NOW + HOUR)
    assert set(stopped.plans) == {ann, bob, cid}
    assert _words(desk, cid) == [(False, "keyword")]
    dee = desk.enroll(
        1, now=NOW + 2 * HOUR, name="Dee Lee", email="dee@example.com", consent="email"
    ).enrollment_id
    assert _start(desk, LATER)
    for id_ in (ann, bob):
        assert desk.stands(id_)["day-of/sms"] == "scheduled"
    assert (_words(desk, cid), _words(desk, dee)) == ([(False, "keyword")], [])
    for id_ in (cid, dee):
        assert desk.stands(id_)["day-of/email"] == "scheduled"
        assert desk.stands(id_)["day-of/sms"] == "skipped no_consent"


def test_a_start_does_not_undo_what_another_on_the_phone_took_back_before(desk: Desk) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    revoke(desk.scope, ann, SMS, "paper", "Ana", NOW + HOUR)
    _stop(desk, NOW + 2 * HOUR)
    assert _start(desk, LATER)
    assert _start(desk, LATER + HOUR)
    assert _words(desk, ann) == [(True, "verbal"), (False, "paper"), (False, "keyword")]
    assert _words(desk, bob) == [(True, "verbal"), (False, "keyword"), (True, "keyword")]
    desk.run_until(AFTER_ALL)
    texted = {row.enrollment_id for row in desk.rows() if row.channel is SMS and row.sent_at}
    assert texted == {bob}


def test_a_grant_that_waited_for_the_start_counts_with_it(desk: Desk) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com", consent="email").enrollment_id
    desk.enroll(1, name="Bob Lee", email="bob@example.com")
    _stop(desk, NOW + HOUR)
    assert _grant(desk, ann, "paper", NOW + 2 * HOUR).because == STOP
    _start(desk, LATER)
    assert _words(desk, ann)[-1] == (True, "keyword")
    assert desk.stands(ann)["day-of/sms"] == "scheduled"


def test_a_start_brings_back_what_is_on_hold_and_not_what_was_cancelled(desk: Desk) -> None:
    held = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    gone = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    pause(desk.scope, held, NOW)
    cancel(desk.scope, gone, NOW)
    _stop(desk, NOW + HOUR)
    _start(desk, LATER)
    assert desk.stands(held)["day-of/sms"] == "held paused"
    assert desk.stands(gone)["day-of/sms"] == "cancelled session_cancelled"


def test_emails_start_again_by_the_same_way(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, NOW, EMAIL, MAILBOX, how="web")
    assert desk.stands(id_)["day-before/email"] == "cancelled stopped"
    assert _start(desk, LATER, EMAIL, MAILBOX)
    assert desk.stands(id_)["day-before/email"] == "scheduled"


# --- What staff note ----------------------------------------------------------------------------


def test_a_grant_plans_the_texts_that_had_no_consent(desk: Desk) -> None:
    id_ = desk.enroll(consent="email").enrollment_id
    done = _grant(desk, id_, "paper", LATER)
    assert (done.because, set(done.plans)) == (None, {id_})
    desk.run_until(AFTER_ALL)
    assert "day-of/sms" in desk.sent_steps()
    (word,) = (word for word in show(desk.scope, id_).ledger if word.channel is SMS)
    assert (word.given, word.how, word.by_whom, word.at) == (True, "paper", "Ana", LATER)
    assert word.wording_version


@pytest.mark.parametrize(
    ("stopped", "granted", "texts"),
    [
        ("keyword", "verbal", False),  # the carrier blocks until START
        ("keyword", "paper", False),
        ("keyword", "keyword", True),  # the patient texted START, and staff saw it
        ("verbal", "verbal", True),  # staff noted the stop, so staff may note its end
        ("web", "paper", True),  # a page of ours: no carrier knows of it
    ],
)
def test_a_stop_ends_the_way_it_was_made(
    desk: Desk, stopped: str, granted: str, texts: bool
) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, NOW, how=stopped)
    done = _grant(desk, id_, granted, LATER)
    assert done.because == (None if texts else STOP)
    assert _words(desk, id_)[-1] == (True, granted), "it is written down in any case"
    desk.run_until(AFTER_ALL)
    assert ("day-of/sms" in desk.sent_steps()) is texts


def test_granting_twice_or_stopping_again_does_not_end_a_stop_by_text(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, NOW)
    _stop(desk, NOW + HOUR, how="verbal")
    for hours in (2, 3):
        assert _grant(desk, id_, "verbal", NOW + hours * HOUR).because == STOP
    assert _start(desk, LATER)
    assert desk.stands(id_)["day-of/sms"] == "scheduled"


def test_a_grant_that_is_not_used_yet_asks_for_no_call_a_second_time(desk: Desk) -> None:
    id_ = desk.enroll(email="", consent="sms").enrollment_id
    _stop(desk, NOW)
    before = [task.id for task in desk.tasks()]
    assert _grant(desk, id_, "verbal", LATER).plans == {}
    assert [task.id for task in desk.tasks()] == before


def test_a_grant_says_that_the_patient_must_text_start(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, NOW)
    because = _grant(desk, id_, "verbal", LATER).because
    assert because is not None
    said = why_blocked(because, SMS, "+12125550199")
    assert "carrier blocks" in said
    assert "START to +12125550199" in said
    assert said.count(".") == 1


@pytest.mark.parametrize(
    ("because", "how", "lifted"),
    [
        ("21211", "verbal", False),
        ("21614", "keyword", False),
        (WRONG_NUMBER, "keyword", False),
        ("21610", "verbal", False),
        ("21610", "keyword", True),  # the carrier's word of a STOP, which START ends
    ],
)
def test_no_consent_mends_a_phone_that_is_wrong(
    desk: Desk, because: str, how: str, lifted: bool
) -> None:
    id_ = desk.enroll().enrollment_id
    _suppress(desk, because)
    assert _grant(desk, id_, how, LATER).because == (None if lifted else because)
    assert _blocked(desk) == (None if lifted else because)


@pytest.mark.parametrize(
    ("because", "lifted"),
    [(STOP, True), ("bounced 5.1.1", True), ("550", True), ("complained abuse", False)],
)
def test_a_grant_ends_an_unsubscription_and_a_bounce_and_no_complaint(
    desk: Desk, because: str, lifted: bool
) -> None:
    id_ = desk.enroll().enrollment_id
    _suppress(desk, because, channel=EMAIL)
    for hours in (1, 2):
        done = _grant(desk, id_, "verbal", LATER + hours * HOUR, EMAIL)
        assert done.because == (None if lifted else because)
    desk.run_until(AFTER_ALL)
    assert ("day-before/email" in desk.sent_steps()) is lifted


@pytest.mark.parametrize("because", ["30005", "30006"])
def test_a_phone_that_works_again_gets_texts_once_staff_note_it(desk: Desk, because: str) -> None:
    id_ = desk.enroll().enrollment_id
    _suppress(desk, because)
    done = _grant(desk, id_, "verbal", LATER)
    assert (done.because, done.refused) == (None, because)
    assert _blocked(desk) is None
    assert _words(desk, id_)[-1] == (True, "verbal")
    assert show(desk.scope, id_).ledger[-1].by_whom == "Ana"
    assert desk.count_of(Suppression) == 0
    desk.run_until(AFTER_ALL)
    assert "day-of/sms" in desk.sent_steps()


@pytest.mark.parametrize("because", ["30005", "30006"])
def test_a_stop_after_a_refusal_is_the_patients_own_and_no_grant_of_staff_ends_it(
    desk: Desk, because: str
) -> None:
    """Nor for who is enrolled later on the same phone, whose ledger says nothing of the stop."""
    id_ = desk.enroll().enrollment_id
    _suppress(desk, because)
    _stop(desk, NOW + HOUR)
    other = desk.enroll(1, name="Bob Lee", email="bob@example.com", now=LATER).enrollment_id
    for each in (id_, other):
        assert _grant(desk, each, "verbal", LATER + HOUR).because == STOP
    assert _start(desk, LATER + 2 * HOUR)
    assert _blocked(desk) is None


@pytest.mark.parametrize("before", ["bounced 5.1.1", STOP])
def test_a_complaint_is_kept_whatever_had_ended_the_emails_before(desk: Desk, before: str) -> None:
    id_ = desk.enroll().enrollment_id
    _suppress(desk, before, channel=EMAIL)
    event = EmailEvent("sendgrid", EmailFate.COMPLAINED, MAILBOX)
    take_in(desk.engine, desk.content, [event], NOW + HOUR)
    assert _grant(desk, id_, "verbal", LATER, EMAIL).because == "complained"
    assert not _start(desk, LATER, EMAIL, MAILBOX)


def test_a_wrong_number_after_a_refusal_stays_whatever_staff_note(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _suppress(desk, "30006")
    _stop(desk, NOW + HOUR, because=WRONG_NUMBER)
    assert _grant(desk, id_, "verbal", LATER).because == WRONG_NUMBER


def test_a_grant_for_one_on_a_shared_phone_gives_the_other_nothing(desk: Desk) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    _stop(desk, NOW, how="verbal")
    _grant(desk, ann, "verbal", LATER)
    assert desk.stands(ann)["day-of/sms"] == "scheduled"
    desk.run_until(AFTER_ALL)
    assert desk.stands(bob)["day-of/sms"] != "accepted"
    texted = {row.enrollment_id for row in desk.rows() if row.channel is SMS and row.sent_at}
    assert texted == {ann}


def test_taking_a_consent_back_ends_one_patients_texts_and_keeps_the_phone(desk: Desk) -> None:
    ann = desk.enroll(1, name="Ann Lee", email="ann@example.com").enrollment_id
    bob = desk.enroll(1, name="Bob Lee", email="bob@example.com").enrollment_id
    made = revoke(desk.scope, ann, SMS, "verbal", "Ana", NOW)
    assert set(made) == {ann}
    assert desk.stands(ann)["day-of/sms"] == "cancelled no_consent"
    assert desk.stands(ann)["day-of/email"] == "scheduled"
    assert desk.stands(bob)["day-of/sms"] == "scheduled"
    assert _blocked(desk) is None
    (task,) = desk.tasks("call_patient")
    assert task.enrollment_id == ann
    desk.run_until(AFTER_ALL)
    texted = {row.enrollment_id for row in desk.rows() if row.channel is SMS and row.sent_at}
    assert texted == {bob}


def test_a_claimed_text_does_not_go_out_once_its_consent_is_taken_back(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    claim = desk.sender.claim(NOW)
    revoke(desk.scope, id_, SMS, "verbal", "Ana", NOW)
    going = desk.sender.prepare(claim, NOW).going
    assert [outgoing.channel for _, outgoing in going] == [EMAIL]
    desk.send_all(NOW)
    assert desk.sms.tried == []


def test_the_ledger_is_shown_in_order_with_how_each_channel_stands(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, NOW + HOUR)
    shown = show(desk.scope, id_)
    assert [(w.channel, w.given) for w in shown.ledger] == [
        (SMS, True),
        (EMAIL, True),
        (SMS, False),
    ]
    sms, email = shown.standing
    assert (sms.channel, sms.address, sms.reason, sms.because) == (SMS, PHONE, "stopped", STOP)
    assert (email.channel, email.reason, email.because) == (EMAIL, None, None)


def test_nothing_is_noted_of_an_enrollment_that_is_not_there(desk: Desk) -> None:
    for act in (
        lambda: show(desk.scope, 9),
        lambda: grant(desk.scope, 9, SMS, "paper", "Ana", NOW),
        lambda: revoke(desk.scope, 9, SMS, "paper", "Ana", NOW),
    ):
        with pytest.raises(NotFound, match="drip list"):
            act()


# --- An address outlives its patient --------------------------------------------------------------


@pytest.mark.parametrize(("channel", "address"), [(SMS, PHONE), (EMAIL, MAILBOX)])
def test_an_address_is_not_messaged_again_though_its_patient_was_deleted(
    desk: Desk, channel: Channel, address: str
) -> None:
    desk.enroll()
    desk.run_until(NOW)
    _stop(desk, NOW + HOUR, channel, address)
    _delete_everybody(desk)
    sink = desk.sms if channel is SMS else desk.email
    count = len(sink.tried)
    again = desk.enroll(now=LATER, name="Ana Again").enrollment_id
    assert desk.stands(again)[f"day-before/{channel}"] == "skipped stopped"
    desk.run_until(AFTER_ALL)
    assert len(sink.tried) == count
    assert len(desk.sms.tried) + len(desk.email.tried) > count, "the other channel goes on"


def test_a_patient_who_is_enrolled_again_may_start_again(desk: Desk) -> None:
    desk.enroll()
    _stop(desk, NOW)
    _delete_everybody(desk)
    again = desk.enroll(now=LATER).enrollment_id
    assert _grant(desk, again, "verbal", LATER + HOUR).because == STOP
    assert _start(desk, LATER + 2 * HOUR)
    assert desk.stands(again)["day-of/sms"] == "scheduled"
    assert desk.count_of(Suppression) == 0


def _delete_everybody(desk: Desk) -> None:
    with writing(desk.engine) as session:
        # The ledger goes with its patients.
        for table in (Task, Attempt, Delivery, Enrollment, Patient, Address):
            session.execute(delete(table))
        assert session.scalars(select(Address)).all() == []


# --- Tasks --------------------------------------------------------------------------------------


def _done(desk: Desk) -> list[tuple[str, str | None, str | None]]:
    """The kind, who has done it and the note of each task that is done."""
    with reading(desk.engine) as session:
        found = session.scalars(select(Task).where(Task.status == "done")).all()
    return [(task.kind, task.done_by, task.note) for task in found]


GO_ON = "Texts go on since 2026-12-02 10:00."


@pytest.mark.parametrize("consent", ["sms,email", "sms"])
def test_nobody_calls_who_gets_texts_again_after_a_grant(desk: Desk, consent: str) -> None:
    id_ = desk.enroll(consent=consent).enrollment_id
    revoke(desk.scope, id_, SMS, "verbal", "Ana", NOW)
    (task,) = desk.tasks("call_patient")
    assert "welcome" in task.says
    _grant(desk, id_, "verbal", LATER)
    assert desk.stands(id_)["day-of/sms"] == "scheduled"
    assert desk.tasks() == []
    assert _done(desk) == [("call_patient", "drip", GO_ON)]


def test_nobody_calls_who_gets_texts_again_after_a_start(desk: Desk) -> None:
    desk.enroll()
    _stop(desk, NOW)
    assert len(desk.tasks("call_patient")) == 1
    _start(desk, LATER)
    assert desk.tasks() == []
    assert _done(desk) == [("call_patient", "drip", GO_ON)]


def test_a_call_stays_where_a_grant_does_not_bring_the_messages_back(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    _stop(desk, NOW)
    before = [task.id for task in desk.tasks()]
    assert before
    _grant(desk, id_, "verbal", LATER)  # the carrier blocks until START
    _grant(desk, id_, "verbal", LATER, EMAIL)
    assert [task.id for task in desk.tasks()] == before


def test_a_call_about_what_is_too_late_by_now_stays(desk: Desk) -> None:
    id_ = desk.enroll(email="", consent="sms").enrollment_id
    revoke(desk.scope, id_, SMS, "verbal", "Ana", NOW)
    _grant(desk, id_, "verbal", at("2026-12-15 08:00"))
    assert any("day-before" in task.says for task in desk.tasks("call_patient"))


@pytest.mark.parametrize("kind", ["crisis", "reply", "call_patient"])
def test_texts_that_go_on_end_no_other_task(desk: Desk, kind: str) -> None:
    id_ = desk.enroll().enrollment_id
    with writing(desk.engine) as session:
        tasks.open_task(
            session,
            desk.scope.clinic_id,
            key=f"{kind}:reply:1",
            kind=kind,
            says="Call the patient: day-of",
            enrollment_id=id_,
            now=NOW,
        )
    _stop(desk, NOW)
    _start(desk, LATER)
    assert [task.kind for task in desk.tasks()] == [kind]


@pytest.mark.parametrize("because", ["30005", "30006", "21614"])
def test_an_address_is_checked_no_more_once_it_is_tried_again(desk: Desk, because: str) -> None:
    id_ = desk.enroll().enrollment_id
    desk.enroll(2)
    is_refused = Rejected(because, suppress=True, address_is_bad=True)
    desk.sms.answer = lambda _, __: is_refused
    desk.run_until(NOW)
    assert len(desk.tasks("fix_address")) == 2
    assert _blocked(desk) == because
    _grant(desk, id_, "verbal", LATER)
    left = [task.enrollment_id for task in desk.tasks("fix_address")]
    assert len(left) == (2 if because == "21614" else 1)
    assert (id_ in left) is (because == "21614")
