"""Patients' pages in a real browser: by keyboard, large, narrow, dark, spoken, without scripts."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize

from drip.content.language_file import load_language
from drip.content.sources import content_dir
from drip.content.wording import beginnings
from drip.core.links import Purpose
from drip.services.bookings.changing import cancel, reschedule
from drip.store.engine import open_engine
from drip.store.migrate import upgrade
from tests.e2e.chromium import LEFT_OUT, WHY, chromium
from tests.services.desk import DAY, NOW, at
from tests.web.pages_house import House, pages_house

pytestmark = pytest.mark.skipif(LEFT_OUT, reason=WHY)

Scheme = Literal["light", "dark"]
PHONE: ViewportSize = {"width": 390, "height": 844}
NARROW: ViewportSize = {"width": 320, "height": 640}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for all tests here: each enrols a patient of its own."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('browser') / 'drip.db'}")
    upgrade(engine)
    with pages_house(engine) as house:
        yield house
    engine.dispose()


@pytest.fixture
def house(open_house: House) -> House:
    open_house.moment.now = NOW
    return open_house


@dataclass
class Reader:
    """Somebody who reads a page, without scripts and without the rest of the internet."""

    page: Page
    asked: list[str] = field(default_factory=list)

    def tab_to(self, name: str) -> None:
        """Press Tab until the control of this name has the focus."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.innerText || ''").strip() == name:
                return
        raise AssertionError(f"the keyboard does not reach {name!r}")

    def heading(self) -> str:
        return self.page.locator("h1").inner_text()


Opened = Callable[[str], AbstractContextManager[Reader]]


@pytest.fixture(scope="module")
def reader(browser: Browser) -> Opened:
    """Open a page on a phone, without scripts."""

    @contextmanager
    def opened(url: str) -> Iterator[Reader]:
        context = browser.new_context(java_script_enabled=False)
        reader = Reader(context.new_page())
        reader.page.set_viewport_size(PHONE)

        def pass_or_block(route: Route) -> None:
            reader.asked.append(route.request.url)
            same = urlsplit(route.request.url).netloc == urlsplit(url).netloc
            route.continue_() if same else route.abort()

        context.route("**/*", pass_or_block)
        reader.page.goto(url)
        yield reader
        context.close()

    return opened


# --- Every page ---------------------------------------------------------------------------------

PAGES = [
    "message",
    "spanish",
    "short",
    "follow-up",
    "noted",
    "stopped",
    "cancelled",
    "past",
    "lost",
    "unsubscribe",
    "preferences",
]


class Shown(NamedTuple):
    """A page that is open: which one, and who reads it."""

    kind: str
    reader: Reader
    page: Page


@pytest.fixture(scope="module", params=PAGES)
def opened(request: pytest.FixtureRequest, open_house: House, reader: Opened) -> Iterator[Shown]:
    """One of the pages that there are, opened once for all tests of it."""
    kind, house = request.param, open_house
    house.moment.now = NOW
    steps = {"short": "day-of", "follow-up": "check-in"}
    language = "es" if kind == "spanish" else "en"
    enrolled = enroll(house, steps.get(kind, "day-before"), language=language)
    url = enrolled.url
    if kind == "lost":
        url = f"{house.address}/v/nothing"
    elif kind == "cancelled":
        cancel(house.desk.scope, enrolled.id, NOW)
    elif kind == "past":
        house.moment.now = at("2026-12-16 09:00")
    elif kind in ("unsubscribe", "preferences"):
        patient, purpose = house.desk.patient(enrolled.id).id, cast(Purpose, kind)
        url = house.links.url(purpose, house.desk.scope.clinic_id, patient, NOW + DAY)
    with reader(url) as found:
        if kind == "noted":
            found.page.get_by_role("button", name="Yes, I am coming").click()
        elif kind == "stopped":
            found.page.locator("summary").click()
            found.page.get_by_role("button", name="Stop the texts").click()
        found.page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        yield Shown(kind, found, found.page)


@pytest.fixture
def shown(opened: Shown) -> Shown:
    """The page as it was when it was opened: on a phone, in light colors, nothing in focus."""
    opened.page.set_viewport_size(PHONE)
    opened.page.emulate_media(color_scheme="light")
    opened.page.evaluate(
        "document.documentElement.style.fontSize = ''; document.activeElement.blur()"
    )
    return opened


class Enrolled(NamedTuple):
    """A new patient's enrollment, and the link of a page."""

    id: int
    url: str


_numbers = itertools.count(1)


def enroll(house: House, step: str = "day-before", **fields: str) -> Enrolled:
    """Enrol somebody new whose clock is not the clinic's."""
    enrolled = house.desk.enroll(next(_numbers), NOW, timezone="America/Chicago", **fields)
    id_ = enrolled.enrollment_id
    return Enrolled(id_, house.url(house.desk.row(id_, step).id))


