"""The layout round every email."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drip.content.render import Renderer
from drip.content.sources import ContentDir
from drip.content.values import Facts
from drip.errors import ContentError

CONTRAST = 4.5
"""The least that WCAG 2 (AA) asks for between text and what is behind it."""


@pytest.fixture
def html(renderer: Renderer, facts: Facts) -> str:
    return renderer.email("arrange-a-ride", facts).html


def test_an_email_loads_nothing_from_elsewhere(html: str) -> None:
    assert not re.search(r"https?://|src=|@import|url\(|<img|<script|<link", html)


def test_an_email_says_its_language_and_direction(renderer: Renderer, facts: Facts) -> None:
    html = renderer.email("welcome", replace(facts, language="es")).html
    assert html.startswith('<!DOCTYPE html><html lang="es" dir="ltr">')
    assert '<meta charset="utf-8">' in html[:200]


def test_an_email_is_made_for_phones_and_for_the_dark(html: str) -> None:
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "@media (max-width: 480px)" in html
    assert "@media (prefers-color-scheme: dark)" in html


def test_the_rules_are_written_into_the_elements(html: str) -> None:
    assert re.search(r'<p style="margin: [^"]+">Hi Ana,</p>', html)
    assert re.search(r'<h2 style="[^"]*color: #0d5c58', html)


def test_a_list_of_mails_shows_the_discreet_name_in_place_of_the_body(html: str) -> None:
    body = html[html.index("<body") :]
    first = re.sub(r"<[^>]+>", " ", body).split("Hi Ana")[0]
    words = re.sub(r"[\u034f\u200c\u00a0\s]|&nbsp;|&zwnj;", " ", first).split()
    assert " ".join(words) == "River Clinic, (212) 555-0100 River Clinic"
    assert len(first) > 200, "the body must not come into view behind the name"


def test_the_clinics_number_can_be_called_wherever_it_stands(html: str) -> None:
    linked = html.count('href="tel:+12125550100"')
    assert linked == html.count("(212) 555-0100") - 1 == 2


@pytest.mark.parametrize(
    ("language", "time"), [("en", "9:00&nbsp;AM"), ("es", "9:00&nbsp;a.&nbsp;m.")]
)
def test_no_line_breaks_within_a_time(
    renderer: Renderer, facts: Facts, language: str, time: str
) -> None:
    html = renderer.email("day-of", replace(facts, language=language)).html
    body = html[html.index("<body") :].replace("\u00a0", "&nbsp;")
    assert time in body
    assert time.replace("&nbsp;", " ") not in body


def test_the_footer_says_why_who_and_how_to_stop(renderer: Renderer, facts: Facts) -> None:
    email = renderer.email("check-in", facts)
    for said in (
        "Questions? Call ",
        "You get this email because of your visit with River Clinic.",
        "To stop these emails, call ",
        "care@river.example.com",
        "1 River Street, New York, NY 10001",
    ):
        assert said in email.text
        assert said in email.html


def test_a_clinics_address_cannot_add_markup(renderer: Renderer, facts: Facts) -> None:
    odd = replace(facts.clinic, address="<b>1</b> & 2", public_name="A <i>Clinic</i>")
    html = renderer.email("check-in", replace(facts, clinic=odd)).html
    assert "&lt;b&gt;1&lt;/b&gt; &amp; 2" in html
    assert "<i>" not in html


def test_a_broken_layout_is_told_with_its_line(
    own: ContentDir, change: Callable[..., Path], facts: Facts
) -> None:
    change("messages/_layout/email.html.jinja", ("{{ frame.subject }}", "{{ frame.subject"))
    with pytest.raises(ContentError, match=r"^messages/_layout/email\.html\.jinja:\d+:1: this is"):
        Renderer(own).email("check-in", facts)


@pytest.mark.parametrize(
    ("front", "behind"),
    [
        ("#1c2b2d", "#ffffff"),
        ("#0d5c58", "#ffffff"),
        ("#0d5c58", "#eef2f1"),
        ("#4b5b5d", "#eef2f1"),
        ("#e6eceb", "#1c2728"),
        ("#7fd1c9", "#1c2728"),
        ("#7fd1c9", "#121a1b"),
        ("#b3c0bf", "#121a1b"),
    ],
)
def test_text_stands_out_from_what_is_behind_it(
    content: ContentDir, front: str, behind: str
) -> None:
    layout = content.layout("email.html.jinja").read_text(encoding="utf-8")
    assert front in layout
    assert behind in layout
    light, dark = sorted((_luminance(front), _luminance(behind)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= CONTRAST


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
