"""What every provider does, whichever it is."""

import time
from datetime import timedelta

import pytest

from drip.core.outgoing import Accepted, NotSent, Rejected, Retry, Unknown
from tests.providers.rigs import NOW, TIMEOUT, Arrival, RemoteRig, Rig, unsettled

SCRIPTS = [
    "Your visit is on Friday at 9:00.",
    "Su visita es el viernes, señora Núñez: ¿cómo está?",
    "您的就诊时间是星期五上午九点。",
    "موعدك يوم الجمعة الساعة ٩:٠٠",
    "शुक्रवार को सुबह 9 बजे",
    "👩‍⚕️ see you soon 🚗",
    ".\n..\nFrom here = there =20 & <b>100%</b> +1",
    "x" * 1500,
]


@pytest.mark.parametrize("words", SCRIPTS)
def test_a_message_arrives_once_with_its_words_in_any_script(rig: Rig, words: str) -> None:
    outgoing = rig.outgoing(100, words)
    [answer] = rig.provider.send([outgoing], NOW)
    assert isinstance(answer, Accepted)
    assert answer.provider_id
    assert rig.arrived() == [Arrival(outgoing.to, words)]


def test_an_empty_batch_has_no_answers(rig: Rig) -> None:
    assert rig.provider.send([], NOW) == []
    assert rig.provider.settle([], NOW) == []


def test_a_hundred_in_one_batch_arrive_once_each_and_are_answered_in_order(rig: Rig) -> None:
    batch = [rig.outgoing(number, f"Text {number}") for number in range(100, 200)]
    answers = rig.provider.send(batch, NOW)
    ids = [answer.provider_id for answer in answers if isinstance(answer, Accepted)]
    assert len(set(ids)) == 100
    arrived = sorted(rig.arrived(), key=lambda arrival: arrival.words)
    assert arrived == [Arrival(one.to, f"Text {one.delivery_id}") for one in batch]


def test_a_bad_address_is_rejected_in_its_place_and_the_others_go(rig: Rig) -> None:
    batch = [rig.outgoing(100), rig.outgoing_to(rig.bad), rig.outgoing(101)]
    first, second, third = rig.provider.send(batch, NOW)
    assert isinstance(second, Rejected)
    assert second.address_is_bad
    assert not second.suppress
    assert isinstance(first, Accepted)
    assert isinstance(third, Accepted)
    assert {arrival.to for arrival in rig.arrived()} == {batch[0].to, batch[2].to}


def test_words_that_are_not_unicode_are_rejected_and_the_others_go(rig: Rig) -> None:
    broken, well = rig.provider.send([rig.outgoing(100, "a\ud800b"), rig.outgoing(101)], NOW)
    assert broken == Rejected("content")
    assert isinstance(well, Accepted)


def test_what_cannot_be_reached_is_tried_again_and_works_once_it_is_there(rig: Rig) -> None:
    rig.cut_off()
    batch = [rig.outgoing(100), rig.outgoing(101)]
    assert all(isinstance(answer, Retry) for answer in rig.provider.send(batch, NOW))
    rig.mend()
    assert all(isinstance(answer, Accepted) for answer in rig.provider.send(batch, NOW))
    assert len(rig.arrived()) == 2


def test_what_goes_away_between_two_batches_costs_no_message(rig: Rig) -> None:
    rig.provider.send([rig.outgoing(100)], NOW)
    rig.cut_off()
    rig.mend()
    [answer] = rig.provider.send([rig.outgoing(101)], NOW)
    assert isinstance(answer, Accepted)
    assert len(rig.arrived()) == 2


def test_it_can_be_closed_twice_and_used_again(rig: Rig) -> None:
    rig.provider.close()
    rig.provider.send([rig.outgoing(100)], NOW)
    rig.provider.close()
    rig.provider.close()
    [answer] = rig.provider.send([rig.outgoing(101)], NOW)
    assert isinstance(answer, Accepted)
    assert len(rig.arrived()) == 2


def test_settling_never_says_not_sent_of_what_arrived(rig: Rig) -> None:
    outgoing = rig.outgoing(100)
    [answer] = rig.provider.send([outgoing], NOW)
    [settled] = rig.provider.settle([unsettled(outgoing)], NOW + timedelta(hours=1))
    assert settled == answer or isinstance(settled, Unknown)


def test_settling_never_says_accepted_of_what_did_not_arrive(rig: Rig) -> None:
    lost = [unsettled(rig.outgoing(number)) for number in (100, 101)]
    settled = rig.provider.settle(lost, NOW + timedelta(hours=1))
    assert len(settled) == 2
    assert all(isinstance(one, NotSent | Unknown) for one in settled)


@pytest.mark.parametrize("taken", [True, False])
def test_a_lost_answer_is_unknown_and_nothing_is_sent_again(
    remote: RemoteRig, *, taken: bool
) -> None:
    batch = [remote.outgoing(100), remote.outgoing(101), remote.outgoing(102)]
    remote.lose_answer(batch[1].to, taken=taken)
    first, second, third = remote.provider.send(batch, NOW)
    assert isinstance(second, Unknown)
    assert second.why
    assert isinstance(first, Accepted)
    assert isinstance(third, Accepted)
    arrived = [arrival.to for arrival in remote.arrived()]
    assert arrived.count(batch[1].to) == (1 if taken else 0)
    assert len(arrived) == (3 if taken else 2)


def test_silence_after_the_message_went_out_is_unknown_within_the_time_out(
    remote: RemoteRig,
) -> None:
    outgoing = remote.outgoing(100)
    remote.fall_silent(outgoing.to)
    started = time.monotonic()
    [answer] = remote.provider.send([outgoing], NOW)
    assert isinstance(answer, Unknown)
    assert TIMEOUT <= time.monotonic() - started < TIMEOUT + 5


def test_connections_are_kept_from_batch_to_batch(remote: RemoteRig) -> None:
    for number in range(100, 105):
        remote.provider.send([remote.outgoing(number)], NOW)
    assert remote.connections() == 1