def test_no_page_scrolls_sideways_on_a_narrow_phone_or_with_large_letters(shown: Shown) -> None:
    # A window of 640 at 200% is one of 320.
    page = shown.page
    page.set_viewport_size(NARROW)
    assert overflow(page) == []
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overflow(page) == []


def overflow(page: Page) -> list[str]:
    """What reaches over the edge of the window."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(each => each.getBoundingClientRect().right > innerWidth + 0.5)
            .map(each => each.tagName + ' ' + each.textContent.slice(0, 40))
            .concat(document.documentElement.scrollWidth > innerWidth ? ['scrolls'] : [])"""
    )
    return found


def test_a_page_asks_nothing_of_any_other_host_and_nothing_but_itself(shown: Shown) -> None:
    page = shown.page
    hosts = {urlsplit(url).netloc for url in shown.reader.asked}
    assert hosts == {urlsplit(page.url).netloc}
    assert len(shown.reader.asked) == (2 if shown.kind in ("noted", "stopped") else 1)
    assert page.context.cookies() == []


def test_title_address_and_controls_name_nothing_of_the_treatment(shown: Shown) -> None:
    page = shown.page
    seen = [
        page.title(),
        page.url,
        *page.locator("h1, button").all_inner_texts(),
    ]
    seen += page.evaluate("[...document.querySelectorAll('meta')].map(m => m.content)")
    for language in ("en", "es"):
        begin = load_language(content_dir(), language).not_discreet
        assert list(beginnings("\n".join(seen), begin)) == []


def test_a_screen_reader_finds_its_way(shown: Shown) -> None:
    page = shown.page
    assert page.locator("html").get_attribute("lang") == ("es" if shown.kind == "spanish" else "en")
    assert page.get_by_role("main").count() == 1
    banners = 0 if shown.kind == "lost" else 1
    assert page.get_by_role("banner").count() == banners
    assert page.get_by_role("contentinfo").count() == banners
    tags = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(e => e.tagName)")
    levels = [int(tag[1]) for tag in tags]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate(NAMELESS) == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


NAMELESS = """() => [...document.querySelectorAll(
        'a, button, summary, section, fieldset, select, input:not([type=hidden])')]
    .filter(each => {
        const labelled = document.getElementById(each.getAttribute('aria-labelledby'));
        const label = each.labels && each.labels.length ? each.labels[0].textContent : '';
        const legend = each.tagName === 'FIELDSET' ? each.querySelector('legend')?.textContent : '';
        const own = ['A', 'BUTTON', 'SUMMARY'].includes(each.tagName) ? each.textContent : '';
        return !(labelled?.textContent || label || legend || own || '').trim();
    })
    .map(each => each.outerHTML.slice(0, 80))"""
"""The controls and groups that a screen reader could not name."""


def test_what_is_written_can_be_told_from_its_ground(shown: Shown) -> None:
    page = shown.page
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        check_contrast(page.evaluate(COLORS), scheme)


def check_contrast(seen: dict[str, Any], scheme: Scheme) -> None:
    weak = [(text, *pair) for text, *pair in seen["words"] if contrast(*pair) < 4.5]
    assert weak == []
    edges = [(text, *pair) for text, *pair in seen["edges"] if contrast(*pair) < 3]
    assert edges == []
    grounds = [luminance(ground) for _, _, ground in seen["words"]]
    assert (min(grounds) < 0.05) if scheme == "dark" else (max(grounds) > 0.8)


COLORS = """() => {
    const rgb = text => (text.match(/[0-9.]+/g) || []).map(Number);
    const ground = each => {
        for (let at = each; at; at = at.parentElement) {
            const color = rgb(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] > 0) return color.slice(0, 3);
        }
        return [255, 255, 255];
    };
    const own = each => [...each.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const pair = (each, color, behind) =>
        [each.textContent.trim().slice(0, 30), rgb(color).slice(0, 3), ground(behind)];
    const words = [...document.querySelectorAll('body *')].filter(own).map(
        each => pair(each, getComputedStyle(each).color, each));
    const edges = [...document.querySelectorAll('.button')].map(
        each => pair(each, getComputedStyle(each).borderTopColor, each.parentElement));
    return {words, edges};
}"""
"""The color of every text and of every button's edge, with the ground behind it."""


