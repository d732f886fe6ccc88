"""Unsubscribing from emails: one click in a mail program (RFC 8058), or the button of a page.

To look at the address changes nothing: scanners of mail follow links. Only a POST that says
`List-Unsubscribe=One-Click` unsubscribes; it needs no login, since the signed link is the proof.
"""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from drip.core.links import LinkExpired
from drip.services.pages.unsubscribing import gets_emails, unsubscribe
from drip.web.desk import Desk
from drip.web.forms import Form
from drip.web.link_pages import holder_by, show_expired, show_to
from drip.web.showing import CalmRoute

router = APIRouter(tags=["emails"], route_class=CalmRoute)

_ONE_CLICK = ("List-Unsubscribe", "One-Click")
_FORM = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {_ONE_CLICK[0]: {"type": "string", "enum": [_ONE_CLICK[1]]}},
                }
            }
        }
    }
}


@router.head("/u/{token}", include_in_schema=False)
@router.get("/u/{token}", response_class=HTMLResponse)
def ask(desk: Desk, token: str) -> HTMLResponse:
    """The page with the button; nothing changes."""
    try:
        holder = holder_by(desk, "unsubscribe", token)
    except LinkExpired as expired:
        return show_expired(desk, expired, lambda words: words.unsubscribe.expired)
    return show_to(holder, "unsubscribe.html.jinja", done=not gets_emails(holder))


@router.post("/u/{token}", response_class=HTMLResponse, openapi_extra=_FORM)
def one_click(desk: Desk, token: str, form: Form) -> HTMLResponse:
    """Unsubscribe the patient; 400 and the page again where the body does not say so."""
    try:
        holder = holder_by(desk, "unsubscribe", token)
    except LinkExpired as expired:
        return show_expired(desk, expired, lambda words: words.unsubscribe.expired)
    name, value = _ONE_CLICK
    if form.get(name, "").strip().lower() != value.lower():
        done = not gets_emails(holder)
        return show_to(holder, "unsubscribe.html.jinja", status=400, done=done)
    unsubscribe(holder, desk.clock())
    return show_to(holder, "unsubscribe.html.jinja", done=True)
