"""Providers with real servers behind them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from drip.providers.twilio import Twilio
from tests.providers.rigs import Make, Moment, RemoteRig, Rig, rigged
from tests.servers.smtp_server import SmtpServer
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER, TwilioServer


@pytest.fixture(params=["outbox", "smtp", "twilio"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Each provider in turn."""
    with rigged(request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=["smtp", "twilio"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RemoteRig]:
    """Each provider that is reached over a network."""
    with rigged(request.param, tmp_path) as made:
        yield cast(RemoteRig, made)


@pytest.fixture
def smtp_server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
def twilio_server(moment: Moment) -> Iterator[TwilioServer]:
    with TwilioServer(clock=moment) as running:
        yield running


@pytest.fixture
def make(twilio_server: TwilioServer) -> Iterator[Make]:
    """Make a provider with a short time-out, closed after the test."""
    made: list[Twilio] = []

    def build(**options: Any) -> Twilio:
        defaults: dict[str, Any] = {"api_url": twilio_server.url, "timeout": 0.5}
        if "messaging_service_sid" not in options:
            defaults["sender"] = SENDER
        made.append(Twilio(ACCOUNT_SID, AUTH_TOKEN, **(defaults | options)))
        return made[-1]

    yield build
    for provider in made:
        provider.close()
