"""The sender: claim, prepare, hand over, record; and what it never does."""

import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from drip.content.sources import content_dir
from drip.core.delivery import WAITING, Status
from drip.core.outgoing import Answer, Outgoing, Rejected, Retry, Unknown
from drip.core.schedule import Channel
from drip.errors import StoreError
from drip.services.outbound import sending
from drip.services.outbound.sending import CLAIM_LEASE, LEASE
from drip.services.staff.tasks import finish_task
from drip.store import clinics, enrollments, outcomes, patients
from drip.store.claimed import Claimed
from drip.store.engine import writing
from drip.store.schema import Delivery
from tests.services.desk import DAY, HOUR, MINUTE, NEW_YORK, NOW, Desk, at, said

AFTER_ALL = at("2027-01-15 10:00")


def _busy(_outgoing: Outgoing, _now: datetime) -> Answer:
    return Retry("busy")


def test_each_stage_leaves_the_delivery_where_the_next_one_finds_it(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    sender = desk.sender
    claim = sender.claim(NOW)
    welcome = desk.row(id_, "welcome")
    assert (welcome.status, welcome.lease_token, welcome.lease_until) == (
        Status.CLAIMED,
        claim.token,
        NOW + CLAIM_LEASE,
    )
    prepared = sender.prepare(claim, NOW)
    welcome = desk.row(id_, "welcome")
    assert (welcome.status, welcome.attempts, welcome.sent_at) == (Status.SENDING, 1, NOW)
    (attempt,) = desk.tries(welcome.id)
    assert (attempt.outcome, attempt.address, attempt.started_at) == (None, "+12125550101", NOW)
    answers = sender.hand_over(prepared.going, NOW)
    assert desk.row(id_, "welcome").status is Status.SENDING
    sender.record(answers, NOW + timedelta(seconds=3))
    welcome = desk.row(id_, "welcome")
    (attempt,) = desk.tries(welcome.id)
    ((_, outgoing),) = desk.sms.sent
    assert (welcome.status, welcome.provider, welcome.lease_token) == (
        Status.ACCEPTED,
        "texts",
        None,
    )
    assert welcome.provider_id == attempt.provider_id == f"texts-{attempt.id}"
    assert attempt.outcome == "accepted"
    assert attempt.body == getattr(outgoing.content, "body", None)
    assert "River Clinic" in attempt.body


def test_nothing_goes_out_before_it_is_due(desk: Desk) -> None:
    desk.enroll()
    desk.send_all(NOW)
    count = len(desk.sms.tried + desk.email.tried)
    desk.send_all(at("2026-12-02 09:59"))
    assert len(desk.sms.tried + desk.email.tried) == count == 2
    desk.send_all(at("2026-12-02 10:00"))
    assert len(desk.sms.tried + desk.email.tried) > count


def test_a_text_may_not_land_after_the_window_or_its_until(desk: Desk) -> None:
    desk.enroll()
    desk.run_until(AFTER_ALL)
    limits = {
        names: outgoing.give_up_at
        for names, (_, outgoing) in zip(desk.sent_steps(desk.sms), desk.sms.sent, strict=True)
    }
    assert said(limits["welcome/sms"]) == "2026-12-01 20:00"
    assert said(limits["day-before/sms"]) == "2026-12-14 20:00"
    assert said(limits["evening-after/sms"]) == "2026-12-15 15:00"


def test_outside_the_window_a_delivery_waits_for_the_opening(desk: Desk) -> None:
    id_ = desk.enroll(now=at("2026-12-01 19:59")).enrollment_id
    night = at("2026-12-01 20:00")
    desk.send_all(night)
    assert desk.sms.tried == []
    welcome = desk.row(id_, "welcome")
    assert (welcome.status, said(welcome.due_at)) == (Status.SCHEDULED, "2026-12-02 09:00")
    assert welcome.planned_at == at("2026-12-01 19:59")
    desk.run_until(at("2026-12-02 09:00"))
    assert desk.row(id_, "welcome").status is Status.ACCEPTED


def test_the_window_is_on_the_clock_of_the_patient(desk: Desk) -> None:
    id_ = desk.enroll(now=at("2026-12-01 19:59"), timezone="America/Los_Angeles").enrollment_id
    desk.send_all(at("2026-12-01 20:00"))
    assert desk.row(id_, "welcome").status is Status.ACCEPTED


def test_after_its_until_a_delivery_is_never_sent(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(at("2026-12-13 10:00"))
    desk.send_all(at("2026-12-15 08:30"))
    stands = desk.stands(id_)
    assert stands["day-before/sms"] == stands["day-before/email"] == "expired until_passed"
    assert [t.says for t in desk.tasks() if "day-before" in t.says] == [
        "Call the patient: day-before (could not be sent in time)"
    ]


def test_a_step_before_the_session_is_not_sent_after_it(desk: Desk) -> None:
    desk.enroll(now=at("2026-12-14 20:30"), session="2026-12-15T09:00")
    desk.send_all(at("2026-12-15 09:00"))
    assert desk.sms.tried == desk.email.tried == []


def test_a_backlog_keeps_to_spacing_and_daily_limit(desk: Desk) -> None:
    ids = desk.enroll_many(range(1, 9))
    desk.run_until(at("2026-12-05 12:00"))
    back = at("2026-12-12 11:00")  # a week of silence: three steps are past, one is due
    _skip_to(desk, back)
    for id_ in ids:
        _assert_not_crowded(desk, id_)
        stands = desk.stands(id_)
        essential = ("arrange-a-ride/sms", "day-before/sms", "day-of/sms", "check-in/sms")
        assert {stands[step] for step in essential} == {"accepted"}
        ride = desk.row(id_, "arrange-a-ride")
        assert ride.sent_at == back, "what is essential comes first"
    assert desk.tasks() == []


def test_after_a_very_long_outage_stale_steps_expire_and_nothing_floods(desk: Desk) -> None:
    ids = desk.enroll_many(range(1, 6))
    desk.run_until(NOW)
    _skip_to(desk, at("2026-12-15 10:30"))
    for id_ in ids:
        _assert_not_crowded(desk, id_)
        stands = desk.stands(id_)
        assert stands["day-before/sms"] == stands["arrange-a-ride/sms"] == "expired until_passed"
        assert stands["questions-to-ask/email"] == "expired until_passed"
        assert stands["evening-after/sms"] == stands["check-in/email"] == "accepted"
    calls = Counter(task.enrollment_id for task in desk.tasks("call_patient"))
    assert calls == Counter(dict.fromkeys(ids, 3))


def test_the_window_holds_for_a_backlog(desk: Desk) -> None:
    desk.enroll_many(range(1, 6), timezone="America/Los_Angeles")
    desk.run_until(at("2026-12-05 12:00"))
    _skip_to(desk, at("2026-12-12 03:00"))
    for now, _ in desk.sms.sent + desk.email.sent:
        assert 12 <= now.astimezone(NEW_YORK).hour < 23


def test_a_refusal_for_now_is_tried_again_at_growing_intervals_until_it_works(
    desk: Desk,
) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    desk.sms.answer = _busy
    desk.run_until(NOW + 3 * HOUR)
    welcome = desk.row(id_, "welcome")
    assert (welcome.status, welcome.reason) == (Status.SCHEDULED, "retrying")
    times = [now for now, _ in desk.sms.tried]
    waits = [later - sooner for sooner, later in pairwise(times)]
    for number, wait in enumerate(waits):
        least = min(MINUTE * 2**number, HOUR)
        assert least <= wait <= 1.25 * least
    assert len(times) == 8
    desk.sms.answer = None
    desk.run_until(NOW + 5 * HOUR)
    assert desk.row(id_, "welcome").status is Status.ACCEPTED
    assert len(desk.sms.sent) == 1
    tries = desk.tries(welcome.id)
    assert [t.outcome for t in tries] == ["retry"] * (len(tries) - 1) + ["accepted"]
    assert [t.number for t in tries] == list(range(1, len(tries) + 1))
    assert desk.row(id_, "welcome").planned_at == NOW


def test_what_the_provider_asks_to_wait_is_waited(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    desk.sms.answer = lambda _outgoing, _now: Retry("20429", after=900.0)
    desk.send_all(NOW)
    due_at = desk.row(id_, "welcome").due_at
    assert timedelta(minutes=15) <= due_at - NOW <= timedelta(minutes=19)


def test_a_provider_that_never_takes_it_ends_in_a_call_before_until(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms", now=at("2026-12-15 06:30")).enrollment_id
    desk.sms.answer = _busy
    desk.run_until(at("2026-12-16 00:00"))
    day_of = desk.row(id_, "day-of")
    assert (day_of.status, day_of.reason) in {
        (Status.FAILED, "gave_up"),
        (Status.SKIPPED, "no_window"),
        (Status.SKIPPED, "no_window"),
    }
    evening = desk.row(id_, "evening-after")
    assert (evening.status, evening.reason) == (Status.FAILED, "gave_up")
    assert evening.updated_at < evening.until
    assert any("evening-after (the provider would not" in t.says for t in desk.tasks())


def test_what_one_channel_cannot_carry_needs_no_call_if_the_other_can(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.sms.answer = lambda _outgoing, _now: Rejected("30007")
    desk.send_all(NOW)
    assert desk.stands(id_)["welcome/sms"] == "failed refused"
    assert desk.stands(id_)["welcome/email"] == "accepted"
    assert desk.tasks() == []


def test_a_bad_address_becomes_one_task_to_mend_it_and_a_call(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    desk.sms.answer = lambda _outgoing, _now: Rejected("21211", address_is_bad=True)
    desk.run_until(at("2026-12-10 12:00"))
    assert len(desk.sms.tried) > 1
    (mend,) = desk.tasks("fix_address")
    assert "(21211)" in mend.says
    assert mend.enrollment_id == id_
    assert [task.says for task in desk.tasks("call_patient")] == [
        "Call the patient: welcome (the provider refused it)"
    ]


def test_an_address_said_to_be_mended_that_is_still_bad_is_asked_for_again(desk: Desk) -> None:
    desk.enroll(consent="sms")
    desk.sms.answer = lambda _outgoing, _now: Rejected("21211", address_is_bad=True)
    desk.send_all(NOW)
    finish_task(desk.scope, desk.tasks("fix_address")[0].id, "ann", None, NOW)
    desk.run_until(at("2026-12-02 12:00"))
    assert len(desk.tasks("fix_address")) == 1


def test_a_set_up_that_the_provider_refuses_is_told_to_staff_once_a_day(desk: Desk) -> None:
    desk.enroll_many(range(1, 6), consent="sms")
    desk.sms.answer = lambda _outgoing, _now: Retry("30034", alert="Register the campaign.")
    desk.run_until(NOW + HOUR)
    (task,) = desk.tasks("provider_refuses")
    assert task.urgent
    assert "Register the campaign." in task.says
    assert len(desk.sms.tried) > 5


def test_no_answer_is_neither_sent_again_nor_forgotten(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    desk.sms.answer = lambda _outgoing, _now: Unknown("no answer")
    desk.send_all(NOW)
    assert desk.stands(id_)["welcome/sms"] == "unknown no_answer"
    desk.sms.answer = None
    desk.send_all(NOW + MINUTE)
    assert len(desk.sms.tried) == 1


def test_poisoned_rows_do_not_stop_the_others(desk: Desk, tmp_path: Path) -> None:
    broken = tmp_path / "messages" / "welcome"
    broken.mkdir(parents=True)
    words = (Path("messages") / "welcome" / "es.md").read_text(encoding="utf-8")
    (broken / "es.md").write_text(words.replace("\n---\n", "\n---\n{{ 1 // 0 }}\n", 1))
    desk = Desk(desk.engine, content=content_dir(tmp_path))
    bad_zone, no_zone, no_profile, no_schedule, bad_words, well = desk.enroll_many(range(1, 7))
    with writing(desk.engine) as session:
        for id_, zone in ((bad_zone, "Mars/Olympus"), (no_zone, "America")):
            patient = patients.get(session, desk.enrollment(id_).patient_id)
            assert patient is not None
            patient.timezone = zone
        other = clinics.upsert(session, "other", {"steps": 3}, NOW)
        for row in session.query(Delivery).where(Delivery.enrollment_id == no_profile):
            row.clinic_id = other
        enrollment = enrollments.lock(session, no_schedule)
        assert enrollment is not None
        enrollment.schedule_version = 99
        patient = patients.get(session, desk.enrollment(bad_words).patient_id)
        assert patient is not None
        patient.language = "es"
    desk.send_all(NOW)
    for id_ in (bad_zone, no_zone, no_profile):
        assert desk.stands(id_)["welcome/sms"] == "skipped broken"
        assert desk.stands(id_)["welcome/email"] == "skipped broken"
    assert desk.stands(bad_words)["welcome/email"] == "skipped broken"
    assert desk.stands(bad_words)["welcome/sms"] == "accepted"
    assert desk.stands(well)["welcome/sms"] == desk.stands(well)["welcome/email"] == "accepted"
    assert desk.stands(no_schedule)["welcome/sms"] == "accepted"
    assert {task.kind for task in desk.tasks()} == {"broken_message", "call_patient"}
    calls = {task.enrollment_id for task in desk.tasks("call_patient")}
    assert {bad_zone, no_zone} <= calls
    assert bad_words not in calls


def test_a_broken_schedule_does_not_keep_a_stop_from_being_kept_to(desk: Desk) -> None:
    broken, well = desk.enroll_many([1, 2])
    with writing(desk.engine) as session:
        enrollment = enrollments.lock(session, broken)
        assert enrollment is not None
        enrollment.schedule_version = 99
        address = (Channel.SMS, "+12125550101")
        patients.suppress(session, desk.scope.clinic_id, *address, "stop", NOW)
    desk.send_all(NOW)
    assert desk.stands(broken)["welcome/sms"] == "skipped stopped"
    assert desk.stands(well)["welcome/sms"] == "accepted"
    assert [outgoing.to for _, outgoing in desk.sms.tried] == ["+12125550102"]


def test_a_consent_that_is_taken_back_after_the_claim_counts(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    claim = desk.sender.claim(NOW)
    with writing(desk.engine) as session:
        revoked = {
            "clinic_id": desk.scope.clinic_id,
            "patient_id": desk.enrollment(id_).patient_id,
            "channel": Channel.SMS,
            "given": False,
            "at": NOW,
            "how": "verbal",
            "wording_version": "1",
            "by_whom": "desk",
        }
        patients.add_consents(session, [revoked])
    assert desk.sender.prepare(claim, NOW).going == []
    assert desk.sms.tried == []


@pytest.mark.both_databases
def test_many_senders_at_once_never_send_anything_twice(desk: Desk) -> None:
    desk.enroll_many(range(1, 61))
    together = threading.Barrier(4)

    def send(number: int) -> None:
        together.wait(timeout=30)
        desk.send_all(NOW, desk.new_sender(batch=7 + number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    sent = Counter(outgoing.delivery_id for _, outgoing in desk.sms.tried + desk.email.tried)
    assert len(sent) == 120
    assert set(sent.values()) == {1}


@pytest.mark.both_databases
def test_two_senders_do_not_crowd_one_patient(desk: Desk) -> None:
    """Each has other deliveries of the same patients in hand, and none has sent yet."""
    ids = desk.enroll_many(range(1, 11))
    desk.run_until(at("2026-12-05 12:00"))
    now = at("2026-12-15 13:30")
    with writing(desk.engine) as session:
        for row in session.query(Delivery).where(Delivery.step.in_(("evening-after", "check-in"))):
            row.due_at, row.until = now, now + 2 * DAY
    desk.keep_house(now)  # what is past its `until` is out of the way
    senders = [desk.new_sender(len(ids)) for _ in range(3)]
    claims = [(sender, sender.claim(now)) for sender in senders]
    assert [len(claim.ids) for _, claim in claims] == [len(ids)] * 3
    together = threading.Barrier(3)

    def prepare(pair: "tuple[sending.Sender, sending.Claim]") -> "list[tuple[Claimed, Outgoing]]":
        together.wait(timeout=30)
        return pair[0].prepare(pair[1], now).going

    with ThreadPoolExecutor(3) as pool:
        going = [row for part in pool.map(prepare, claims) for row, _ in part]
    steps: defaultdict[int, set[str]] = defaultdict(set)
    for sent in going:
        steps[sent.enrollment_id].add(sent.step)
    assert set(steps) == set(ids)
    assert {len(names) for names in steps.values()} == {1}


def test_a_worker_whose_lease_is_over_hands_nothing_over(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    claim = desk.sender.claim(NOW)
    desk.keep_house(NOW + LEASE)
    assert desk.sender.prepare(claim, NOW).going == []
    desk.send_all(NOW + LEASE)
    assert desk.row(id_, "welcome").status is Status.ACCEPTED
    assert len(desk.sms.tried) == 1


def test_answers_are_kept_while_the_database_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = desk.enroll().enrollment_id
    record = outcomes.record

    def away(*_: object) -> None:
        raise StoreError("The database is away")

    with monkeypatch.context() as patched:
        patched.setattr(outcomes, "record", away)
        with pytest.raises(StoreError):
            desk.sender.tick(NOW)
        assert desk.row(id_, "welcome").status is Status.SENDING
        with pytest.raises(StoreError):
            desk.sender.tick(NOW)
    assert outcomes.record is record
    desk.sender.tick(NOW + MINUTE)
    assert desk.row(id_, "welcome").status is Status.ACCEPTED
    assert desk.row(id_, "welcome", "email").status is Status.ACCEPTED
    assert len(desk.sms.tried) == len(desk.email.tried) == 1


def test_the_answer_of_a_slow_provider_is_kept_after_the_lease(desk: Desk) -> None:
    id_ = desk.enroll(consent="sms").enrollment_id
    going = desk.sender.prepare(desk.sender.claim(NOW), NOW).going
    answers = desk.sender.hand_over(going, NOW)
    desk.sms.knows = lambda _unsettled: Unknown("not yet")
    desk.keep_house(NOW + LEASE)
    assert desk.row(id_, "welcome").status is Status.UNKNOWN
    desk.sender.record(answers, NOW + LEASE + MINUTE)
    welcome = desk.row(id_, "welcome")
    assert (welcome.status, welcome.reason) == (Status.ACCEPTED, None)


def _skip_to(desk: Desk, back: datetime) -> None:
    """The machine was off until now; then it runs to the end."""
    desk.send_all(back)
    desk.keep_house(back)
    desk.run_until(AFTER_ALL)
    assert not WAITING & desk.counts().keys()


def _assert_not_crowded(desk: Desk, id_: int) -> None:
    """At most two steps a day, two hours between two; the channels of one count once."""
    first: dict[tuple[str, int], datetime] = {}
    for row in desk.rows(id_):
        if row.status is Status.ACCEPTED and row.sent_at is not None:
            key = (row.step, row.occurrence)
            first[key] = min(first.get(key, row.sent_at), row.sent_at)
    times = sorted(first.values())
    days = Counter(moment.astimezone(NEW_YORK).date() for moment in times)
    assert max(days.values()) <= 2
    assert min(b - a for a, b in pairwise(times)) >= 2 * HOUR
    assert len(times) >= 3
    assert times[-1] - times[0] > DAY
