"""How well the labelled replies are understood; `python -m tests.replies` prints the same table."""

import pytest

from drip.content.reply_rules import load_replies
from drip.content.sources import content_dir
from drip.core.replies import ReplyClass
from tests.replies.labelled import Score, labelled

LEAST = 0.95
"""Precision and recall that every class has at least."""


@pytest.fixture(scope="module")
def score() -> Score:
    """How the built-in rules understand all labelled replies."""
    found = Score(load_replies(content_dir()), labelled())
    print(found.table())
    return found


def test_the_labelled_set_is_large_and_has_every_class_of_reply(score: Score) -> None:
    assert len(score.judged) >= 450
    assert set(score.meant) == set(ReplyClass)
    assert min(score.meant.values()) >= 20


def test_no_crisis_is_missed(score: Score) -> None:
    assert score.recall(ReplyClass.CRISIS) == 1.0, score.table()


def test_few_replies_are_taken_for_a_crisis_that_are_none(score: Score) -> None:
    assert score.false_alarms() < 0.05, score.table()


def test_no_stop_is_missed_in_a_crisis_or_without_one(score: Score) -> None:
    assert not score.stops_missed()


@pytest.mark.parametrize("reply_class", ReplyClass)
def test_each_class_is_understood_and_not_mistaken_for_another(
    score: Score, reply_class: ReplyClass
) -> None:
    assert score.precision(reply_class) >= LEAST, score.table()
    assert score.recall(reply_class) >= LEAST, score.table()
