"""A delivery's life: the table of product.md, pair by pair."""

import itertools

import pytest

from drip.core.delivery import (
    HANDED_OVER,
    NEVER_SENT,
    SAID,
    TRANSITIONS,
    WAITING,
    Reason,
    Status,
    may_move,
    sources_of,
)

TABLE = {
    "scheduled": "claimed skipped expired cancelled held",
    "claimed": "sending scheduled skipped expired cancelled held",
    "held": "scheduled skipped expired cancelled",
    "sending": "accepted delivered undelivered scheduled failed unknown",
    "unknown": "accepted delivered undelivered failed scheduled",
    "accepted": "delivered undelivered failed scheduled",
    "skipped": "scheduled",
    "expired": "scheduled",
    "cancelled": "scheduled",
    "delivered": "",
    "undelivered": "",
    "failed": "",
}
PAIRS = list(itertools.product(Status, Status))


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{b}-to-{a}" for b, a in PAIRS])
def test_a_delivery_moves_as_the_table_says(before: Status, after: Status) -> None:
    assert may_move(before, after) is (after.value in TABLE[before.value].split())


@pytest.mark.parametrize("after", Status)
def test_where_a_delivery_may_come_from(after: Status) -> None:
    assert sources_of(after) == {before for before in Status if after in TRANSITIONS[before]}


def test_every_status_is_waiting_or_handed_over_or_never_sent() -> None:
    kinds = [WAITING, HANDED_OVER, NEVER_SENT]
    assert frozenset.union(*kinds) == set(Status)
    assert sum(map(len, kinds)) == len(Status)


def test_only_what_was_handed_over_is_final() -> None:
    final = {status for status in Status if not TRANSITIONS[status]}
    assert final == {Status.DELIVERED, Status.UNDELIVERED, Status.FAILED}
    assert final <= HANDED_OVER


def test_nothing_that_was_handed_over_is_ended_as_never_sent() -> None:
    assert not any(may_move(before, after) for before in HANDED_OVER for after in NEVER_SENT)


def test_nothing_is_handed_over_but_from_a_claim() -> None:
    assert sources_of(Status.SENDING) == {Status.CLAIMED}


def test_every_reason_can_be_read() -> None:
    assert set(SAID) == set(Reason)
    assert len(set(SAID.values())) == len(Reason)
    assert all(words and words[0].islower() and not words.endswith(".") for words in SAID.values())
