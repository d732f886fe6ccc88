"""The web application: its routers, and what every answer carries."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from drip import __version__
from drip.app import App
from drip.core.schedule import Channel
from drip.errors import DripError, NotFound, StoreError
from drip.providers.protocol import Provider
from drip.services.answers import answering
from drip.services.inbound import hearing
from drip.services.receipts import receiving
from drip.web import email_hooks, health, pages, preferences, twilio_hooks, unsubscribing
from drip.web.bounds import Bounds
from drip.web.gathering import Errand, Gathered

_ROUTERS = (
    health.router,
    pages.router,
    twilio_hooks.router,
    unsubscribing.router,
    preferences.router,
    email_hooks.router,
)

_LAST_ANSWERS = 10.0
"""Seconds for which answers that are being sent are waited for at the end."""


def create_app(app: App, providers: Mapping[Channel, Provider] | None = None) -> FastAPI:
    """Everything that is served over HTTP, working on `app`.

    Answers to patients go out over `providers`, the settings' own where none are given.
    """

    @cache
    def carriers() -> Mapping[Channel, Provider]:
        return app.providers() if providers is None else providers

    answers = Errand(
        lambda: answering.send_waiting(app.engine, carriers(), app.clock(), pace=app.pace)
    )

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(hearing.get_ready, app.content)
        yield
        answers.wait(_LAST_ANSWERS)
        if providers is None and carriers.cache_info().currsize:
            for provider in carriers().values():
                provider.close()

    served = FastAPI(
        title="Drip", version=__version__, docs_url=None, redoc_url=None, lifespan=life
    )
    served.state.drip = app
    served.state.answers = answers
    served.state.receipts = Gathered(
        lambda words: receiving.receive_all(app.engine, words, app.clock())
    )
    for router in _ROUTERS:
        served.include_router(router)
    served.add_middleware(Bounds)
    served.add_exception_handler(DripError, _refuse)
    return served


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    """Say to a machine what is wrong: the database is away, or there is no such thing."""
    status = 503 if isinstance(error, StoreError) else 404 if isinstance(error, NotFound) else 400
    return JSONResponse({"detail": str(error)}, status)
