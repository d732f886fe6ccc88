"""The clock jumps by a minute, forwards and backwards."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import cycle

import pytest

from drip.clock import system_clock
from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.services.outbound.sending import Claim
from drip.worker import loop, ticking
from tests.faults.accounts import nothing_was_lost_or_doubled
from tests.faults.station import PATIENCE, Station
from tests.servers.twilio_process import TwilioProcess
from tests.servers.twilio_server import Behaviour

pytestmark = pytest.mark.slow

JUMPS = (0, 0, 0, 60, 60, 60, 0, 0, 0, -60, -60, -60)
BATCH = 20
"""Deliveries that are decided at one look at the clock."""

LOST = Behaviour(how="reset", taken=True, times=1)
"""A text that arrives while its answer is lost: it has to be found again by its time."""


class JumpingClock:
    """Is a minute fast and a minute slow by turns, of several looks each."""

    def __init__(self) -> None:
        self._off: Iterator[int] = cycle(JUMPS)

    def __call__(self) -> datetime:
        return system_clock() + timedelta(seconds=next(self._off))


@pytest.fixture
def unlucky(station: Station, twilio: TwilioProcess) -> Station:
    """A station with due texts, every sixth of which loses its answer."""
    for number in station.enrol(240)[::6]:
        twilio.behave(LOST, number)
    return station


def test_the_embedded_loop_outlives_a_clock_that_jumps(unlucky: Station) -> None:
    stop = threading.Event()
    with unlucky.sender() as sender:
        sender.batch = BATCH
        thread = threading.Thread(target=loop.run, args=(sender, JumpingClock(), stop))
        thread.start()
        try:
            unlucky.wait_for(lambda: Status.SCHEDULED not in unlucky.standing())
        finally:
            stop.set()
            thread.join()
    unlucky.let_time_pass()
    nothing_was_lost_or_doubled(unlucky)
    assert unlucky.accepted() == 240


def test_workers_outlive_clocks_that_jump(unlucky: Station) -> None:
    deadline = time.monotonic() + PATIENCE

    def work() -> None:
        clock = JumpingClock()
        with unlucky.sender() as sender:
            sender.batch = BATCH

            def hand_on(_channel: Channel, claim: Claim) -> None:
                sender.work_through(claim, clock)

            while Status.SCHEDULED in unlucky.standing() and time.monotonic() < deadline:
                ticking.watch(sender, hand_on, clock)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    unlucky.let_time_pass()
    nothing_was_lost_or_doubled(unlucky)
    assert unlucky.accepted() == 240
