"""The way to the provider breaks, and the provider misbehaves."""

import random
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from drip.core.delivery import Reason, Status
from drip.services.upkeep.housekeeping import keep_house
from tests.faults.accounts import nothing_was_lost_or_doubled
from tests.faults.conftest import SOAK
from tests.faults.station import Station
from tests.servers.cutting_proxy import CuttingProxy, Fate
from tests.servers.twilio_process import TwilioProcess
from tests.servers.twilio_server import Behaviour

pytestmark = pytest.mark.slow

PATIENTS = 2000 if SOAK else 300


@pytest.mark.soak
def test_a_network_that_is_cut_before_during_and_after_requests_loses_and_doubles_nothing(
    station: Station, twilio: TwilioProcess, chance: random.Random
) -> None:
    before_any, whole = Fate(requests=0), Fate()

    def fate() -> Fate:
        in_a_request = Fate(requests=chance.randrange(1, 3000))
        in_an_answer = Fate(answers=chance.choice((0, 9, 2000)))
        return chance.choice((before_any, in_a_request, in_an_answer, whole, whole, whole))

    port = urlsplit(twilio.url).port
    assert port is not None
    with CuttingProxy(port, fate) as proxy:
        station.api_url = proxy.url
        station.enrol(PATIENTS)
        station.beat()
        station.worker()
        station.wait_for(station.is_at_rest)
        station.end_all()
        outcomes = {attempt.outcome for attempt in station.all().attempts}
        assert proxy.cuts > 20
        assert {"accepted", "unknown"} <= outcomes, outcomes
        proxy.fate = Fate
        station.let_time_pass()
    nothing_was_lost_or_doubled(station)
    assert station.accepted() == PATIENTS


def test_what_nobody_can_tell_the_fate_of_is_a_task_and_is_not_sent_again(
    station: Station, twilio: TwilioProcess
) -> None:
    numbers = station.enrol(10)
    for place, number in enumerate(numbers):
        twilio.behave(Behaviour(how="reset", taken=place % 2 == 0, times=1), number)
    twilio.answer_lists_with(500)
    station.beat()
    station.worker()
    station.wait_for(station.is_at_rest)
    station.end_all()
    with station.sender() as sender:
        for _ in range(3):
            station.forward(timedelta(minutes=10))
            keep_house(station.engine, sender.providers, station.now())
            assert sender.tick(station.now()) == 0
    nothing_was_lost_or_doubled(station)
    assert station.standing()[Status.UNKNOWN] == len(numbers)
    assert twilio.count == len(numbers) / 2


WAYS = {
    "hangs": Behaviour(how="hang", taken=False, times=1),
    "hangs when it has taken the text": Behaviour(how="hang", taken=True, times=1),
    "429": Behaviour(status=429, code=20429, times=1),
    "429 for two hours": Behaviour(
        status=429, code=20429, headers={"Retry-After": "7200"}, times=1
    ),
    "500": Behaviour(status=500, times=1),
    "500 when it has taken the text": Behaviour(status=500, taken=True, times=1),
    "garbage": Behaviour(how="garbage", status=200, taken=False, times=1),
    "garbage when it has taken the text": Behaviour(how="garbage", status=200, taken=True, times=1),
    "resets": Behaviour(how="reset", taken=False, times=1),
    "resets when it has taken the text": Behaviour(how="reset", taken=True, times=1),
    "hangs up when it has taken the text": Behaviour(how="hang up", taken=True, times=1),
}


def test_a_provider_that_misbehaves_in_every_way_gets_each_text_once(
    station: Station, twilio: TwilioProcess
) -> None:
    station.settings = {"DRIP_TWILIO_TIMEOUT": "1"}
    groups = {name: station.enrol(5) for name in WAYS}
    well = station.enrol(20)
    for name, numbers in groups.items():
        for number in numbers:
            twilio.behave(WAYS[name], number)
    station.beat()
    station.worker()
    station.wait_for(station.is_at_rest)
    station.end_all()
    found = station.all()
    by_number = {str(found.patients[row.patient_id].phone): row for row in found.due}
    assert {by_number[number].status for number in well} == {Status.ACCEPTED}
    for name, numbers in groups.items():
        rows = [by_number[number] for number in numbers]
        if name.startswith("429"):
            assert {row.reason for row in rows} == {Reason.RETRYING}
            waits = min(row.due_at - row.sent_at for row in rows if row.sent_at is not None)
            assert (waits >= timedelta(hours=2)) == ("hours" in name)
        else:
            assert {row.status for row in rows} == {Status.UNKNOWN}, name
    station.let_time_pass()
    nothing_was_lost_or_doubled(station)
    assert station.accepted() == 5 * len(WAYS) + len(well)
