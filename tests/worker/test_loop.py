"""The embedded loop says what waits to be said, and raises again what nobody has taken."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from drip.clock import system_clock
from drip.core.schedule import Channel
from drip.services.answers import crisis
from drip.services.answers.answering import say
from drip.store import tasks
from drip.store.engine import writing
from drip.worker import loop
from tests.services.desk import NOW, Desk

PATIENCE = 30.0


def test_answers_go_out_and_alarms_are_raised_by_the_loop(desk: Desk) -> None:
    with writing(desk.engine) as session:
        clinic_id = desk.scope.clinic_id
        case = tasks.open_task(
            session, clinic_id, key="crisis:1", kind=crisis.KIND, says="Call.", urgent=True, now=NOW
        )
        case.raised_at = NOW - crisis.RAISED_EVERY
        say(
            session,
            clinic_id,
            kind="help",
            channel=Channel.SMS,
            address="+12125550101",
            body="Call us.",
            now=NOW,
        )
    ahead = NOW - system_clock()

    def clock() -> datetime:
        return system_clock() + ahead

    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(desk.sender, clock, stop))
    thread.start()
    try:
        wait_for(lambda: bool(desk.sms.sent and alerted(desk)))
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert [outgoing.to for _, outgoing in desk.sms.sent] == ["+12125550101"]
    assert alerted(desk) == [desk.clinic.email]


def alerted(desk: Desk) -> list[str]:
    """Who was told of the crisis; the digest is no answer."""
    return [outgoing.to for _, outgoing in desk.email.sent if outgoing.kind == "answer"]


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
