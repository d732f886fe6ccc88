"""What a request works on."""

from typing import Annotated, cast

from fastapi import Depends, Request

from drip.app import App
from drip.core.receipts import Taken
from drip.services.receipts.receiving import Word
from drip.web.gathering import Errand, Gathered

# Asynchronous all: FastAPI gives each that is not to a thread, which costs more than it does.


async def _app_of(request: Request) -> App:
    return cast(App, request.app.state.drip)


async def _receipts_of(request: Request) -> Gathered[Word, Taken]:
    return cast("Gathered[Word, Taken]", request.app.state.receipts)


async def _answers_of(request: Request) -> Errand:
    return cast(Errand, request.app.state.answers)


Desk = Annotated[App, Depends(_app_of)]
"""The application, as a parameter of a handler: its engine, content, clock, links, settings."""

Receipts = Annotated[Gathered[Word, Taken], Depends(_receipts_of)]
"""Where receipts are handed in."""

Answers = Annotated[Errand, Depends(_answers_of)]
"""Sends the answers that wait, when it is asked to."""
