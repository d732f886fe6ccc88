"""Tasks that a broker hands to a worker: what they do is seen at the other end.

No beat runs here: a test sends a task itself, so that nothing else is at work.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from celery import Celery

from drip.clock import system_clock
from drip.config import Secret, Settings
from drip.core.delivery import Status
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel
from drip.services.answers import crisis
from drip.services.answers.answering import say
from drip.services.staff.tasks import ack_task, show_task
from drip.store import answers, replies
from drip.store.engine import reading, writing
from drip.store.schema import Delivery, Task
from drip.worker.celery_app import make_celery
from tests.faults.station import Station
from tests.servers.postgres import new_database
from tests.servers.redis import redis_server
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER, TwilioServer

ON_CALL = "+12125550190"
MAILBOX = "on-call@example.com"
A_QUARTER = crisis.RAISED_EVERY + timedelta(minutes=1)


@pytest.fixture(scope="module")
def twilio() -> Iterator[TwilioServer]:
    """A Twilio-shaped server."""
    with TwilioServer() as twilio:
        yield twilio


@pytest.fixture(scope="module")
def station(
    tmp_path_factory: pytest.TempPathFactory,
    postgresql: str,
    postgresql_template: str,
    twilio: TwilioServer,
) -> Iterator[Station]:
    """A clinic with somebody on call, its broker, and a worker that waits for tasks."""
    folder = tmp_path_factory.mktemp("clinic")
    settings = {
        "DRIP_SMS_PROVIDER": "twilio",
        "DRIP_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "DRIP_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "DRIP_TWILIO_FROM": SENDER,
        "DRIP_TWILIO_API_URL": twilio.url,
    }
    with new_database(postgresql, postgresql_template) as url, redis_server() as broker:
        station = Station(folder, url, broker, settings=settings)
        with (folder / "clinic.yaml").open("a") as clinic:
            clinic.write(f'on_call: {{emails: [{MAILBOX}], phones: ["{ON_CALL}"]}}\n')
        try:
            worker = station.worker()
            station.wait_for(lambda: station.is_ready(worker))
            yield station
        finally:
            station.close()


@pytest.fixture(scope="module")
def celery(station: Station) -> Iterator[Celery]:
    """What sends tasks, as beat does: each to the queue that it is routed to."""
    app = make_celery(Settings(redis_url=Secret(station.redis_url or "")))
    yield app
    app.close()


def case(station: Station, address: str, now: datetime) -> int:
    """A text of crisis from a number; gives its task."""
    with writing(station.engine) as session:
        reply_id = replies.keep(
            session,
            clinic_id=station.scope.clinic_id,
            provider="twilio",
            provider_id=f"SM{address}",
            address=address,
            sender=SENDER,
            body="I do not want to be here any more",
            media=0,
            received_at=now,
            reply_class=ReplyClass.CRISIS,
            stop=False,
        )
        assert reply_id is not None
        return crisis.open_case(
            session,
            station.scope,
            reply_id=reply_id,
            address=address,
            enrollment_ids=(),
            stop=False,
            answered=True,
            now=now,
        )


def mails_to(station: Station, mailbox: str) -> list[str]:
    """The emails to a mailbox in the outbox, as they are."""
    found = (path.read_text() for path in sorted(station.folder.glob("outbox/answer-*.eml")))
    return [mail for mail in found if f"\nTo: {mailbox}\n" in mail.replace("\r\n", "\n")]


def test_what_waits_to_be_said_goes_out(
    station: Station, celery: Celery, twilio: TwilioServer
) -> None:
    with writing(station.engine) as session:
        ids = [
            say(
                session,
                station.scope.clinic_id,
                kind="staff",
                channel=channel,
                address=address,
                body="Yes, you may eat before.",
                subject="Your question",
                now=system_clock(),
            )
            for channel, address in (
                (Channel.SMS, "+12125550123"),
                (Channel.EMAIL, "b@example.com"),
            )
        ]

    def states() -> list[str]:
        with reading(station.engine) as session:
            found = [answers.get(session, each) for each in ids]
        return [each.status for each in found if each is not None]

    assert states() == ["waiting", "waiting"]
    celery.send_task("drip.answer")
    station.wait_for(lambda: states() == ["accepted", "accepted"])
    assert twilio.texts("+12125550123") == ["Yes, you may eat before."]
    (mail,) = mails_to(station, "b@example.com")
    assert "Subject: Your question" in mail


def test_a_crisis_that_nobody_took_is_raised_again_and_one_that_is_taken_is_not(
    station: Station, celery: Celery, twilio: TwilioServer
) -> None:
    before = system_clock() - A_QUARTER
    taken, open_ = (case(station, f"+1212555013{n}", before) for n in (1, 2))
    ack_task(station.scope, taken, "Sam", before + timedelta(minutes=1))

    def raised_at(task_id: int) -> datetime | None:
        task: Task = show_task(station.scope, task_id).task
        return task.raised_at

    celery.send_task("drip.alarm")
    station.wait_for(lambda: raised_at(open_) != before)
    assert raised_at(taken) == before
    celery.send_task("drip.answer")
    station.wait_for(lambda: twilio.texts(ON_CALL) and mails_to(station, MAILBOX))
    (text,), (mail,) = twilio.texts(ON_CALL), mails_to(station, MAILBOX)
    for said in (text, mail):
        assert f"drip tasks ack {open_}" in said
        assert "want to be here" not in said
    assert "List-Unsubscribe" not in mail


def test_a_receipt_that_did_not_come_is_asked_for(
    station: Station, celery: Celery, twilio: TwilioServer
) -> None:
    station.ahead = -timedelta(hours=2)
    (number,) = station.enrol(1)
    with station.sender() as sender:
        while sender.tick(station.now()):
            """Until nothing is due."""
    with twilio.lock:
        (sent,) = (each for each in twilio.messages if each["to"] == number)
        sent["status"] = "delivered"

    def welcome() -> Delivery:
        with reading(station.engine) as session:
            (found,) = (
                row
                for row in session.query(Delivery)
                if (row.step, row.channel) == ("welcome", Channel.SMS)
            )
        return found

    assert welcome().status is Status.ACCEPTED
    celery.send_task("drip.poll")
    station.wait_for(lambda: welcome().status is Status.DELIVERED)
    assert twilio.shown == [sent["sid"]]
