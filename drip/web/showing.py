"""How a patient's page is shown: one layout, no script, nothing kept, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from drip.content.markdown import one_line
from drip.content.page_words import PageWords, Said, page_words
from drip.content.sources import ContentDir
from drip.content.words import clinic_blanks, direction, fill
from drip.core.clinic import Clinic
from drip.core.links import LinkExpired
from drip.errors import NotFound

log = structlog.get_logger(__name__)

_TEMPLATES = Path(__file__).with_name("templates")
_STYLE = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow, noarchive, nosnippet",
}
"""The headers of whatever is behind a patient's link: kept, found and told nowhere."""

_PAGE = {
    **PRIVATE,
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands round a page. `phone` is as people write it, `phone_link` in E.164.

    Title and preview say `title` and `description` and no more: others see them too.
    """

    language: str
    direction: str
    title: str
    description: str = ""
    contact: str = ""
    address: str = ""
    phone: str = ""
    phone_link: str = ""


def frame_for(clinic: Clinic, words: PageWords) -> Frame:
    """The frame of a page of this clinic."""
    blanks = {name: one_line(value) for name, value in clinic_blanks(clinic).items()}
    return Frame(
        language=words.language,
        direction=direction(words.language),
        title=blanks["clinic.public_name"],
        description=fill(words.page.description, blanks),
        contact=fill(words.page.contact, blanks),
        address=blanks["clinic.address"],
        phone=blanks["clinic.phone"],
        phone_link=clinic.phone,
    )


def show(template: str, frame: Frame, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A template of drip/web/templates as an answer, with the headers of a private page."""
    page = _environment().get_template(template)
    number = Markup.escape(frame.phone)
    link = Markup('<a class="call" href="tel:{}">{}</a>').format(frame.phone_link, number)

    def phones(text: str) -> Markup:
        """The text with the clinic's number as a link; a phone calls it at a touch."""
        said = Markup.escape(text)
        return Markup(said.replace(number, link)) if number else said  # noqa: S704 - escaped above

    html = page.render(frame=frame, phones=phones, style=Markup(_STYLE), **values)  # noqa: S704
    return HTMLResponse(html, status, _PAGE)


def show_lost(content: ContentDir, accepted: str, which: str, status: int) -> HTMLResponse:
    """A page with nothing of anybody in it, in the language that the browser asks for.

    `which` names one of the words `lost`; `accepted` is the header Accept-Language.
    """
    words = page_words(content, _best(accepted, content.languages()))
    said: Said = getattr(words.lost, which)
    frame = Frame(language=words.language, direction=direction(words.language), title=said.heading)
    return show("lost.html.jinja", frame, status=status, said=said)


class CalmRoute(APIRoute):
    """A route for patients: whatever goes wrong, they see a small calm page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with what it raises made a page."""
        handle = super().get_route_handler()

        async def calm(request: Request) -> Response:
            try:
                return await handle(request)
            except LinkExpired:
                return _lost(request, "expired", 410)
            except HTTPException:
                raise
            except (NotFound, RequestValidationError):
                return _lost(request, "broken", 404)
            except Exception as error:  # noqa: BLE001 - a patient is never shown what broke
                log.error("page.broken", route=self.path, error=type(error).__name__)
                return _lost(request, "away", 503)

        return calm


def _lost(request: Request, which: str, status: int) -> HTMLResponse:
    accepted = request.headers.get("accept-language", "")
    return show_lost(request.app.state.drip.content, accepted, which, status)


def _best(accepted: str, known: tuple[str, ...]) -> str:
    """The first language of an Accept-Language that is known, else English."""
    asked = (entry.partition(";")[0].strip().lower() for entry in accepted[:200].split(","))
    return next((short for each in asked if (short := each.partition("-")[0]) in known), "en")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
