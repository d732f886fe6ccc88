"""What a receipt does to an answer."""

from typing import get_args

import pytest

from drip.core.answers import AFTER_STOP, AWAITED, FINAL, FIRST, IN_CRISIS, after_receipt
from drip.store.schema import AnswerStatus

EVERY = get_args(AnswerStatus)


@pytest.mark.parametrize(
    ("status", "said", "after"),
    [
        ("sending", "queued", "accepted"),
        ("unknown", "sent", "accepted"),
        ("waiting", "sent", "accepted"),
        ("accepted", "sent", None),
        ("accepted", "delivered", "delivered"),
        ("accepted", "read", "delivered"),
        ("accepted", "undelivered", "undelivered"),
        ("unknown", "failed", "failed"),
        ("accepted", "canceled", "failed"),
        ("accepted", "nobody knows this word", None),
    ],
)
def test_a_receipt_moves_an_answer_on(status: str, said: str, after: str | None) -> None:
    assert after_receipt(status, said) == after


@pytest.mark.parametrize("status", sorted(FINAL))
@pytest.mark.parametrize("said", ["queued", "sent", "delivered", "undelivered", "failed"])
def test_what_is_final_stays(status: str, said: str) -> None:
    assert after_receipt(status, said) is None


def test_every_word_is_one_that_an_answer_may_have() -> None:
    words = ("accepted", "sending", "sent", "delivered", "read", "undelivered", "failed")
    found = {after_receipt(status, said) for status in EVERY for said in words}
    assert found - {None} <= set(EVERY)
    assert set(EVERY) >= FINAL


def test_a_crisis_is_awaited_and_goes_first() -> None:
    assert IN_CRISIS <= AWAITED
    assert set(FIRST) >= IN_CRISIS
    assert sorted(AFTER_STOP) == ["crisis_stop", "stop"]
