"""What the pages behind the links of an email share: whose link it is, and how they are shown."""

from collections.abc import Callable
from typing import Any

from fastapi.responses import HTMLResponse

from drip.app import App
from drip.content.markdown import one_line
from drip.content.page_words import PageWords, Said, page_words
from drip.content.words import clinic_blanks, fill
from drip.core.links import LinkBroken, LinkExpired, Purpose
from drip.services.pages.link_holders import Holder, holder_of
from drip.web.showing import frame_for, show


def holder_by(app: App, purpose: Purpose, token: str) -> Holder:
    """Whose link this is. Raises LinkBroken, and LinkExpired where it was right once."""
    if app.links is None:
        raise LinkBroken("There are no links without DRIP_PUBLIC_URL and DRIP_SECRET_KEY.")
    return holder_of(app.engine, app.content, app.links.read(purpose, token, app.clock()))


def show_to(
    holder: Holder, template: str, *, language: str | None = None, status: int = 200, **values: Any
) -> HTMLResponse:
    """A page in the patient's language, with the clinic's name and number round it."""
    words = page_words(holder.scope.content, language or holder.language)
    clinic = holder.scope.clinic
    blanks = {name: one_line(value) for name, value in clinic_blanks(clinic).items()}
    return show(
        template,
        frame_for(clinic, words),
        status=status,
        words=words,
        say=lambda text: fill(text, blanks),
        **values,
    )


def show_expired(app: App, expired: LinkExpired, said: Callable[[PageWords], Said]) -> HTMLResponse:
    """What is said where a link was right once: the clinic of it, and what to do instead."""
    holder = holder_of(app.engine, app.content, expired.link)
    words = page_words(app.content, holder.language)
    return show_to(holder, "said.html.jinja", status=410, said=said(words))
