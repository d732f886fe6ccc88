"""What is counted while deliveries are sent."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from drip.core.schedule import Channel
from drip.services import metrics

NOW = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)


@pytest.fixture
def shown() -> Iterator[CollectorRegistry]:
    """What a server would show; counting ends with the test."""
    yield metrics.turn_on()
    metrics.turn_off()


@pytest.fixture
def _off() -> Iterator[None]:
    yield
    metrics.turn_off()


def samples(text: str) -> dict[str, float]:
    """Every sample, as `name{label="value"}`."""
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line and not line.startswith("#")
    }


def count_some() -> None:
    metrics.claimed(Channel.SMS, 50)
    metrics.answered(Channel.SMS, "twilio", "accepted")
    metrics.answered(Channel.SMS, "twilio", "accepted", 2)
    metrics.answered(Channel.SMS, "twilio", "rejected")
    metrics.handed_over("twilio", 0.2, 4)
    metrics.late(Channel.EMAIL, 90.0)
    metrics.late(Channel.EMAIL, -0.5)
    metrics.said("help", "accepted")


EXPECTED = {
    'drip_deliveries_claimed_total{channel="sms"}': 50,
    'drip_deliveries_ended_total{channel="sms",outcome="accepted",provider="twilio"}': 3,
    'drip_deliveries_ended_total{channel="sms",outcome="rejected",provider="twilio"}': 1,
    'drip_hand_over_messages_total{provider="twilio"}': 4,
    'drip_hand_over_seconds_count{provider="twilio"}': 1,
    'drip_hand_over_seconds_sum{provider="twilio"}': 0.2,
    'drip_hand_over_seconds_bucket{le="0.1",provider="twilio"}': 0,
    'drip_hand_over_seconds_bucket{le="0.25",provider="twilio"}': 1,
    'drip_due_to_hand_over_seconds_count{channel="email"}': 2,
    'drip_due_to_hand_over_seconds_sum{channel="email"}': 90,
    'drip_answers_ended_total{kind="help",outcome="accepted"}': 1,
}
LABELS = {"channel", "provider", "outcome", "kind", "status", "code", "le"}


def test_what_is_counted_is_shown(shown: CollectorRegistry) -> None:
    count_some()
    found = samples(generate_latest(shown).decode())
    assert {name: found.get(name) for name in EXPECTED} == EXPECTED


def test_names_follow_the_conventions_and_labels_are_few(shown: CollectorRegistry) -> None:
    count_some()
    families = list(text_string_to_metric_families(generate_latest(shown).decode()))
    assert len(families) == 8
    for family in families:
        assert re.fullmatch(r"drip_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert family.type != "histogram" or family.name.endswith("_seconds")
        for sample in family.samples:
            assert family.type != "counter" or sample.name.endswith("_total")
            assert set(sample.labels) <= LABELS


def test_nothing_is_counted_before_it_is_turned_on() -> None:
    count_some()
    registry = metrics.turn_on()
    assert samples(generate_latest(registry).decode()) == {}
    metrics.turn_off()


@pytest.mark.usefixtures("_off")
def test_ticks_are_known_and_told_but_not_more_than_twice_a_second() -> None:
    told: list[datetime] = []
    metrics.tell_ticks(told.append)
    for tenths in (0, 1, 4, 6, 7, 20):
        metrics.ticked(NOW + timedelta(seconds=tenths / 10))
    assert [(each - NOW).total_seconds() for each in told] == [0, 0.6, 2]
    assert metrics.last_tick() == NOW + timedelta(seconds=2)
    metrics.ticked(NOW - timedelta(hours=1))  # a clock that was put back
    assert told[-1] == NOW - timedelta(hours=1)


def python(code: str, **environment: str) -> str:
    """What a new process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_processes_that_fork_are_counted_together_and_the_dead_stay_counted(
    tmp_path: Path,
) -> None:
    found = samples(
        python(
            "import os\n"
            "from prometheus_client import generate_latest\n"
            "from drip.core.schedule import Channel\n"
            "from drip.services import metrics\n"
            "shown = metrics.turn_on()\n"
            "metrics.claimed(Channel.SMS, 1)\n"
            "for count in (10, 100):\n"
            "    child = os.fork()\n"
            "    if not child:\n"
            "        metrics.claimed(Channel.SMS, count)\n"
            "        metrics.handed_over('twilio', 0.2, count)\n"
            "        os._exit(0)\n"
            "    os.waitpid(child, 0)\n"
            "print(generate_latest(shown).decode())\n",
            **{metrics.MULTIPROCESS: str(tmp_path)},
        )
    )
    assert found['drip_deliveries_claimed_total{channel="sms"}'] == 111
    assert found['drip_hand_over_seconds_count{provider="twilio"}'] == 2


@pytest.mark.parametrize(
    "code",
    [
        "from drip.services import metrics",
        "from drip.cli.main import main; main(['preview', '--session', '2030-12-15T09:00'])",
    ],
)
def test_the_library_is_not_imported_where_nothing_is_shown(code: str) -> None:
    out = python(f"{code}\nimport sys; print('prometheus_client' in sys.modules)")
    assert out.splitlines()[-1] == "False"
