"""A clinic's desk on each database."""

import pytest
from sqlalchemy import Engine

from tests.services.desk import Desk


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """A clinic with nobody enrolled."""
    return Desk(engine)
