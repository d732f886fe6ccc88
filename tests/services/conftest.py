"""A clinic's desk on each database; whatever a test does, every delivery says why it stands."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.services.desk import Desk, without_reason


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    """A clinic with nobody enrolled. T11: what was not sent has a reason, in every test."""
    desk = Desk(engine)
    yield desk
    assert without_reason(desk.rows()) == []
