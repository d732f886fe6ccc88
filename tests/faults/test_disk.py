"""The disk that the outbox is on is full, or cannot be written."""

import os
import resource
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from drip.core.delivery import Reason, Status
from tests.faults.accounts import nothing_was_lost_or_doubled
from tests.faults.station import Station, children_of
from tests.servers.redis import OwnRedis
from tests.servers.twilio_process import Text

pytestmark = pytest.mark.slow


@pytest.fixture
def station(tmp_path: Path, database_url: str, redis: OwnRedis) -> Iterator[Station]:
    """A station that sends into its outbox."""
    station = Station(tmp_path / "clinic", database_url, redis.url)
    try:
        yield station
    finally:
        station.close()


@pytest.fixture
def small_disk(station: Station) -> Iterator[Path]:
    """An outbox with room for a few texts."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    folder = station.folder / "outbox"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        station.close()
        subprocess.run(["umount", folder], check=True)


def _remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


def _texts(station: Station) -> list[Text]:
    """What is in the outbox."""
    found = []
    for path in (station.folder / "outbox").glob("delivery-*.txt"):
        head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
        to, at = (line.partition(": ")[2] for line in head.splitlines())
        found.append(Text(path.name, to, body.removesuffix("\n"), datetime.fromisoformat(at)))
    return found


def test_what_has_no_room_on_the_disk_is_written_once_there_is(
    station: Station, small_disk: Path
) -> None:
    station.beat()
    station.worker()
    station.enrol(40)
    station.wait_for(station.is_at_rest)
    found = station.all().due
    assert 0 < station.accepted() == len(_texts(station)) < 40
    waiting = {row.reason for row in found if row.status is Status.SCHEDULED}
    assert Reason.RETRYING in waiting <= {Reason.RETRYING, Reason.PROVIDER_DOWN}
    station.end_all()
    _remount(small_disk, "size=4m")
    station.let_time_pass()
    nothing_was_lost_or_doubled(station, _texts(station))
    assert station.accepted() == 40
    assert not list(small_disk.glob(".*.part"))


def test_what_cannot_be_written_is_written_once_it_can(station: Station, small_disk: Path) -> None:
    _remount(small_disk, "ro")
    station.beat()
    station.worker()
    station.enrol(10)
    station.wait_for(station.is_at_rest)
    station.end_all()
    assert station.accepted() == 0
    _remount(small_disk, "rw")
    station.let_time_pass()
    nothing_was_lost_or_doubled(station, _texts(station))
    assert station.accepted() == 10


def test_a_file_that_cannot_grow_is_no_text(station: Station) -> None:
    """What a full disk is to somebody who may mount none: each file ends after 100 bytes."""
    station.beat()
    worker = station.worker(quiet=True)
    station.wait_for(lambda: station.is_ready(worker))
    for pid in children_of(worker.pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    station.enrol(10)
    station.wait_for(station.is_at_rest)
    assert station.accepted() == 0
    assert _texts(station) == []
    assert not list((station.folder / "outbox").glob(".*.part"))
    station.end_all()
    station.let_time_pass()
    nothing_was_lost_or_doubled(station, _texts(station))
    assert station.accepted() == 10
