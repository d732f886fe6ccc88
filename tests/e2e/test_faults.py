"""Real processes, real servers, real crashes: nothing is lost and nothing is sent twice."""

import os
import random
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from drip.core.delivery import Reason, Status
from drip.core.schedule import Channel
from drip.providers.outbox import Outbox
from drip.providers.protocol import Provider
from drip.providers.smtp import Smtp
from drip.providers.twilio import Twilio
from drip.services.outbound.sending import LEASE, Sender
from drip.services.outbound.settling import SETTLE_AFTER
from drip.services.upkeep.housekeeping import keep_house
from drip.store import claiming
from drip.store import engine as store_engine
from drip.store.engine import open_engine, reading
from drip.store.migrate import upgrade
from drip.store.schema import Delivery
from drip.worker import loop
from tests.e2e.house import House, housed
from tests.servers import postgres
from tests.servers.smtp_server import Misbehaviour, SmtpServer
from tests.servers.twilio_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    SENDER,
    Behaviour,
    TwilioServer,
)
from tests.services.desk import DAY, HOUR, MINUTE, NEW_YORK, NOW, Desk, at, without_reason

PAST_LEASE = LEASE + SETTLE_AFTER + MINUTE


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> Iterator[House]:
    """A house with Twilio's and a mail server, on each database."""
    with housed(tmp_path / "clinic", engine) as house:
        yield house
        assert without_reason(house.desk.rows()) == []


@pytest.fixture
def on_sqlite(sqlite_engine: Engine, tmp_path: Path) -> Iterator[House]:
    """The same, on SQLite alone."""
    with housed(tmp_path / "clinic", sqlite_engine) as house:
        yield house


# --- (a) Killed between two stages --------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize("point", ["claim", "prepare", "half", "hand_over", "record"])
@pytest.mark.parametrize("kind", ["outbox", "servers"])
def test_a_sender_killed_at_any_point_loses_nothing_and_sends_nothing_twice(
    engine: Engine, tmp_path: Path, kind: str, point: str
) -> None:
    with housed(tmp_path / "clinic", engine, servers=kind == "servers") as house:
        ids = house.desk.enroll_many(range(1, 5))
        killed = house.start("die.py", point, NOW.isoformat())
        killed.wait(60)
        assert killed.returncode == -signal.SIGKILL, house.errors.read_text()
        reached = house.arrived
        later = NOW + PAST_LEASE
        house.clock.forward(PAST_LEASE)
        sender = house.sender()
        keep_house(house.engine, sender.providers, later)
        while sender.tick(later):
            pass
        for provider in sender.providers.values():
            provider.close()
        _assert_once(house, ids)
        handed_over = {"claim": 0, "prepare": 0, "half": 4}.get(point, 8)
        assert sum(reached.values()) == handed_over
        if kind == "outbox" or point in ("claim", "record"):
            assert house.desk.counts()[Status.UNKNOWN] == 0
            assert house.desk.tasks() == []


def _assert_once(house: House, ids: list[int]) -> None:
    """Every welcome arrived exactly once; an email that nobody can be asked of has a task."""
    arrived = house.arrived
    unknown = set()
    for id_ in ids:
        patient = house.desk.patient(id_)
        text, mail = house.desk.row(id_, "welcome"), house.desk.row(id_, "welcome", "email")
        assert text.status is Status.ACCEPTED
        assert arrived[str(patient.phone)] == 1
        assert mail.status in (Status.ACCEPTED, Status.UNKNOWN)
        if mail.status is Status.UNKNOWN:
            assert house.smtp is not None
            assert arrived[str(patient.email)] <= 1
            unknown.add(mail.id)
        else:
            assert arrived[str(patient.email)] == 1
    assert {task.delivery_id for task in house.desk.tasks("unknown_outcome")} == unknown
    assert house.stands_still()


# --- (b) `drip run` killed again and again ------------------------------------------------------


