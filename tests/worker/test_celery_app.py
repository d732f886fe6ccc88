"""The Celery application: every task has a queue, every beat entry a task, and nothing waits."""

import ast
from pathlib import Path

import pytest
from celery import Celery

from drip.config import Secret, Settings
from drip.errors import SettingsError
from drip.worker import tasks, ticking
from drip.worker.celery_app import QUEUES, VISIBILITY, make_celery

SENDS_TO = {"drip.deliver": {"sms", "email"}}
"""Tasks whose queue is given where they are sent."""


@pytest.fixture(scope="module")
def app() -> Celery:
    made = make_celery(Settings(redis_url=Secret("redis://127.0.0.1:1/0")))
    made.loader.import_default_modules()
    return made


def ours(app: Celery) -> set[str]:
    return {name for name in app.tasks if name.startswith("drip.")}


def test_texts_emails_receipts_and_maintenance_have_queues_of_their_own() -> None:
    assert set(QUEUES) == {"sms", "email", "receipts", "maintenance"}


def test_every_task_has_a_queue_that_the_workers_work_on(app: Celery) -> None:
    assert ours(app) >= {"drip.tick", "drip.deliver", "drip.rescue", "drip.settle", "drip.expire"}
    for name in ours(app):
        routed = app.conf.task_routes.get(name, {}).get("queue")
        assert SENDS_TO.get(name, {routed}) <= set(QUEUES), name


def test_answers_go_with_the_texts_and_do_not_die_behind_a_batch(app: Celery) -> None:
    routes, beat = app.conf.task_routes, app.conf.beat_schedule
    assert routes["drip.answer"]["queue"] == "sms"
    assert (beat["answer"]["schedule"], beat["alarm"]["schedule"]) == (2, 30)
    assert beat["answer"]["options"]["expires"] >= 60


def test_every_beat_entry_has_a_task(app: Celery) -> None:
    entries = app.conf.beat_schedule.values()
    assert {entry["task"] for entry in entries} == ours(app) - SENDS_TO.keys()


def test_no_task_waits_in_redis_longer_than_for_the_next_tick(app: Celery) -> None:
    """An ETA beyond the visibility time-out would be delivered again and again."""
    assert app.conf.broker_transport_options["visibility_timeout"] == VISIBILITY >= 600
    found = [
        (path.name, ast.unparse(node))
        for path in Path(tasks.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.keyword) and node.arg in {"eta", "countdown"}
    ]
    assert found == [("tasks.py", "countdown=wait")], "what `ticking.tick` says, see its own tests"
    assert 100 * ticking.TICK < VISIBILITY


def test_a_time_limit_is_far_from_the_visibility_time_out(app: Celery) -> None:
    assert app.conf.task_time_limit < app.conf.broker_transport_options["visibility_timeout"]
    assert app.conf.broker_transport_options["socket_timeout"]


def test_without_redis_it_says_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="DRIP_REDIS_URL is not set"):
        make_celery(Settings())
