"""STOP against a claim, again and again: after its commit nothing is handed over."""

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, delete, select, update

from drip.core.delivery import Status
from drip.core.outgoing import Accepted, Outgoing
from drip.core.schedule import Channel
from drip.services.consent.stopping import stop_in
from drip.store import deliveries, patients
from drip.store.engine import reading, writing
from drip.store.schema import Address, Attempt, Delivery, Patient
from tests.services.desk import NOW, Desk

AT_ONCE = 20
"""Patients whose texts are claimed while their STOPs come in."""

SOON = "2026-12-02T16:00"
"""A session to which few texts are left."""

FEW, MANY = 10, 500
"""Rounds: two hundred STOPs, and ten thousand."""

_BEFORE = (Status.SENDING, Status.ACCEPTED)
"""What a STOP may find that reaches the patient in spite of it."""


class _Race:
    """A clinic with a text due for each of twenty patients, two senders, and their STOPs."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.desk = Desk(engine)
        self.desk.sms.answer = self._take
        self.senders = [self.desk.new_sender(batch=1) for _ in range(2)]
        self.order = random.Random(seed)
        self.found: Counter[Status] = Counter()
        self.handed: Counter[int] = Counter()

    def round(self) -> None:
        """Enrol twenty patients, and let all of them stop while their welcome is sent."""
        ids = self.desk.enroll_many(range(1, AT_ONCE + 1), consent="sms", session=SOON)
        people = [(id_, f"+1212555{100 + number:04}") for number, id_ in enumerate(ids, 1)]
        self.order.shuffle(people)
        seen: dict[int, Status] = {}
        self.handed.clear()
        halves = people[::2], people[1::2]
        _at_once(
            [
                *(lambda sender=sender: self.desk.send_all(NOW, sender) for sender in self.senders),
                *(lambda half=half: self._stop(half, seen) for half in halves),
            ]
        )
        self.found.update(seen.values())
        with reading(self.desk.engine) as session:
            chosen = Delivery.enrollment_id.in_(ids), Delivery.channel == Channel.SMS
            rows = {row.id: row for row in session.scalars(select(Delivery).where(*chosen))}
            tries = Counter(session.scalars(select(Attempt.delivery_id)))
        welcomes = {row.id: row for row in rows.values() if row.step == "welcome"}
        reached = {id_ for id_, status in seen.items() if status in _BEFORE}
        assert dict(self.handed) == dict.fromkeys(reached, 1)
        for id_, row in welcomes.items():
            assert row.status is (Status.ACCEPTED if id_ in reached else Status.CANCELLED)
            assert tries[id_] == (id_ in reached)
        others = {row.status for row in rows.values() if row.id not in welcomes}
        assert others <= {Status.CANCELLED, Status.SKIPPED}
        self._forget()

    def _take(self, outgoing: Outgoing, _now: object) -> Accepted:
        self.handed[outgoing.delivery_id] += 1
        return Accepted(f"text-{outgoing.attempt_id}")

    def _stop(self, people: Iterable[tuple[int, str]], seen: dict[int, Status]) -> None:
        """Stop each phone, and note how its welcome stood when the STOP had the address."""
        scope = self.desk.scope
        for id_, phone in people:
            with writing(self.desk.engine) as session:
                patients.lock_addresses(session, scope.clinic_id, [(Channel.SMS, phone)])
                (row,) = (
                    each
                    for each in deliveries.of_enrollment(session, id_, lock=True)
                    if (each.step, each.channel) == ("welcome", Channel.SMS)
                )
                seen[row.id] = row.status
                session.expunge_all()
                stop_in(session, scope, Channel.SMS, phone, "keyword", "patient", NOW)

    def _forget(self) -> None:
        """Let the addresses be those of the next round's patients."""
        with writing(self.desk.engine) as session:
            session.execute(delete(Attempt))
            session.execute(update(Address).values(suppressed_at=None, suppressed_because=None))
            session.execute(update(Patient).values(phone=None, email=None))


def _at_once(works: list[Callable[[], None]]) -> None:
    """Do all of these, each in a thread, starting together."""
    together = threading.Barrier(len(works))

    def work(each: Callable[[], None]) -> None:
        together.wait(timeout=30)
        each()

    with ThreadPoolExecutor(len(works)) as pool:
        list(pool.map(work, works))


def test_nothing_is_handed_over_once_a_stop_is_committed(postgresql_engine: Engine) -> None:
    assert _run(postgresql_engine, FEW).total() == FEW * AT_ONCE


@pytest.mark.soak
@pytest.mark.skipif(not os.environ.get("DRIP_TEST_SOAK"), reason="set DRIP_TEST_SOAK=1")
def test_ten_thousand_stops_race_with_claims(postgresql_engine: Engine) -> None:
    found = _run(postgresql_engine, MANY)
    assert found.total() == MANY * AT_ONCE == 10_000
    assert found[Status.CLAIMED] > 20, f"the races were no races: {found}"


def _run(engine: Engine, rounds: int) -> Counter[Status]:
    race = _Race(engine, seed=1)
    for _ in range(rounds):
        race.round()
    before = sum(race.found[status] for status in _BEFORE)
    assert 0 < before < race.found.total(), f"neither always came first: {race.found}"
    print(race.found)
    return race.found
