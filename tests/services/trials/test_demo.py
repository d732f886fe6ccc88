"""The demo: whole journeys through the real sender, or one clear line."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from drip.core.schedule import Channel
from drip.errors import DripError
from drip.providers.outbox import Outbox
from drip.services.outbound.sending import Sender
from drip.services.trials.demo import play
from tests.services.desk import NOW, Desk


def test_every_patient_of_the_demo_gets_a_whole_journey(engine: Engine, tmp_path: Path) -> None:
    desk = Desk(engine)
    sender = Sender(engine, desk.content, dict.fromkeys(Channel, Outbox(tmp_path / "out")))
    for sample in play(desk.scope, sender, NOW):
        told = [happening.what for happening in sample.timeline]
        assert told.index("welcome") < told.index("day-before") < told.index("the session")
        assert {"evening-after", "check-in", "week-after"} <= set(told)


def test_a_folder_that_takes_nothing_ends_the_demo(engine: Engine, tmp_path: Path) -> None:
    desk = Desk(engine)
    (tmp_path / "out").write_text("in the way")
    sender = Sender(engine, desk.content, dict.fromkeys(Channel, Outbox(tmp_path / "out")))
    with pytest.raises(DripError, match="cannot be written"):
        play(desk.scope, sender, NOW)
