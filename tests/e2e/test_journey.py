"""The whole journey, from `drip enroll` to the last check-in: real commands, a moving clock."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from drip.store import claiming
from drip.store.engine import reading
from drip.worker.loop import run
from tests.e2e.house import House, housed
from tests.services.desk import DAY, HOUR, NEW_YORK, NOW, at, said

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
PATIENT = (
    "--name", "Ana Diaz", "--phone", "+1 212 555 0101", "--email", "ana@example.com",
    "--session", "2026-12-15T09:00", "--consent", "sms,email", "--consent-how", "verbal",
    "--route", "iv", "--ref", "A-1",
)  # fmt: skip


@dataclass
class _Forward:
    """A clock that goes to the next thing to do as soon as there is nothing to do now."""

    engine: Engine
    now: datetime
    end: datetime
    stop: threading.Event

    def __call__(self) -> datetime:
        with reading(self.engine) as session:
            due_at = claiming.next_due_at(session)
        if due_at is None or due_at > self.end:
            self.stop.set()
        else:
            self.now = max(self.now, due_at)
        return self.now


@dataclass(frozen=True)
class _Arrival:
    """A message as a patient has it."""

    at: datetime
    channel: str
    to: str
    subject: str | None
    body: str


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> Iterator[House]:
    """A clinic that sends into an outbox folder, on each database."""
    with housed(tmp_path / "clinic", engine, servers=False) as house:
        yield house


def _go_on(house: House, end: datetime) -> None:
    """Let the loop of `drip run` work until a moment."""
    stop = threading.Event()
    clock = _Forward(house.engine, house.clock(), end, stop)
    run(house.sender(), clock, stop)
    house.clock.forward(end - house.clock())


def _arrivals(house: House) -> list[_Arrival]:
    """What patients got, from the outbox, oldest first."""
    found = []
    for path in (house.folder / "outbox").glob("delivery-*.*"):
        if path.suffix == ".txt":
            head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
            to, date = (line.partition(": ")[2] for line in head.splitlines())
            moment = datetime.fromisoformat(date)
            found.append(_Arrival(moment, "sms", to, None, body.strip()))
        elif path.suffix == ".eml":
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            part = mail.get_body(("plain",))
            assert part is not None
            moment = mail["Date"].datetime.astimezone(UTC)
            words = part.get_content().strip()
            if mail["To"] != house.desk.clinic.email:  # the digest of the morning
                found.append(_Arrival(moment, "email", mail["To"], mail["Subject"], words))
    return sorted(found, key=lambda each: (each.at, each.channel))


def _planned(shown: dict[str, Any]) -> list[_Arrival]:
    """What a plan, as a command prints it, says that the patient will get."""
    to = {"sms": "+12125550101", "email": "ana@example.com"}
    planned = [
        _Arrival(
            datetime.fromisoformat(row["due_at"]).astimezone(UTC),
            row["channel"],
            to[row["channel"]],
            row["subject"],
            row["body"].strip(),
        )
        for row in shown["deliveries"]
        if row["status"] == "planned"
    ]
    return sorted(planned, key=lambda each: (each.at, each.channel))


def test_the_patient_gets_what_the_plan_said_when_it_said(house: House) -> None:
    shown = house.drip("enroll", *PATIENT)
    assert shown["what"] == "enrolled"
    planned = _planned(shown)
    assert len(planned) == 20
    _go_on(house, at("2027-01-10 10:00"))
    arrived = _arrivals(house)
    assert [(a.channel, said(a.at), a.to, a.subject) for a in arrived] == [
        (p.channel, said(p.at), p.to, p.subject) for p in planned
    ]
    for came, plan in zip(arrived, planned, strict=True):
        assert _words(came.body) == _words(plan.body)
        assert "{{" not in came.body
    assert all(9 <= each.at.astimezone(NEW_YORK).hour < 20 for each in arrived)
    status = house.drip("status")
    assert status["deliveries"]["accepted"] == 20
    assert status["tasks"] == {"open": 0, "urgent": 0}


def test_a_move_in_the_middle_a_stop_and_the_rest_by_email(house: House) -> None:
    number = house.drip("enroll", *PATIENT, "--timezone", "America/Los_Angeles")["enrollment"]
    _go_on(house, at("2026-12-12 14:00"))
    before = _arrivals(house)
    moved = house.drip("reschedule", number, "--session", "2026-12-22T13:00")
    assert moved["call"] == []
    _go_on(house, at("2026-12-20 15:00"))
    house.drip("stop", number)
    texts_at_stop = [each for each in _arrivals(house) if each.channel == "sms"]
    _go_on(house, at("2027-01-20 10:00"))
    arrived = _arrivals(house)
    assert arrived[: len(before)] == before
    after = arrived[len(before) :]
    told = [each.subject or each.body for each in after]
    assert any("December 22" in words or "Dec 22" in words for words in told[:2])
    assert [each for each in arrived if each.channel == "sms"] == texts_at_stop
    shown = house.drip("show", number)
    stands = {
        (row["step"], row["channel"], row["status"])
        for row in shown["deliveries"]
        if row["status"] in ("accepted", "cancelled")
    }
    for step in ("day-before", "day-of", "evening-after", "check-in"):
        assert (step, "email", "accepted") in stands
        assert (step, "sms", "cancelled") in stands
    assert all(9 <= each.at.astimezone(LOS_ANGELES).hour < 20 for each in arrived)
    assert not any("December 15" in each.body for each in after)
    assert len({each.at.astimezone(LOS_ANGELES).date() for each in arrived}) >= 8
    (task,) = house.drip("tasks", "list")
    assert "stopped texts" in task["says"]


def test_a_booking_for_tomorrow_says_it_all_in_time(house: House) -> None:
    house.clock.forward(at("2026-12-14 16:00") - house.clock())
    shown = house.drip("enroll", *PATIENT)
    assert shown["call"] == []
    _go_on(house, at("2026-12-16 12:00"))
    arrived = _arrivals(house)
    assert [said(each.at) for each in arrived][:2] == ["2026-12-14 16:00"] * 2
    assert all(9 <= each.at.astimezone(NEW_YORK).hour < 20 for each in arrived)
    welcome = next(each for each in arrived if each.channel == "email")
    assert "side effects" in welcome.body.lower()
    sent = {row["step"] for row in shown["deliveries"] if row["status"] == "planned"}
    assert {"welcome", "day-before", "evening-after", "check-in"} <= sent
    assert arrived[0].at > NOW + 13 * DAY
    assert arrived[-1].at - arrived[0].at < timedelta(days=2) + HOUR


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)
