"""The page on which a patient chooses: texts, emails, the words of texts, the language.

The signed link is the proof of who asks, as in a letter with a code. There are no cookies, so
nothing that a browser sends by itself gives another site any right: a forged form (CSRF) would
need the link, and who has the link needs no forged form.
"""

from typing import Literal, cast

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from drip.content.language_file import load_language
from drip.content.page_words import PreferencesWords, page_words
from drip.content.sources import ContentDir
from drip.core.links import LinkExpired
from drip.services.pages.link_holders import Holder
from drip.services.pages.preferences import Preferences, Wishes, choose, preferences_of
from drip.web.desk import Desk
from drip.web.forms import Form
from drip.web.link_pages import holder_by, show_expired, show_to
from drip.web.showing import CalmRoute

router = APIRouter(tags=["emails"], route_class=CalmRoute)

_SWITCH = {"on": True, "off": False}
_WORDINGS = ("discreet", "plain")
_FORM = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "texts": {"type": "string", "enum": list(_SWITCH)},
                        "emails": {"type": "string", "enum": list(_SWITCH)},
                        "wording": {"type": "string", "enum": list(_WORDINGS)},
                        "language": {"type": "string"},
                    },
                }
            }
        }
    }
}


@router.head("/p/{token}", include_in_schema=False)
@router.get("/p/{token}", response_class=HTMLResponse)
def look(desk: Desk, token: str) -> HTMLResponse:
    """What the patient gets now, as a form; nothing changes."""
    try:
        holder = holder_by(desk, "preferences", token)
    except LinkExpired as expired:
        return show_expired(desk, expired, lambda words: words.preferences.expired)
    return _show(holder, preferences_of(holder), [])


@router.post("/p/{token}", response_class=HTMLResponse, openapi_extra=_FORM)
def save(desk: Desk, token: str, form: Form) -> HTMLResponse:
    """Do what the form asks for, and say what has changed. What it leaves out stays."""
    try:
        holder = holder_by(desk, "preferences", token)
    except LinkExpired as expired:
        return show_expired(desk, expired, lambda words: words.preferences.expired)
    before, after = choose(holder, _wishes(form, desk.content), desk.clock())
    words = page_words(desk.content, after.language).preferences
    return _show(holder, after, _changes(before, after, words) or [words.unchanged])


def _wishes(form: dict[str, str], content: ContentDir) -> Wishes:
    wording, language = form.get("wording"), form.get("language")
    return Wishes(
        texts=_SWITCH.get(form.get("texts", "")),
        emails=_SWITCH.get(form.get("emails", "")),
        wording=cast("Literal['discreet', 'plain']", wording) if wording in _WORDINGS else None,
        language=language if language in content.languages() else None,
    )


def _changes(before: Preferences, after: Preferences, words: PreferencesWords) -> list[str]:
    """What is different now, as sentences."""
    said = []
    for was, now, channel in (
        (before.texts, after.texts, words.texts),
        (before.emails, after.emails, words.emails),
    ):
        if was.on != now.on:
            said.append(channel.turned_on if now.on else channel.turned_off)
    if before.wording != after.wording:
        plain = after.wording == "plain"
        said.append(words.wording.now_plain if plain else words.wording.now_discreet)
    if before.language != after.language:
        said.append(words.language.changed)
    return [words.saved, *said] if said else []


def _show(holder: Holder, stands: Preferences, changes: list[str]) -> HTMLResponse:
    content = holder.scope.content
    names = {each: load_language(content, each).name for each in content.languages()}
    return show_to(
        holder,
        "preferences.html.jinja",
        language=stands.language,
        stands=stands,
        changes=changes,
        languages=names,
    )
