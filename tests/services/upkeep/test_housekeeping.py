"""What keeps deliveries from standing still: lapsed leases, unknown outcomes, `until`."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from drip.core.delivery import Status
from drip.core.outgoing import Accepted, NotSent, Rejected, Unknown
from drip.core.schedule import Channel
from drip.providers.outbox import Outbox
from drip.providers.protocol import Provider
from drip.providers.smtp import Smtp
from drip.providers.twilio import Twilio
from drip.services.outbound.sending import CLAIM_LEASE, LEASE, Sender
from drip.services.outbound.settling import SETTLE_AFTER
from drip.services.staff.tasks import finish_task
from drip.services.upkeep.housekeeping import keep_house
from tests.servers.smtp_server import SmtpServer
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER, TwilioServer
from tests.services.desk import DAY, HOUR, MINUTE, NOW, Desk, at

LATER = NOW + LEASE + SETTLE_AFTER


def _lost(desk: Desk) -> int:
    """A text that was handed over by a worker that then died."""
    id_ = desk.enroll(consent="sms").enrollment_id
    desk.sender.hand_over(desk.sender.prepare(desk.sender.claim(NOW), NOW).going, NOW)
    return id_


def test_what_a_dead_worker_had_claimed_goes_back(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.sender.claim(NOW)
    desk.keep_house(NOW + CLAIM_LEASE - timedelta(seconds=1))
    assert desk.row(id_, "welcome").status is Status.CLAIMED
    desk.keep_house(NOW + CLAIM_LEASE)
    welcome = desk.row(id_, "welcome")
    assert (welcome.status, welcome.lease_token) == (Status.SCHEDULED, None)


def test_what_a_dead_worker_was_sending_is_unknown_and_not_sent_again(desk: Desk) -> None:
    id_ = _lost(desk)
    desk.sms.knows = lambda _unsettled: Unknown("not yet")
    desk.keep_house(NOW + LEASE)
    desk.send_all(NOW + LEASE)
    assert desk.stands(id_)["welcome/sms"] == "unknown no_answer"
    assert len(desk.sms.tried) == 1


def test_the_provider_is_asked_with_all_that_it_needs(desk: Desk) -> None:
    id_ = _lost(desk)
    desk.keep_house(LATER)
    ((_, asked),) = desk.sms.asked
    (attempt,) = desk.tries(desk.row(id_, "welcome").id)
    assert (asked.attempt_id, asked.to, asked.started_at) == (attempt.id, "+12125550101", NOW)
    assert asked.body == attempt.body


def test_what_the_provider_took_is_accepted(desk: Desk) -> None:
    id_ = _lost(desk)
    desk.sms.knows = lambda _unsettled: Accepted("SM1")
    desk.keep_house(LATER)
    welcome = desk.row(id_, "welcome")
    assert (welcome.status, welcome.provider_id, welcome.reason) == (Status.ACCEPTED, "SM1", None)
    assert [t.outcome for t in desk.tries(welcome.id)] == ["accepted"]
    assert len(desk.sms.tried) == 1


def test_what_the_provider_never_had_is_sent_once_more(desk: Desk) -> None:
    id_ = _lost(desk)
    desk.sms.knows = lambda _unsettled: NotSent()
    desk.keep_house(LATER)
    desk.send_all(LATER)
    welcome = desk.row(id_, "welcome")
    assert welcome.status is Status.ACCEPTED
    assert [t.outcome for t in desk.tries(welcome.id)] == ["not_sent", "accepted"]


def test_what_the_provider_refused_is_failed_with_a_call(desk: Desk) -> None:
    id_ = _lost(desk)
    desk.sms.knows = lambda _unsettled: Rejected("21610", suppress=True)
    desk.keep_house(LATER)
    assert desk.stands(id_)["welcome/sms"] == "failed refused"
    assert len(desk.tasks("call_patient")) == 1
    desk.run_until(at("2027-01-15 10:00"))
    assert len(desk.sms.tried) == 1


def test_while_the_provider_cannot_say_it_is_asked_ever_more_rarely(desk: Desk) -> None:
    _lost(desk)
    desk.sms.knows = lambda _unsettled: Unknown("not yet")
    ages = [number * MINUTE for number in range(2, 90)] + [2 * HOUR, 2 * HOUR + MINUTE]
    ages += [DAY, DAY + HOUR, DAY + 3 * HOUR, 2 * DAY + HOUR, 2 * DAY + 4 * HOUR]
    for age in ages:
        keep_house(desk.engine, {Channel.SMS: desk.sms}, NOW + age)
    times = [asked - NOW for asked, _ in desk.sms.asked]
    first = 7 * MINUTE  # the lease is over after five
    assert [each for each in times if each < HOUR] == [
        first + number * 2 * MINUTE for number in range(27)
    ]
    assert [each for each in times if each >= HOUR] == [
        2 * HOUR,
        DAY,
        2 * DAY + HOUR,
    ]


def test_an_unknown_essential_message_is_one_task_until_it_is_known(desk: Desk) -> None:
    id_ = _lost(desk)
    desk.sms.knows = lambda _unsettled: Unknown("not yet")
    for minutes in range(0, 30, 2):
        desk.keep_house(LATER + minutes * MINUTE)
    (task,) = desk.tasks()
    assert (task.kind, task.urgent) == ("unknown_outcome", True)
    desk.sms.knows = lambda _unsettled: Accepted("SM1")
    desk.keep_house(LATER + 32 * MINUTE)
    assert desk.row(id_, "welcome").status is Status.ACCEPTED
    assert desk.tasks() == []


def test_unknown_for_a_second_time_it_is_a_task_again(desk: Desk) -> None:
    _lost(desk)
    desk.sms.knows = lambda _unsettled: Unknown("not yet")
    desk.keep_house(LATER)
    finish_task(desk.scope, desk.tasks()[0].id, "ann", "not there", LATER)
    desk.sms.knows = lambda _unsettled: NotSent()
    desk.keep_house(LATER + 2 * MINUTE)
    desk.sms.answer = lambda _outgoing, _now: Unknown("no answer")
    desk.send_all(LATER + 2 * MINUTE)
    desk.sms.knows = lambda _unsettled: Unknown("not yet")
    desk.keep_house(LATER + 5 * MINUTE)
    assert [task.kind for task in desk.tasks()] == ["unknown_outcome"]


def test_unknown_education_is_no_task(desk: Desk) -> None:
    desk.enroll()
    desk.run_until(NOW)
    desk.email.answer = lambda _outgoing, _now: Unknown("no answer")
    desk.email.knows = lambda _unsettled: Unknown("cannot be asked")
    desk.run_until(at("2026-12-04 12:00"))
    assert Status.UNKNOWN in desk.counts()
    assert desk.tasks() == []


def test_another_provider_is_not_asked_of_what_it_never_had(desk: Desk) -> None:
    id_ = _lost(desk)
    desk.sms.name = "new-texts"
    desk.keep_house(LATER)
    desk.send_all(LATER)
    assert desk.stands(id_)["welcome/sms"] == "unknown no_answer"
    assert desk.sms.asked == []
    assert [task.kind for task in desk.tasks()] == ["unknown_outcome"]


def test_after_a_long_time_off_it_is_asked_at_once(desk: Desk) -> None:
    id_ = _lost(desk)
    desk.sms.knows = lambda _unsettled: Accepted("SM1")
    desk.keep_house(NOW + 3 * DAY)
    assert desk.row(id_, "welcome").status is Status.ACCEPTED


def test_an_id_that_another_attempt_has_settles_nothing(desk: Desk) -> None:
    first = desk.enroll(1, consent="sms").enrollment_id
    desk.sms.answer = lambda _outgoing, _now: Accepted("SM1")
    desk.send_all(NOW)
    second = desk.enroll(1, consent="sms", name="Another One").enrollment_id
    desk.sms.answer = lambda _outgoing, _now: Unknown("no answer")
    desk.send_all(NOW)
    desk.sms.knows = lambda _unsettled: Accepted("SM1")
    desk.keep_house(LATER)
    assert desk.stands(first)["welcome/sms"] == "accepted"
    assert desk.stands(second)["welcome/sms"] == "unknown no_answer"


def test_what_waits_past_its_until_expires_with_a_call_where_it_is_essential(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    desk.run_until(at("2026-12-05 10:00"))
    desk.keep_house(at("2026-12-15 06:00"))
    stands = desk.stands(id_)
    assert stands["side-effects/email"] == stands["day-before/sms"] == "expired until_passed"
    assert stands["day-of/sms"] == "scheduled"
    said = sorted(task.says for task in desk.tasks())
    assert said == [
        "Call the patient: arrange-a-ride (could not be sent in time)",
        "Call the patient: day-before (could not be sent in time)",
    ]


@pytest.fixture(params=["outbox", "twilio", "smtp"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Provider, object]]:
    """A real provider with its server."""
    with ExitStack() as stack:
        if request.param == "outbox":
            provider: Provider = Outbox(tmp_path / "outbox")
            server: object = tmp_path / "outbox"
        elif request.param == "twilio":
            twilio = stack.enter_context(TwilioServer(clock=lambda: NOW))
            server, provider = (
                twilio,
                Twilio(ACCOUNT_SID, AUTH_TOKEN, sender=SENDER, api_url=twilio.url),
            )
        else:
            smtp = stack.enter_context(SmtpServer())
            server, provider = smtp, Smtp(smtp.url, "care@example.com")
        stack.callback(provider.close)
        yield request.param, provider, server


@pytest.mark.parametrize("handed_over", [True, False])
def test_a_lost_worker_is_settled_with_the_real_providers(
    desk: Desk,
    real: tuple[str, Provider, object],
    handed_over: bool,
) -> None:
    """Once and no more: what cannot be asked stays unknown and becomes a task."""
    kind, provider, server = real
    channel = Channel.EMAIL if kind == "smtp" else Channel.SMS
    sender = Sender(desk.engine, desk.content, {channel: provider})
    id_ = desk.enroll(consent=channel.value).enrollment_id
    going = sender.prepare(sender.claim(NOW), NOW).going
    if handed_over:
        sender.hand_over(going, NOW)
    for _ in range(3):
        keep_house(desk.engine, sender.providers, LATER)
        sender.tick(LATER)
    arrived = {
        "outbox": lambda: len(list(server.glob("delivery-*.txt"))),  # type: ignore[attr-defined]
        "twilio": lambda: len(server.messages),  # type: ignore[attr-defined]
        "smtp": lambda: len(server.mails),  # type: ignore[attr-defined]
    }[kind]()
    welcome = desk.row(id_, "welcome", channel.value)
    if kind == "smtp":
        assert arrived == handed_over
        assert welcome.status is Status.UNKNOWN
        assert [task.kind for task in desk.tasks()] == ["unknown_outcome"]
    else:
        assert arrived == 1
        assert welcome.status is Status.ACCEPTED
        assert welcome.attempts == (1 if handed_over else 2)
        assert desk.tasks() == []
