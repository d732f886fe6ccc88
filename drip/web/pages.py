"""A patient's pages behind a signed link: the message, the visit, and three answers.

To look changes nothing: programs that preview links look too. Only a button (POST) answers.
"""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from drip.content.words import fill
from drip.core.links import Link, LinkBroken
from drip.services.pages.patient_pages import Action, PatientPage, answer, open_page, visit_calendar
from drip.web.desk import Desk
from drip.web.forms import Form
from drip.web.showing import PRIVATE, CalmRoute, Frame, frame_for, show

router = APIRouter(tags=["pages"], route_class=CalmRoute)


@router.get("/v/{token}", response_class=HTMLResponse)
def message(desk: Desk, token: str) -> HTMLResponse:
    """The message in full, with the visit and what may be answered."""
    page = open_page(desk.engine, desk.content, _link(desk, token), desk.clock())
    notice = getattr(page.words.notice, page.notice) if page.notice else ""
    return _show(
        "message.html.jinja",
        page,
        token,
        notice=fill(notice, page.blanks),
        session=int(page.session_at.timestamp()),
        crisis=page.crisis,
    )


@router.get("/v/{token}/visit.ics")
def calendar(desk: Desk, token: str) -> Response:
    """The visit for the patient's calendar."""
    data = visit_calendar(desk.engine, desk.content, _link(desk, token), desk.clock())
    headers = {**PRIVATE, "Content-Disposition": 'inline; filename="visit.ics"'}
    return Response(data, headers=headers, media_type="text/calendar; charset=utf-8")


@router.get("/v/{token}/{action}")
def back(token: str, action: Action) -> RedirectResponse:
    """A confirmation that is looked at again, from a tab that was kept: the message."""
    return RedirectResponse(f"../{token}", status_code=303, headers=PRIVATE)


@router.post("/v/{token}/{action}", response_class=HTMLResponse)
def answered(
    desk: Desk,
    token: str,
    action: Action,
    form: Form,
) -> HTMLResponse:
    """Note the answer, and say plainly what became of it."""
    link, now = _link(desk, token), desk.clock()
    became = answer(desk.engine, desk.content, link, action, _session_at(form), now)
    page = open_page(desk.engine, desk.content, link, now)
    noted = became in ("noted", "already")
    said = getattr(page.words.done, action if noted else became)
    return _show("done.html.jinja", page, token, said=said)


def _session_at(form: Mapping[str, str]) -> datetime | None:
    """The session that the page showed; None where the form does not say."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(int(form.get("session", "")), UTC)
    return None


def _link(desk: Desk, token: str) -> Link:
    if desk.links is None:
        raise LinkBroken("There are no links without DRIP_PUBLIC_URL and DRIP_SECRET_KEY.")
    return desk.links.read("page", token, desk.clock())


def _show(template: str, page: PatientPage, token: str, **values: Any) -> HTMLResponse:
    frame = frame_for(page.clinic, page.words)
    return show(
        template,
        frame,
        page=page,
        words=page.words,
        token=token,
        say=lambda text: fill(text, page.blanks),
        linked=lambda html: _linked(html, page, frame),
        **values,
    )


def _linked(html: str, page: PatientPage, frame: Frame) -> Markup:
    """The words of a message with the clinic's number and the crisis lines as links to call."""
    number = str(Markup.escape(frame.phone))
    html = html.replace(number, f'<a class="call" href="tel:{frame.phone_link}">{number}</a>')
    for line in page.lines:
        call = f'<a class="call" href="tel:{line.replace(" ", "")}">{line}</a>'
        html = html.replace(f"<strong>{line}</strong>", call)
    return Markup(html)  # noqa: S704 - made of Markdown, which lets no HTML through