@pytest.mark.slow
@pytest.mark.both_databases
def test_drip_run_killed_at_random_moments_delivers_everything_once(house: House) -> None:
    assert house.twilio is not None
    house.twilio.behave(Behaviour(delay=0.01))
    ids = house.desk.enroll_many(range(1, 101))
    chance = random.Random(20261201)
    for kill_at in sorted(chance.sample(range(1, 190), 4)):
        process = house.run()
        moment = threading.Event()
        house.wait_for(lambda: sum(house.arrived.values()) >= kill_at)  # noqa: B023
        moment.wait(chance.random() * 0.05)
        assert house.end(process, signal.SIGKILL) == -signal.SIGKILL
        house.clock.forward(PAST_LEASE)
    for is_over in (house.stands_still, lambda: house.stands_still() and _asked_for_all(house)):
        process = house.run()  # asks at its start for what is unknown
        house.wait_until_up(process)
        house.wait_for(is_over)
        assert house.end(process, signal.SIGTERM) == 0
        house.clock.forward(PAST_LEASE)
    _assert_once(house, ids)
    assert house.desk.counts()[Status.ACCEPTED] > 100


def _asked_for_all(house: House) -> bool:
    """Whether all that is unknown is an email, of which there is a task."""
    with reading(house.engine) as session:
        unknown = session.query(Delivery).filter(Delivery.status == Status.UNKNOWN).all()
    tasks = {task.delivery_id for task in house.desk.tasks("unknown_outcome")}
    return all(row.channel is Channel.EMAIL and row.id in tasks for row in unknown)


# --- (c) Asked to stop --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_finishes_the_batch_in_hand(on_sqlite: House, number: int) -> None:
    house = on_sqlite
    assert house.twilio is not None
    house.twilio.behave(Behaviour(delay=0.5))
    house.desk.enroll_many(range(1, 61))
    process = house.run()
    house.wait_for(lambda: sum(house.twilio.posts.values()) >= 1)  # type: ignore[union-attr]
    assert house.end(process, number) == 0
    counts = house.desk.counts()
    assert counts[Status.CLAIMED] == counts[Status.SENDING] == counts[Status.UNKNOWN] == 0
    assert counts[Status.ACCEPTED] == sum(house.arrived.values()) == 50
    assert counts[Status.SCHEDULED] > 0


def test_without_work_it_stops_at_once(on_sqlite: House) -> None:
    process = on_sqlite.run()
    on_sqlite.wait_until_up(process)
    assert on_sqlite.end(process, signal.SIGTERM) == 0


# --- (d) The database or the disk goes away -----------------------------------------------------


@pytest.mark.slow
def test_a_restart_of_postgresql_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    folder = postgres._start()
    try:
        server = f"postgresql://postgres@/postgres?host={folder}"
        engine = open_engine(server)
        upgrade(engine)
        with housed(tmp_path / "clinic", engine) as house:
            assert house.twilio is not None
            house.twilio.behave(Behaviour(delay=0.05))
            ids = house.desk.enroll_many(range(1, 101))
            process = house.run()
            house.wait_for(lambda: sum(house.arrived.values()) >= 20)
            pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGINT)
            house.wait_for(lambda: not (folder / "data" / "postmaster.pid").exists())
            house.wait_for(lambda: "store.trouble" in house.errors.read_text())
            with (folder / "log").open("a") as output:
                settings = [f"--{name}={value}" for name, value in postgres._SETTINGS.items()]
                data = folder / "data"
                postgres._popen(output, "postgres", "-D", data, "-k", folder, *settings)
            postgres._wait_until_ready(folder)
            engine.dispose()
            house.wait_for(house.stands_still)
            assert house.end(process, signal.SIGTERM) == 0
            assert set(house.arrived.values()) == {1}
            assert house.desk.counts()[Status.ACCEPTED] == len(house.arrived) == 2 * len(ids)
            assert house.desk.tasks() == []
        engine.dispose()
    finally:
        postgres._stop(folder)


