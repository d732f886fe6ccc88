"""Processes of ours are killed while they send, doubled, or asked to end."""

import json
import random
import time
from pathlib import Path

import pytest

from drip.core.delivery import Status
from tests.faults.accounts import nothing_was_lost_or_doubled
from tests.faults.conftest import SOAK
from tests.faults.station import Station
from tests.servers.twilio_process import TwilioProcess
from tests.servers.twilio_server import Behaviour

pytestmark = pytest.mark.slow

WAVES, WAVE = (25, 200) if SOAK else (6, 100)
SECONDS_TO_END = 30
"""How long those who replace a worker are patient with it."""

TICK = Path(__file__).parent / "processes" / "tick.py"


@pytest.mark.soak
def test_workers_killed_again_and_again_lose_nothing_and_send_nothing_twice(
    station: Station, twilio: TwilioProcess, chance: random.Random
) -> None:
    twilio.behave(Behaviour(delay=0.02))
    station.beat()
    worker = station.worker()
    for number in range(WAVES):
        moment = twilio.count + chance.randrange(1, WAVE // 2)
        wave = station.enrol(WAVE)
        station.wait_for(lambda: twilio.count >= moment)  # noqa: B023
        station.stop(wave[-4:])
        whom = ("a child", "all of it", "a child", "the parent alone")[number % 4]
        if whom == "a child":
            station.kill_child(worker, chance)
        else:
            successor = station.worker()
            if whom == "all of it":
                station.kill(worker)
            else:
                worker.kill()
            worker = successor
    station.wait_for(lambda: station.is_ready(worker))
    station.end_all()
    station.let_time_pass()
    nothing_was_lost_or_doubled(station)
    assert station.accepted() >= WAVES * (WAVE - 4)


def test_two_beats_do_no_harm_and_a_new_one_takes_over_from_those_that_are_killed(
    station: Station,
) -> None:
    beats = [station.beat(), station.beat()]
    worker = station.worker()
    station.enrol(100)
    station.wait_for(lambda: station.accepted() == 100)
    for beat in beats:
        station.kill(beat)
    station.enrol(50)
    station.beat()
    station.wait_for(lambda: station.accepted() == 150)
    nothing_was_lost_or_doubled(station)
    assert station.end(worker) == 0


def test_two_ticks_at_once_never_claim_the_same(station: Station) -> None:
    station.enrol(600)
    ticks = [station.start(TICK, station.folder / f"claimed-{n}.json") for n in range(3)]
    for tick in ticks:
        assert tick.wait(60) == 0, station.last_words()
    claimed = [
        id_
        for n in range(len(ticks))
        for id_ in json.loads((station.folder / f"claimed-{n}.json").read_text())
    ]
    assert len(claimed) == len(set(claimed)) == 605
    station.let_time_pass()
    nothing_was_lost_or_doubled(station)


def test_a_worker_that_is_replaced_while_it_sends_loses_nothing_and_leaves_nothing_behind(
    station: Station, twilio: TwilioProcess
) -> None:
    twilio.behave(Behaviour(delay=0.5))
    station.beat()
    old = station.worker()
    station.enrol(500)
    station.wait_for(lambda: twilio.count > 0)
    new = station.worker()
    asked_at = time.monotonic()
    assert station.end(old) == 0, station.last_words()
    assert time.monotonic() - asked_at < SECONDS_TO_END
    station.enrol(50)
    station.wait_for(lambda: station.accepted() == 550)
    assert station.end(new) == 0, station.last_words()
    assert station.all().due[0].status is Status.SCHEDULED, "who travels has to wait"
    nothing_was_lost_or_doubled(station)


def test_a_worker_without_work_ends_at_once_with_status_0(station: Station) -> None:
    worker = station.worker()
    station.wait_for(lambda: station.is_ready(worker))
    assert station.end(worker) == 0, station.last_words()
