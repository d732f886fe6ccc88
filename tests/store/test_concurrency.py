"""Many at once: nothing is claimed twice, nothing sent after a STOP, no update lost."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from sqlalchemy import Engine

from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.store import claimed, claiming, deliveries, enrollments, patients
from drip.store.engine import reading, writing
from tests.store.conftest import Add, Start

LEASE = timedelta(minutes=5)
HOW_MANY = 300


def _claim_all(engine: Engine, now: datetime, token: str) -> list[int]:
    mine: list[int] = []
    while True:
        with writing(engine) as session:
            claimed = claiming.claim(session, now, limit=7, lease=LEASE, token=token)
        if not claimed:
            return mine
        assert len(claimed) <= 7
        mine += claimed


def _at_once(acts: Iterable[Callable[[], list[int]]]) -> list[list[int]]:
    """Run all of these, each in a thread, starting together."""
    listed = list(acts)
    together = threading.Barrier(len(listed))

    def run(act: Callable[[], list[int]]) -> list[int]:
        together.wait(timeout=30)
        return act()

    with ThreadPoolExecutor(len(listed)) as pool:
        return list(pool.map(run, listed))


def test_threads_never_claim_the_same_delivery(engine: Engine, add: Add, now: datetime) -> None:
    ids = add([{"priority": number % 2} for number in range(HOW_MANY)])
    claims = _at_once(partial(_claim_all, engine, now, f"t{number}") for number in range(4))
    assert Counter(chain(*claims)) == Counter(ids)
    with writing(engine) as session:
        for number, mine in enumerate(claims):
            held = claimed.lock(session, ids, f"t{number}", now)
            assert {row.id for row in held} == set(mine)


def test_processes_never_claim_the_same_delivery(
    engine: Engine, add: Add, now: datetime, start: Start, url: str
) -> None:
    ids = add([{} for _ in range(HOW_MANY)])
    workers = [start("claim_all.py", url, now.isoformat(), f"p{number}") for number in range(3)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    printed = [worker.communicate(timeout=60) for worker in workers]
    assert [said for _, said in printed] == [""] * 3
    claimed = [int(word) for said, _ in printed for word in said.split()]
    assert Counter(claimed) == Counter(ids)


def test_a_claim_skips_what_another_is_claiming(engine: Engine, add: Add, now: datetime) -> None:
    ids = add([{} for _ in range(4)])
    second: list[int] = []
    done = threading.Event()

    def claim_too() -> None:
        with writing(engine) as session:
            second.extend(claiming.claim(session, now, limit=2, lease=LEASE, token="b"))
        done.set()

    thread = threading.Thread(target=claim_too)
    with writing(engine) as session:
        first = claiming.claim(session, now, limit=2, lease=LEASE, token="a")
        thread.start()
        # SQLite lets one in after the other, PostgreSQL both at once.
        assert done.wait(0.3 if engine.dialect.name == "sqlite" else 10) is (
            engine.dialect.name == "postgresql"
        )
    thread.join(timeout=30)
    assert (first, second) == (ids[:2], ids[2:])


def test_no_update_is_lost(engine: Engine, enrollment_id: int, start: Start, url: str) -> None:
    def count_up() -> list[int]:
        for _ in range(150):
            with writing(engine) as session:
                enrollment = enrollments.lock(session, enrollment_id)
                assert enrollment is not None
                enrollment.revision += 1
        return []

    others = [start("count_up.py", url, enrollment_id, 300) for _ in range(2)]
    _at_once([count_up] * 4)
    assert [other.communicate(timeout=120)[1] for other in others] == ["", ""]
    with reading(engine) as session:
        enrollment = enrollments.get(session, enrollment_id)
    assert enrollment is not None
    assert enrollment.revision == 1 + 1200


def test_nothing_is_sent_after_a_stop(
    engine: Engine, add: Add, clinic_id: int, now: datetime
) -> None:
    phones = [f"+121255501{number:02}" for number in range(40)]
    ids = add([{} for _ in phones])
    with writing(engine) as session:
        patients.ensure_addresses(session, clinic_id, [(Channel.SMS, p) for p in phones])
        claiming.claim(session, now, limit=len(ids), lease=LEASE, token="mine")
    at_stop: dict[int, Status] = {}

    def send() -> list[int]:
        sent: list[int] = []
        for id_, phone in zip(ids, phones, strict=True):
            with writing(engine) as session:
                pair = (Channel.SMS, phone)
                if not patients.lock_addresses(session, clinic_id, [pair]):
                    sent += deliveries.mark_sending(session, [id_], "mine", now, LEASE)
        return sent

    def stop() -> list[int]:
        for id_, phone in zip(ids, phones, strict=True):
            with writing(engine) as session:
                patients.suppress(session, clinic_id, Channel.SMS, phone, "stop", now)
                row = deliveries.get(session, id_)
                assert row is not None
                at_stop[id_] = row.status
        return []

    sent, _ = _at_once([send, stop])
    assert {id_ for id_, status in at_stop.items() if status is Status.SENDING} == set(sent)
    with reading(engine) as session:
        for id_ in ids:
            row = deliveries.get(session, id_)
            assert row is not None
            assert row.status is at_stop[id_]


def test_a_stop_waits_for_who_is_sending_and_then_holds(
    engine: Engine, add: Add, clinic_id: int, now: datetime
) -> None:
    pair = (Channel.SMS, "+12125550101")
    ids = add([{}, {}])
    stopped = threading.Event()

    def stop() -> None:
        with writing(engine) as session:
            patients.suppress(session, clinic_id, *pair, "stop", now)
        stopped.set()

    with writing(engine) as session:
        claiming.claim(session, now, limit=2, lease=LEASE, token="mine")
    thread = threading.Thread(target=stop)
    with writing(engine) as session:
        assert patients.lock_addresses(session, clinic_id, [pair]) == {}
        thread.start()
        deliveries.mark_sending(session, ids[:1], "mine", now, LEASE)
        assert not stopped.wait(0.2), "the address is locked"
    thread.join(timeout=10)
    with writing(engine) as session:
        assert patients.lock_addresses(session, clinic_id, [pair]) == {pair: "stop"}


def test_locks_on_many_addresses_in_any_order_do_not_block_for_ever(
    engine: Engine, clinic_id: int, now: datetime
) -> None:
    pairs = [(Channel.SMS, f"+121255501{number:02}") for number in range(30)]

    def lock(mine: list[tuple[Channel, str]]) -> list[int]:
        for _ in range(20):
            with writing(engine) as session:
                assert patients.lock_addresses(session, clinic_id, mine) == {}
        return []

    _at_once(
        [lambda: lock(pairs), lambda: lock(pairs[::-1]), lambda: lock(pairs[15:] + pairs[:15])]
    )


def test_a_delivery_that_is_being_marked_is_not_rescued_too(
    engine: Engine, add: Add, now: datetime
) -> None:
    ids = add([{} for _ in range(60)])
    with writing(engine) as session:
        claiming.claim(session, now, limit=60, lease=LEASE, token="mine")
    end = now + LEASE

    def mark() -> list[int]:
        marked: list[int] = []
        for id_ in ids:
            with writing(engine) as session:
                just_before = end - timedelta(microseconds=1)
                marked += deliveries.mark_sending(session, [id_], "mine", just_before, LEASE)
        return marked

    def rescue() -> list[int]:
        found = 0
        for _ in range(20):
            with writing(engine) as session:
                found += deliveries.rescue(session, end).given_back
        return [found]

    marked, (rescued,) = _at_once([mark, rescue])
    assert len(marked) + rescued == len(ids)
