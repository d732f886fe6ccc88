"""Messages link to their own page where there are pages, and read well where there are none."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from drip.content.checks import check
from drip.content.clinic_file import SAMPLE
from drip.content.render import Renderer
from drip.content.sources import ContentDir, content_dir
from drip.content.values import Facts
from drip.core.links import example_page
from drip.core.sms import measure

PAGE = example_page("https://care.example.com")
LINKED_TEXTS = {
    "what-is-ketamine",
    "questions-to-ask",
    "side-effects",
    "arrange-a-ride",
    "day-before",
    "rescheduled",
}
LINKED_EMAILS = {"arrange-a-ride", "day-before", "rescheduled"}
NAMES = sorted(content_dir().messages())


@pytest.fixture(params=["en", "es"])
def linked(request: pytest.FixtureRequest, facts: Facts) -> Facts:
    """Ana, who gets links, in each language."""
    return replace(facts, language=request.param, page_url=PAGE)


@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_the_texts_that_ask_for_something_or_are_cut_short_link_to_their_page(
    renderer: Renderer, linked: Facts, name: str, hears: bool
) -> None:
    someone = replace(linked, clinic=replace(linked.clinic, hears_replies=hears))
    body = renderer.sms(name, someone).body
    assert (PAGE in body) == (name in LINKED_TEXTS)
    assert measure(body).encoding == "GSM-7"
    assert measure(body).count <= 2
    without = renderer.sms(name, replace(someone, page_url=None)).body
    assert "http" not in without
    if name not in LINKED_TEXTS:
        assert without == body


@pytest.mark.parametrize("name", sorted(LINKED_TEXTS & {"what-is-ketamine", "questions-to-ask"}))
def test_a_text_with_something_to_read_costs_one_part_with_its_link(
    renderer: Renderer, linked: Facts, name: str
) -> None:
    assert measure(renderer.sms(name, linked).body).count == 1


def test_who_gets_a_link_may_still_answer_by_text(renderer: Renderer, linked: Facts) -> None:
    heard = replace(linked, clinic=replace(linked.clinic, hears_replies=True))
    assert f"RIDE {'or tap' if linked.language == 'en' else 'o toque'} {PAGE}" in (
        renderer.sms("arrange-a-ride", heard).body
    )
    assert " C " in renderer.sms("day-before", heard).body
    for name in ("arrange-a-ride", "day-before"):
        unheard = renderer.sms(name, linked).body
        assert " RIDE" not in unheard
        assert " C " not in unheard


@pytest.mark.parametrize("name", NAMES)
def test_the_emails_that_ask_for_an_answer_have_a_button_to_their_page(
    renderer: Renderer, linked: Facts, name: str
) -> None:
    email = renderer.email(name, linked)
    assert (f'class="button" href="{PAGE}"' in email.html) == (name in LINKED_EMAILS)
    assert (f": {PAGE}\n" in email.text) == (name in LINKED_EMAILS)
    without = renderer.email(name, replace(linked, page_url=None))
    assert 'class="button"' not in without.html
    assert "\n\n\n" not in without.text


def test_a_text_that_is_long_goes_without_its_link(renderer: Renderer, linked: Facts) -> None:
    for long in (
        replace(linked, page_url=example_page(f"https://{'a' * 60}.example.com")),
        replace(linked, clinic=replace(linked.clinic, public_name="Riverside Care " * 5)),
    ):
        body = renderer.sms("day-before", long).body
        assert "http" not in body
        assert body == renderer.sms("day-before", replace(long, page_url=None)).body


def test_a_message_that_needs_its_link_is_an_error_since_there_may_be_none(
    own: ContentDir, change: Callable[..., object]
) -> None:
    change("messages/day-before/en.md", ("{% if links.page %} {{ invite(", "{% if 1 %} {{ invite("))
    (found,) = check(own).errors
    assert str(found).startswith("messages/day-before/en.md:9:")
    assert "what stands here is not a word" in found.what


def test_a_link_for_which_a_text_has_no_room_is_a_warning(content: ContentDir) -> None:
    public_url = f"https://{'a' * 60}.example.com"
    found = {
        problem.path.split("messages/")[1].split("/")[0]
        for problem in check(content, SAMPLE, public_url).problems
        if "no room for the link" in problem.what
    }
    assert {"day-before", "arrange-a-ride"} <= found <= LINKED_TEXTS


@pytest.mark.parametrize("field", ["subject", "title"])
def test_no_subject_and_no_heading_can_hold_a_link(
    own: ContentDir, message: Callable[..., Renderer], field: str
) -> None:
    message(**{field: "See {{ links.page }}"})
    assert any('nothing is called "links.page"' in each.what for each in check(own).errors)
