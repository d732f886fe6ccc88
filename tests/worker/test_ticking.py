"""A tick hands on what is due, gives back what it cannot, and says when to look again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest

from drip.core.clinic import Texts
from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.services.outbound.sending import Claim, Sender
from drip.services.scope import open_scope
from drip.store import claiming, deliveries
from drip.store.engine import reading
from drip.worker import ticking
from tests.services.desk import NOW, Desk

Handed = list[tuple[Channel, Claim]]


def hand_to(handed: Handed) -> ticking.HandOn:
    return lambda channel, claim: handed.append((channel, claim))


def tick(sender: Sender, handed: Handed, now: datetime) -> float | None:
    with reading(sender.engine) as session:
        seen = claiming.look(session, now)
    return ticking.tick(sender, hand_to(handed), now, seen)


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
        tick(desk.sender, handed, NOW)
    sizes = [(channel.value, len(claim.ids)) for channel, claim in handed]
    assert sizes == [("sms", 3), ("sms", 3), ("sms", 1), ("email", 3), ("email", 3), ("email", 1)]
    for _, claim in handed:
        desk.sender.work(claim, NOW)
    assert len(desk.sms.sent) == len(desk.email.sent) == 7


def test_two_ticks_at_once_hand_on_each_delivery_once(desk: Desk) -> None:
    desk.enroll_many(range(1, 8))
    first: Handed = []
    second: Handed = []
    tick(desk.sender, first, NOW)
    tick(desk.new_sender(), second, NOW)
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
        ticking.watch(desk.sender, hand_on, lambda: NOW)
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
    assert tick(desk.sender, handed, NOW) == 0.0, "more may wait"
    assert len(ids(handed, Channel.SMS)) == 5
    assert tick(desk.sender, handed, NOW) == ticking._WORKERS_ARE_BUSY
    assert len(ids(handed, Channel.SMS)) == 5


def test_it_looks_again_when_the_next_delivery_is_due(desk: Desk) -> None:
    desk.enroll(consent="sms")
    (due_at,) = {row.due_at for row in desk.rows() if row.step == "welcome"}
    handed: Handed = []
    assert tick(desk.sender, handed, due_at - timedelta(seconds=5)) is None
    soon = tick(desk.sender, handed, due_at - timedelta(seconds=0.25))
    assert (soon, handed) == (0.25, [])


def test_what_waits_for_its_pace_waits_for_the_next_regular_tick(desk: Desk) -> None:
    slow = replace(desk.clinic, texts=Texts(rate=1))
    open_scope(desk.engine, desk.content, slow, NOW)
    desk.enroll_many(range(1, 8), consent="sms")
    handed: Handed = []
    assert ticking.watch(desk.sender, hand_to(handed), lambda: NOW) is None
    assert len(ids(handed, Channel.SMS)) == 2
    for _, claim in handed:
        desk.sender.work(claim, NOW)
    again: Handed = []
    tick(desk.sender, again, NOW + timedelta(seconds=ticking.TICK))
    assert len(ids(again, Channel.SMS)) == 1


def test_it_never_asks_to_wait_longer_than_for_the_next_tick(desk: Desk) -> None:
    desk.enroll_many(range(1, 4))
    for seconds in range(-30, 30):
        soon = tick(desk.sender, [], NOW + timedelta(seconds=seconds / 10))
        assert soon is None or 0 <= soon <= ticking.TICK


def test_a_watch_claims_what_is_due_in_a_moment_when_it_is_due_and_not_before(desk: Desk) -> None:
    desk.enroll(consent="sms")
    (due_at,) = {row.due_at for row in desk.rows() if row.step == "welcome"}
    began = time.monotonic()

    def clock() -> datetime:
        return due_at - timedelta(seconds=0.02) + timedelta(seconds=time.monotonic() - began)

    handed_at: list[datetime] = []
    assert ticking.watch(desk.sender, lambda *_: handed_at.append(clock()), clock) is None
    assert len(handed_at) == 1
    assert handed_at[0] >= due_at


def test_a_watch_that_leaves_is_followed_in_time_to_wait_for_what_is_due(desk: Desk) -> None:
    desk.enroll(consent="sms")
    (due_at,) = {row.due_at for row in desk.rows() if row.step == "welcome"}
    before = due_at - timedelta(seconds=0.25)
    wait = ticking.watch(desk.sender, hand_to([]), lambda: before)
    assert wait is not None
    assert 0.2 < wait < 0.25


def test_a_watch_ends_with_its_second_however_much_there_is_to_do(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.enroll_many(range(1, 8), consent="sms")
    monkeypatch.setattr(ticking, "BACKLOG", 1)
    worked: Handed = []
    later = (NOW + timedelta(seconds=0.4 * n) for n in count())

    def work(channel: Channel, claim: Claim) -> None:
        worked.append((channel, claim))
        desk.sender.work(claim, NOW)

    assert ticking.watch(desk.sender, work, lambda: next(later)) == 0.0
    assert 1 <= len(worked) < 7


def test_a_watch_leaves_to_the_workers_what_waits_for_them(desk: Desk) -> None:
    desk.enroll_many(range(1, 8), consent="sms")
    handed: Handed = []
    tick(desk.sender, handed, NOW)
    desk.enroll_many(range(8, 10), consent="sms")
    wait = ticking.watch(desk.sender, hand_to(handed), lambda: NOW)
    assert wait is not None
    assert wait > 0
    assert len(ids(handed, Channel.SMS)) == 9