def test_a_locked_database_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_engine, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(loop, "_AFTER_TROUBLE", 0.1)
    engine = open_engine(f"sqlite:///{tmp_path / 'drip.db'}")
    upgrade(engine)
    desk = Desk(engine)
    desk.enroll_many(range(1, 31))
    looked, stop = threading.Event(), threading.Event()
    times = 0

    def clock() -> datetime:
        nonlocal times
        times += 1
        if times == 6:
            looked.set()
        return NOW

    with sqlite3.connect(tmp_path / "drip.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=loop.run, args=(desk.sender, clock, stop))
        thread.start()
        assert looked.wait(30), "it gave up"
        assert desk.sms.tried == []
        other.execute("ROLLBACK")
    other.close()
    while desk.counts()[Status.ACCEPTED] < 60 and thread.is_alive():
        looked.wait(0.01)
    stop.set()
    thread.join(timeout=30)
    assert len(desk.sms.tried) == len(desk.email.tried) == 30
    engine.dispose()


@pytest.mark.parametrize("trouble", ["no folder", "disk full"])
def test_an_outbox_that_cannot_be_written_is_tried_again_and_written_once(
    engine: Engine, tmp_path: Path, trouble: str
) -> None:
    desk, folder = Desk(engine), tmp_path / "outbox"
    sender = Sender(engine, desk.content, dict.fromkeys(Channel, Outbox(folder)))
    id_ = desk.enroll().enrollment_id
    rows = [desk.row(id_, "welcome"), desk.row(id_, "welcome", "email")]
    if trouble == "no folder":
        folder.write_text("in the way")
    else:
        folder.mkdir()
        for row, suffix in zip(rows, ("txt", "eml"), strict=True):
            half = folder / f".delivery-{row.id}.{suffix}.{os.getpid()}.part"
            half.symlink_to("/dev/full")  # takes no byte: "No space left on device"
    assert sender.tick(NOW) == 2
    for row in rows:
        assert desk.tries(row.id)[0].outcome == "retry"
    assert desk.stands(id_)["welcome/sms"] == "scheduled retrying"
    if trouble == "no folder":
        folder.unlink()
    assert sender.tick(NOW + MINUTE / 2) == 0
    assert sender.tick(NOW + 2 * MINUTE) == 2
    assert {path.name for path in folder.glob("delivery-*.*")} == {
        f"delivery-{rows[0].id}.txt",
        f"delivery-{rows[1].id}.eml",
        f"delivery-{rows[1].id}.html",
    }
    assert (folder / "index.html").read_text(encoding="utf-8").count("<tr id=") == 2


# --- (e) A provider is down for hours -----------------------------------------------------------


class _Hours:
    """Lets hours pass for real providers: sends what is due, keeps house every two minutes."""

    def __init__(self, desk: Desk, provider: Provider, channel: Channel) -> None:
        self.now = NOW
        self.desk = desk
        self.sender = Sender(desk.engine, desk.content, {channel: provider})

    def __call__(self) -> datetime:
        return self.now

    def pass_until(self, end: datetime, house_every: timedelta = 10 * MINUTE) -> None:
        house_due = self.now
        while True:
            with reading(self.desk.engine) as session:
                due_at = claiming.next_due_at(session)
            self.now = min(max(due_at or end, self.now), house_due, end)
            while self.sender.tick(self.now):
                pass
            if self.now >= house_due:
                keep_house(self.desk.engine, self.sender.providers, self.now)
                house_due = self.now + house_every
            if self.now >= end:
                return


@pytest.mark.parametrize("way", ["refused", "500", "500 taken", "hang"])
def test_twilio_down_for_hours_means_one_text_each_afterwards(engine: Engine, way: str) -> None:
    desk = Desk(engine)
    with TwilioServer() as server:
        twilio = Twilio(ACCOUNT_SID, AUTH_TOKEN, sender=SENDER, api_url=server.url, timeout=0.1)
        hours = _Hours(desk, twilio, Channel.SMS)
        server.clock = hours
        ids = desk.enroll_many(range(1, 4), consent="sms")
        rows = len(desk.rows())
        if way == "refused":
            server.stop()
        elif way == "hang":
            server.behave(Behaviour(how="hang"))
        else:
            server.behave(Behaviour(status=500, taken=way == "500 taken"))
            server.list_status = 500
        hours.pass_until(NOW + 3 * HOUR)
        for id_ in ids:
            welcome = desk.row(id_, "welcome")
            assert welcome.status in (Status.SCHEDULED, Status.UNKNOWN)
            assert 1 <= len(desk.tries(welcome.id)) <= 10
        assert len(desk.rows()) == rows, "nothing grows"
        if way == "refused":
            server.start()
        server.behave()
        server.list_status = 200
        hours.pass_until(NOW + 9 * HOUR)
        assert [len(server.texts(f"+1212555{100 + n:04}")) for n in range(1, 4)] == [1] * 3
        assert {desk.stands(id_)["welcome/sms"] for id_ in ids} == {"accepted"}
        assert desk.tasks() == []
        twilio.close()


@pytest.mark.parametrize("way", ["refused", "4xx", "hang"])
def test_a_mail_server_down_for_hours_means_one_mail_each_afterwards(
    engine: Engine, way: str
) -> None:
    desk = Desk(engine)
    with SmtpServer() as server:
        smtp = Smtp(server.url, "care@example.com", timeout=0.1)
        hours = _Hours(desk, smtp, Channel.EMAIL)
        ids = desk.enroll_many(range(1, 4), consent="email")
        if way == "refused":
            server.stop()
        else:
            trouble = {
                "4xx": Misbehaviour(reply="451 4.3.0 later"),
                "hang": Misbehaviour(how="hang"),
            }
            for number in range(1, 5):
                server.misbehave(f"patient{number}@example.com", trouble[way])
        hours.pass_until(NOW + 3 * HOUR)
        for id_ in ids:
            welcome = desk.row(id_, "welcome", "email")
            # Put off by an answer, or without a try while the breaker is open.
            assert welcome.status is Status.SCHEDULED
            assert welcome.reason in (Reason.RETRYING, Reason.PROVIDER_DOWN)
            assert len(desk.tries(welcome.id)) <= 25
        if way == "refused":
            server.start()
        server.behave()
        hours.pass_until(NOW + 5 * HOUR)
        mails = Counter(mail.to for mail in server.mails)
        assert mails == {f"patient{number}@example.com": 1 for number in range(1, 4)}
        assert {desk.stands(id_)["welcome/email"] for id_ in ids} == {"accepted"}
        smtp.close()


def test_after_days_without_a_provider_spacing_holds_and_nothing_comes_at_night(
    engine: Engine,
) -> None:
    desk = Desk(engine)
    with TwilioServer() as server:
        twilio = Twilio(ACCOUNT_SID, AUTH_TOKEN, sender=SENDER, api_url=server.url, timeout=0.2)
        hours = _Hours(desk, twilio, Channel.SMS)
        server.clock = hours
        (id_,) = desk.enroll_many([1], consent="sms")
        hours.pass_until(NOW)
        hours.now = at("2026-12-08 09:59")
        server.stop()
        hours.pass_until(at("2026-12-10 12:00"), house_every=2 * HOUR)
        server.start()
        hours.pass_until(at("2026-12-25 10:00"), house_every=6 * HOUR)
        sent = sorted(
            row.sent_at
            for row in desk.rows(id_)
            if row.status is Status.ACCEPTED and row.sent_at is not None
        )
        assert len(sent) == len(server.messages) >= 7
        days = Counter(moment.astimezone(NEW_YORK).date() for moment in sent)
        assert max(days.values()) <= 2
        assert all(9 <= moment.astimezone(NEW_YORK).hour < 20 for moment in sent)
        assert sent[-1] - sent[0] > 10 * DAY
        twilio.close()


def test_a_mail_server_that_is_slow_does_not_outlast_the_lease(sqlite_engine: Engine) -> None:
    desk = Desk(sqlite_engine)
    with SmtpServer() as server:
        smtp = Smtp(server.url, "care@example.com", batch_seconds=0.0)
        hours = _Hours(desk, smtp, Channel.EMAIL)
        desk.enroll_many(range(1, 6), consent="email")
        assert hours.sender.tick(NOW) == 5
        assert len(server.mails) == 1
        counts = desk.counts()
        assert (counts[Status.ACCEPTED], counts[Status.UNKNOWN]) == (1, 0)
        hours.pass_until(NOW + 3 * HOUR)
        assert Counter(mail.to for mail in server.mails) == {
            f"patient{number}@example.com": 1 for number in range(1, 6)
        }
        smtp.close()
