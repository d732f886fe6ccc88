"""A provider is away for more than a day, over a night and over some patients' sessions."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from celery import Celery

from drip.config import read_settings
from drip.core.delivery import Status
from drip.providers.redis_queues import Broker
from drip.worker.celery_app import QUEUES, make_celery
from tests.faults.accounts import nothing_was_lost_or_doubled
from tests.faults.station import Station
from tests.servers.redis import OwnRedis
from tests.servers.twilio_process import TwilioProcess

pytestmark = pytest.mark.slow

WORKER = Path(__file__).parent / "processes" / "drip_ahead.py"
HOUR = timedelta(hours=1)


class Days:
    """Lets hours pass for a station and its workers; what beat asks for is asked for here."""

    def __init__(self, station: Station, celery: Celery, broker: Broker) -> None:
        self._station, self._celery, self._broker = station, celery, broker
        self.longest_queue = 0

    def wait(self, rounds: int, each: timedelta) -> None:
        """Let time pass, and wait each time until all that is due has been tried."""
        for _ in range(rounds):
            self._station.forward(each)
            for task in ("drip.rescue", "drip.expire", "drip.settle"):
                self._celery.send_task(task)
            self._celery.send_task("drip.tick", kwargs={"follow_up": True})
            self._station.wait_for(self._is_quiet)

    def _is_quiet(self) -> bool:
        queued = self._broker.look()
        assert queued is not None
        waiting = sum(queued.depths.values())
        self.longest_queue = max(self.longest_queue, waiting)
        if waiting:
            return False
        if self._station.is_at_rest():
            return True
        # There is no beat here, and a tick that comes while another ends does nothing.
        self._celery.send_task("drip.tick", kwargs={"follow_up": True})
        return False


@pytest.fixture
def twilio(tmp_path: Path) -> Iterator[TwilioProcess]:
    """A provider whose clock is moved with the station's."""
    ahead = tmp_path / "clinic" / "ahead"
    ahead.parent.mkdir()
    ahead.write_text("0")
    with TwilioProcess(tmp_path / "texts.jsonl", ahead) as twilio:
        yield twilio


@pytest.fixture
def days(station: Station, redis: OwnRedis) -> Iterator[Days]:
    """Its days."""
    broker = Broker(redis.url, QUEUES)
    with make_celery(read_settings(station.environment, station.folder)) as celery:
        yield Days(station, celery, broker)
    broker.close()


def test_a_provider_that_was_away_for_days_gets_each_text_once_and_in_its_time(
    station: Station, twilio: TwilioProcess, days: Days
) -> None:
    patients = station.enrol(30)
    too_late = station.enrol(10, session_in=26 * HOUR)
    planned = len(station.all().deliveries)
    twilio.stop()
    station.start(WORKER, station.ahead_file, "worker", "--concurrency", "2")
    days.wait(10, each=3 * HOUR)
    found = station.all()
    assert len(found.deliveries) == planned
    assert max(Counter(attempt.delivery_id for attempt in found.attempts).values()) <= 15
    assert days.longest_queue < 20
    assert station.accepted() == 0
    twilio.start()
    days.wait(4, each=HOUR)
    days.wait(8, each=2 * HOUR)
    station.end_all()
    nothing_was_lost_or_doubled(station)
    found = station.all()
    numbers = {row.id: str(found.patients[row.patient_id].phone) for row in found.deliveries}
    ends = {numbers[row.id]: row.status for row in found.due}
    assert {ends[number] for number in patients} == {Status.ACCEPTED}
    assert {ends[number] for number in too_late} == {Status.EXPIRED}
    tasks = {task.delivery_id for task in found.tasks}
    assert {row.id for row in found.due if row.status is Status.EXPIRED} <= tasks
    sent: defaultdict[str, list[datetime]] = defaultdict(list)
    for text in twilio.texts:
        sent[text.to].append(text.at)
    for times in sent.values():
        assert all(after - before >= 2 * HOUR for before, after in pairwise(sorted(times)))
        there = Counter(at.astimezone(station.scope.clinic.zone).date() for at in times)
        assert max(there.values()) <= 2