def luminance(color: list[float]) -> float:
    """The relative luminance of an sRGB color (WCAG 2)."""
    parts = [part / 255 for part in color]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    """The contrast ratio of two colors (WCAG 2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_thumb_hits_what_is_to_be_pressed(shown: Shown) -> None:
    page = shown.page
    for each in page.locator(".button, summary, .choice").all():
        box = each.bounding_box()
        assert box is not None
        assert box["height"] >= 44, each.inner_text()
        assert box["width"] >= 44, each.inner_text()


def test_who_uses_the_keyboard_sees_where_they_are(shown: Shown) -> None:
    page = shown.page
    seen = 0
    wanted = page.locator("a, button, summary, input:not([type=hidden])").count()
    for _ in range(wanted):
        page.keyboard.press("Tab")
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            focus = page.evaluate(FOCUS)
            if focus is not None:
                assert focus["style"] != "none", focus
                assert focus["width"] >= 2, focus
                assert contrast(focus["color"], focus["ground"]) >= 3, focus
        seen += focus is not None
    # A group of radio buttons is one stop.
    radios = page.locator("input[type=radio]").count()
    assert seen >= wanted - radios


FOCUS = """() => {
    const at = document.activeElement;
    if (at === document.body) return null;
    const style = getComputedStyle(at), rgb = text => text.match(/[0-9.]+/g).map(Number);
    let behind = at.parentElement, ground = [0, 0, 0, 0];
    for (; behind; behind = behind.parentElement) {
        ground = rgb(getComputedStyle(behind).backgroundColor);
        if (ground.length === 3 || ground[3] > 0) break;
    }
    return {text: at.innerText, style: style.outlineStyle, width: parseFloat(style.outlineWidth),
            color: rgb(style.outlineColor).slice(0, 3), ground: ground.slice(0, 3)};
}"""
"""How the control that has the focus is marked, and on what ground."""


# --- What a patient does --------------------------------------------------------------------------


def test_the_keyboard_alone_confirms_the_visit(house: House, reader: Opened) -> None:
    id_, url = enroll(house)
    with reader(url) as found:
        found.tab_to("Yes, I am coming")
        found.page.keyboard.press("Enter")
        found.page.wait_for_url("**/confirm")
        assert found.heading() == "Thank you"
        assert house.desk.enrollment(id_).confirmed_at == NOW
        found.tab_to("Back to the message")
        found.page.keyboard.press("Enter")
        found.page.wait_for_selector("text=You told us that you are coming.")
        assert found.page.get_by_role("button", name="Yes, I am coming").count() == 0


def test_the_keyboard_alone_says_that_the_ride_is_arranged(house: House, reader: Opened) -> None:
    id_, url = enroll(house)
    with reader(url) as found:
        found.tab_to("My ride home is arranged")
        found.page.keyboard.press("Space")
        found.page.wait_for_url("**/ride")
        assert house.desk.enrollment(id_).ride_arranged_at == NOW


def test_the_keyboard_alone_stops_the_texts(house: House, reader: Opened) -> None:
    id_, url = enroll(house)
    with reader(url) as found:
        assert not found.page.get_by_role("button", name="Stop the texts").is_visible()
        found.tab_to("Stop these texts")
        found.page.keyboard.press("Enter")
        found.tab_to("Stop the texts")
        found.page.keyboard.press("Enter")
        found.page.wait_for_url("**/stop")
        assert found.heading() == "Texts are stopped"
        texts = {how for name, how in house.desk.stands(id_).items() if name.endswith("/sms")}
        assert texts == {"cancelled stopped"}


def test_a_page_that_is_loaded_again_answers_nothing(house: House, reader: Opened) -> None:
    id_, url = enroll(house)
    with reader(url) as found:
        message = found.page.url
        found.page.goto(f"{message}/confirm")
        assert found.page.url == message
        found.page.reload()
        assert house.desk.enrollment(id_).confirmed_at is None


def test_the_visit_goes_to_the_calendar(house: House, reader: Opened) -> None:
    with reader(enroll(house).url) as found:
        with found.page.expect_download() as download:
            found.page.get_by_role("link", name="Add the visit to my calendar").click()
        assert download.value.suggested_filename == "visit.ics"


def test_the_clinic_and_the_crisis_lines_are_a_touch_away(house: House, reader: Opened) -> None:
    with reader(enroll(house).url) as found:
        for number, address in (("(212) 555-0100", "tel:+12125550100"), ("988", "tel:988")):
            link = found.page.get_by_role("link", name=number, exact=True).last
            assert link.get_attribute("href") == address


def test_a_page_from_before_a_move_confirms_nothing(house: House, reader: Opened) -> None:
    id_, url = enroll(house)
    with reader(url) as found:
        reschedule(house.desk.scope, id_, at("2026-12-18 11:00"), NOW + timedelta(minutes=1))
        found.page.get_by_role("button", name="Yes, I am coming").click()
        assert found.heading() == "Your visit has a new time"
        assert found.page.get_by_text("Friday, December 18").is_visible()
        assert house.desk.enrollment(id_).confirmed_at is None
