"""Replies that come doubled, shuffled and at once; and all that the labelled set holds."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from drip.content.reply_rules import load_replies
from drip.services.inbound.hearing import hear
from drip.store.schema import Answer, Consent, Reply
from tests.replies.labelled import labelled
from tests.services.desk import NOW, Desk
from tests.services.ear import Ear, hearing_clinic, hearing_desk

pytestmark = pytest.mark.both_databases

BODIES = ("STOP", "C", "RIDE", "HELP", "can I eat?", "running late", "START", "1", "I want to die")


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    yield from hearing_desk(engine)


@pytest.fixture
def ear(desk: Desk) -> Ear:
    return Ear(desk)


def _all_at_once(works: list[Callable[[], None]]) -> None:
    together = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        together.wait(timeout=30)
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(run, work) for work in works]:
            done.result(timeout=60)


def test_one_text_delivered_many_times_at_once_is_heard_once(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    text = ear.text("STOP")
    _all_at_once([lambda: hear(desk.engine, desk.content, text, NOW)] * 6)
    assert desk.count_of(Reply) == desk.count_of(Answer) == 1
    assert desk.count_of(Consent) == 2 + 1


@pytest.mark.parametrize("other", ["C", "RIDE", "can I eat?"])
def test_a_stop_at_once_with_another_text_ends_the_texts(desk: Desk, ear: Ear, other: str) -> None:
    """Whichever comes first: the stop holds, both are kept, and nothing is said after it."""
    id_ = desk.enroll().enrollment_id
    texts = [ear.text("STOP"), ear.text(other)]
    _all_at_once(
        [lambda text=text: hear(desk.engine, desk.content, text, NOW) for text in texts]  # type: ignore[misc]
    )
    assert ear.suppressed() == "stop"
    assert desk.stands(id_)["day-of/sms"] == "cancelled stopped"
    assert desk.count_of(Reply) == 2
    assert ear.said().count("stop") == 1
    assert ear.said()[-1] == "stop"
    if other == "C":
        assert desk.enrollment(id_).confirmed_at == NOW


def test_many_stops_at_once_get_one_confirmation(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    texts = [ear.text("stop") for _ in range(5)]
    _all_at_once(
        [lambda text=text: hear(desk.engine, desk.content, text, NOW) for text in texts]  # type: ignore[misc]
    )
    assert ear.said() == ["stop"]
    assert desk.count_of(Reply) == 5


def test_many_questions_at_once_make_one_task_and_one_answer(desk: Desk, ear: Ear) -> None:
    desk.enroll()
    texts = [ear.text("can I eat?") for _ in range(5)]
    _all_at_once(
        [lambda text=text: hear(desk.engine, desk.content, text, NOW) for text in texts]  # type: ignore[misc]
    )
    assert ear.said() == ["received"]
    assert len(desk.tasks("reply")) == 1


@pytest.mark.parametrize("seed", range(3))
def test_doubled_and_shuffled_texts_are_kept_once_each_and_a_crisis_is_never_lost(
    desk: Desk, ear: Ear, seed: int
) -> None:
    desk.enroll()
    texts = [ear.text(body) for body in BODIES] * 2
    random.Random(seed).shuffle(texts)
    for text in texts:
        hear(desk.engine, desk.content, text, NOW)
    assert desk.count_of(Reply) == len(BODIES)
    (case,) = desk.tasks("crisis")
    joined = [reply for reply in ear.replies() if reply.body == "I want to die"]
    assert [reply.task_id for reply in joined] == [case.id]
    assert sum(kind in ("stop", "crisis_stop") for kind in ear.said()) == 1


@pytest.mark.parametrize("every", [20, pytest.param(2, marks=pytest.mark.soak)])
def test_no_reply_of_the_labelled_set_is_an_error(sqlite_engine: Engine, every: int) -> None:
    """Each from a phone of its own: what it leads to is told above."""
    desk = Desk(sqlite_engine, hearing_clinic())
    ear = Ear(desk)
    understand = load_replies(desk.content).understand
    kept = labelled()[::every]
    for number, label in enumerate(kept):
        text = ear.text(label.text, f"+1212{5550000 + number}")
        hear(desk.engine, desk.content, text, NOW)
    replies = ear.replies()
    assert [each.body for each in replies] == [each.text for each in kept]
    for reply in replies:
        found = understand(reply.body)
        assert (reply.reply_class, reply.stop) == (found.reply_class, found.stop)
        is_read = reply.task_id is not None
        assert is_read or reply.reply_class in ("stop", "help")
        assert (ear.suppressed(reply.address) is not None) == reply.stop
