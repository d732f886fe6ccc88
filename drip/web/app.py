"""The web application: its routers, and what every answer carries."""

from fastapi import FastAPI

from drip import __version__
from drip.app import App
from drip.web import health

_ROUTERS = (health.router,)


def create_app(app: App) -> FastAPI:
    """Everything that is served over HTTP, working on `app`."""
    served = FastAPI(title="Drip", version=__version__, docs_url=None, redoc_url=None)
    served.state.drip = app
    for router in _ROUTERS:
        served.include_router(router)
    return served
