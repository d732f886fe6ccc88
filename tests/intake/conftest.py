"""What a clinic in New York gives a booking where the booking does not say."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from drip.intake.booking import Defaults


@pytest.fixture
def defaults() -> Defaults:
    """An American clinic with messages in English and Spanish."""
    return Defaults(
        country="US",
        zone=ZoneInfo("America/New_York"),
        language="en",
        languages=("en", "es"),
        schedule="ketamine-first-session",
        source="csv",
        consent_by="Kim",
    )


@pytest.fixture
def british(defaults: Defaults) -> Defaults:
    """A clinic in London."""
    return replace(defaults, country="GB", zone=ZoneInfo("Europe/London"))
