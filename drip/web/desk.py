"""What a request works on."""

from typing import Annotated, cast

from fastapi import Depends, Request

from drip.app import App


def _app_of(request: Request) -> App:
    return cast(App, request.app.state.drip)


Desk = Annotated[App, Depends(_app_of)]
"""The application, as a parameter of a handler: its engine, content, clock, links, settings."""
