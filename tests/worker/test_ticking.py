"""A tick hands on what is due, gives back what it cannot, and says when to look again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from drip.core.clinic import Texts
from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.services.scope import open_scope
from drip.services.sending import Claim
from drip.store import claiming, deliveries
from drip.store.engine import reading
from drip.worker import ticking
from tests.services.desk import NOW, Desk

Handed = list[tuple[Channel, Claim]]


def hand_to(handed: Handed) -> ticking.HandOn:
    return lambda channel, claim: handed.append((channel, claim))


def ids(handed: Handed, channel: Channel) -> list[int]:
    return [id_ for to, claim in handed if to is channel for id_ in claim.ids]


@contextmanager
def batches_of(size: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(ticking, "BATCH", dict.fromkeys(Channel, size))
        yield


def test_what_is_due_is_handed_on_by_channel_in_batches(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.enroll_many(range(1, 8))
    handed: Handed = []
    with batches_of(3, monkeypatch):
        ticking.tick(desk.sender, hand_to(handed), NOW)
    sizes = [(channel.value, len(claim.ids)) for channel, claim in handed]
    assert sizes == [("sms", 3), ("sms", 3), ("sms", 1), ("email", 3), ("email", 3), ("email", 1)]
    for _, claim in handed:
        desk.sender.work(claim, NOW)
    assert len(desk.sms.sent) == len(desk.email.sent) == 7


def test_two_ticks_at_once_hand_on_each_delivery_once(desk: Desk) -> None:
    desk.enroll_many(range(1, 8))
    first: Handed = []
    second: Handed = []
    ticking.tick(desk.sender, hand_to(first), NOW)
    ticking.tick(desk.new_sender(), hand_to(second), NOW)
    assert len(ids(first, Channel.SMS)) == 7
    assert second == []


def test_what_cannot_be_handed_on_is_free_again_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.enroll_many(range(1, 8), consent="sms")
    handed: Handed = []

    def hand_on(channel: Channel, claim: Claim) -> None:
        if handed:
            raise ConnectionError("Redis is away")
        handed.append((channel, claim))

    with batches_of(3, monkeypatch), pytest.raises(ConnectionError):
        ticking.tick(desk.sender, hand_on, NOW)
    with reading(desk.engine) as session:
        stand = deliveries.counts(session, desk.scope.clinic_id)
        assert stand[Status.CLAIMED] == 3
        assert claiming.next_due_at(session) == NOW


def test_no_more_is_claimed_than_workers_can_do_in_a_lease(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.enroll_many(range(1, 8), consent="sms")
    monkeypatch.setattr(ticking, "BACKLOG", 5)
    handed: Handed = []
    assert ticking.tick(desk.sender, hand_to(handed), NOW) == ticking._MORE_WAITS
    assert len(ids(handed, Channel.SMS)) == 5
    assert ticking.tick(desk.sender, hand_to(handed), NOW) == ticking._WORKERS_ARE_BUSY
    assert len(ids(handed, Channel.SMS)) == 5


def test_it_looks_again_when_the_next_delivery_is_due(desk: Desk) -> None:
    desk.enroll(consent="sms")
    (due_at,) = {row.due_at for row in desk.rows() if row.step == "welcome"}
    handed: Handed = []
    assert ticking.tick(desk.sender, hand_to(handed), due_at - timedelta(seconds=5)) is None
    soon = ticking.tick(desk.sender, hand_to(handed), due_at - timedelta(seconds=0.25))
    assert (soon, handed) == (0.25, [])


def test_what_waits_for_its_pace_waits_for_the_next_regular_tick(desk: Desk) -> None:
    slow = replace(desk.clinic, texts=Texts(rate=1))
    open_scope(desk.engine, desk.content, slow, NOW)
    desk.enroll_many(range(1, 8), consent="sms")
    handed: Handed = []
    assert ticking.tick(desk.sender, hand_to(handed), NOW) is None
    assert len(ids(handed, Channel.SMS)) == 2
    for _, claim in handed:
        desk.sender.work(claim, NOW)
    again: Handed = []
    ticking.tick(desk.sender, hand_to(again), NOW + timedelta(seconds=ticking.TICK))
    assert len(ids(again, Channel.SMS)) == 1


def test_it_never_asks_to_wait_longer_than_for_the_next_tick(desk: Desk) -> None:
    desk.enroll_many(range(1, 4))
    for seconds in range(-30, 30):
        soon = ticking.tick(desk.sender, hand_to([]), NOW + timedelta(seconds=seconds / 10))
        assert soon is None or 0 < soon <= ticking.TICK
