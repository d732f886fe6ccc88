"""The fields of a form that a patient's page, or a mail program, sends."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException


async def _fields(request: Request) -> dict[str, str]:
    """The fields, of several with one name the last; empty for what is not a form.

    Both ways to write a form are read: browsers use one, mail programs either (RFC 8058). How
    long it may be is bounded for every request.
    """
    try:
        async with request.form(max_files=1, max_fields=50) as form:
            return {name: value for name, value in form.multi_items() if isinstance(value, str)}
    except (HTTPException, ValueError, LookupError):
        return {}


Form = Annotated[dict[str, str], Depends(_fields)]
"""The fields of a form, as a parameter of a handler."""
