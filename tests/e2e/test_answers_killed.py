"""Whoever says what waits to be said is really killed: nothing is lost and nothing said twice."""

import signal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from drip.core.answers import LEASE
from drip.core.schedule import Channel
from drip.services.answers.answering import say, send_waiting
from drip.store import answers
from drip.store.engine import reading, writing
from drip.store.schema import Answer
from tests.e2e.house import House, housed
from tests.services.desk import MINUTE, NOW

TEXTS = 5


def _say_all(house: House) -> list[int]:
    """Answers to some patients, and one by email; gives their ids."""
    said = [(Channel.SMS, f"+1212555{1000 + n}") for n in range(TEXTS)]
    said.append((Channel.EMAIL, "ada@example.com"))
    with writing(house.engine) as session:
        return [
            say(
                session,
                house.desk.scope.clinic_id,
                kind="crisis" if number == 0 else "staff",
                channel=channel,
                address=address,
                body="A person will call you.",
                subject="From the clinic",
                now=NOW,
            )
            for number, (channel, address) in enumerate(said)
        ]


def _all(house: House, ids: list[int]) -> list[Answer]:
    with reading(house.engine) as session:
        found = [answers.get(session, id_) for id_ in ids]
    return [each for each in found if each is not None]


@pytest.mark.both_databases
@pytest.mark.parametrize("point", ["begin", "half", "hand_over", "record"])
@pytest.mark.parametrize("kind", ["outbox", "servers"])
def test_killed_at_any_point_it_loses_nothing_and_says_nothing_twice(
    engine: Engine, tmp_path: Path, kind: str, point: str
) -> None:
    with housed(tmp_path / "clinic", engine, servers=kind == "servers") as house:
        ids = _say_all(house)
        killed = house.start("die_answering.py", point, NOW.isoformat())
        killed.wait(60)
        assert killed.returncode == -signal.SIGKILL, house.errors.read_text()
        reached = {"begin": 0, "half": 3, "hand_over": TEXTS, "record": TEXTS + 1}[point]
        assert sum(house.arrived.values()) == reached
        _go_on(house)
        found = _all(house, ids)
        assert [(each.address, each.status) for each in found] == [
            (each.address, "accepted") for each in found
        ]
        assert house.arrived == {each.address: 1 for each in found}
        assert house.desk.tasks() == []


def test_an_email_that_was_being_sent_is_left_to_a_person(engine: Engine, tmp_path: Path) -> None:
    with housed(tmp_path / "clinic", engine) as house:
        *texts, mail = _say_all(house)
        sender = house.sender()
        only_texts = {Channel.SMS: sender.providers[Channel.SMS]}
        assert send_waiting(house.engine, only_texts, NOW) == len(texts)
        killed = house.start("die_answering.py", "hand_over", NOW.isoformat())
        killed.wait(60)
        assert killed.returncode == -signal.SIGKILL, house.errors.read_text()
        _go_on(house)
        assert [each.status for each in _all(house, [mail])] == ["unknown"]
        assert house.arrived["ada@example.com"] == 1
        (task,) = house.desk.tasks("answer_astray")
        assert task.says == (
            "The staff answer may not have arrived, and is not sent again: ask or call."
        )


def _go_on(house: House) -> None:
    """Another process takes over, when the lease is over."""
    house.clock.forward(LEASE + MINUTE)
    sender = house.sender()
    for minute in range(10):
        later = NOW + LEASE + (1 + minute) * MINUTE
        while send_waiting(house.engine, sender.providers, later):
            pass
    for provider in sender.providers.values():
        provider.close()
