"""The same journey on PostgreSQL, Redis and real Celery processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from drip.clock import system_clock
from drip.content.clinic_file import SAMPLE, load_clinic
from drip.content.sources import content_dir
from drip.core.delivery import Status
from drip.core.schedule import Channel
from drip.intake.booking import Defaults, read_booking
from drip.providers.outbox import Outbox
from drip.services.enrolling import enroll_all
from drip.services.housekeeping import keep_house
from drip.services.scope import Scope, open_scope
from drip.services.sending import Sender
from drip.store import deliveries
from drip.store.engine import reading
from tests.servers.redis import redis_server

PATIENTS = 120
LONG_ENOUGH = 60


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def clinic_folder(tmp_path: Path) -> Path:
    text = SAMPLE.read_text().replace('send_window: "09:00-20:00"', 'send_window: "00:00-24:00"')
    text = text.replace("sender: long-code", "sender: messaging-service\n  rate: 100000")
    (tmp_path / "clinic.yaml").write_text(text)
    return tmp_path


@contextmanager
def drip(
    folder: Path, engine: Engine, redis_url: str, *args: str
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "DRIP_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "DRIP_REDIS_URL": redis_url,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "drip", *args], cwd=folder, env=environment, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def enrol_many(scope: Scope, now: datetime) -> None:
    clinic = scope.clinic
    defaults = Defaults(
        country=clinic.country,
        zone=clinic.zone,
        language="en",
        languages=("en", "es"),
        schedule="ketamine-first-session",
        source="test",
        consent_by="test",
    )
    session = (now + timedelta(days=20)).astimezone(clinic.zone).replace(tzinfo=None)
    bookings = [
        read_booking(
            {
                "name": f"Patient {chr(97 + n % 26)}{chr(97 + n // 26)}",
                "phone": f"+121255501{n % 100:02}",
                "email": f"p{n}@example.com",
                "session": session.isoformat(timespec="minutes"),
                "consent": "sms,email",
                "consent_how": "paper",
                "ref": str(n),
            },
            defaults,
        )
        for n in range(PATIENTS)
    ]
    enroll_all(scope, bookings, now)


def accepted(scope: Scope) -> int:
    with reading(scope.engine) as session:
        return deliveries.counts(session, scope.clinic_id).get(Status.ACCEPTED, 0)


def until(done: int, scope: Scope) -> None:
    deadline = time.monotonic() + LONG_ENOUGH
    while accepted(scope) < done:
        assert time.monotonic() < deadline, f"{accepted(scope)} of {done} were sent"
        time.sleep(0.1)


def finish_in_process(scope: Scope, folder: Path, now: datetime) -> None:
    """What a later hour brings: leases lapse, unknown outcomes are asked for, the rest goes out."""
    outbox = Outbox(folder / "outbox")
    sender = Sender(scope.engine, scope.content, dict.fromkeys(Channel, outbox))
    for minutes in (10, 20, 30):
        later = now + timedelta(minutes=minutes)
        keep_house(scope.engine, sender.providers, later)
        while sender.tick(later):
            pass


@pytest.mark.slow
def test_what_is_due_goes_out_once_with_two_beats_and_a_worker_that_is_killed(
    postgresql_engine: Engine, redis_url: str, clinic_folder: Path
) -> None:
    now = system_clock()
    clinic = load_clinic(clinic_folder / "clinic.yaml")
    scope = open_scope(postgresql_engine, content_dir(), clinic, now)
    enrol_many(scope, now)
    run = (clinic_folder, postgresql_engine, redis_url)
    with drip(*run, "beat"), drip(*run, "beat"):
        with drip(*run, "worker", "--concurrency", "2") as worker:
            until(1, scope)
            os.killpg(worker.pid, signal.SIGKILL)
        with drip(*run, "worker", "--concurrency", "2") as worker:
            until(PATIENTS, scope)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(LONG_ENOUGH) == 0
    finish_in_process(scope, clinic_folder, now)
    due = 2 * PATIENTS
    written = [*clinic_folder.glob("outbox/*.txt"), *clinic_folder.glob("outbox/*.eml")]
    assert accepted(scope) == due
    assert len(written) == due
    rows = (clinic_folder / "outbox" / "index.html").read_text().split('<tr id="')[1:]
    handed_over = [row.partition('"')[0] for row in rows]
    assert len(handed_over) == len(set(handed_over)), "a delivery was handed over twice"
