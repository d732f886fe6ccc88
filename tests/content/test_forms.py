"""An email made from a form is, to the byte, the one that is made from the beginning."""

import sys
import unicodedata
from collections.abc import Callable, Hashable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drip.content.forms import FIRST_NAME, Form, Forms, StandIn
from drip.content.render import Renderer
from drip.content.sources import ContentDir, content_dir
from drip.content.values import Facts
from drip.core.clinic import Clinic
from drip.core.outgoing import EmailContent
from tests.content.conftest import FRONT, Write

NAMES = sorted(content_dir().messages())
ODD = [
    "*Ana* <b>",
    "[x](http://y)",
    "<http://y>",
    "\ue000\uf8ff\U000f0000",
    "\ufdd0\ufdd1",
    "{{ patient }}",
    "Ana\n\n# Bea",
    "1",
    "1.",
    "AM",
    "5 AM",
    "amp",
    "(212) 555-0100",
    "212 555 0100",
    "J. R.",
    "Ana.",
    "_a_",
    "a_b",
    "`c`",
    "\\",
    "&lt;",
    '"Q"',
    "O'Brien",
    "D’Arcy-Smith, Jr.",
    "a\u00a0b",
    "x\u0301",
    "\u0301x",
    "مریم\u200cسادات",
    "李小龍",
    "अनिता",
    "😀",
]
SCRIPTS = st.text(st.characters(codec="utf-8", categories=("L", "M", "N")), min_size=1, max_size=20)
PEOPLE = st.one_of(SCRIPTS, st.text(min_size=1, max_size=20), st.sampled_from(ODD)).filter(
    lambda name: name.isprintable() and name.strip() != ""
)


class _None(Forms):
    def get(self, key: Hashable, make: Callable[[], Form | None]) -> Form | None:
        return None


@pytest.fixture(scope="module")
def plain() -> Renderer:
    """A renderer that makes each email from the beginning."""
    return without_forms(Renderer(content_dir()))


def without_forms(renderer: Renderer) -> Renderer:
    renderer._forms = _None()
    return renderer


def thrice(renderer: Renderer, name: str, facts: Facts) -> list[EmailContent | str]:
    """The same email three times: the last ones from a form of it, where there is one."""
    return [made_by(renderer, name, facts) for _ in range(3)]


def made_by(renderer: Renderer, name: str, facts: Facts) -> EmailContent | str:
    try:
        return renderer.email(name, facts)
    except Exception as error:  # noqa: BLE001  both fail in the same words
        return str(error)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_message_is_the_same_for_all_routes_times_and_clinics(
    renderer: Renderer, plain: Renderer, facts: Facts, name: str, language: str
) -> None:
    clinic = replace(
        facts.clinic,
        public_name='O\'Neil & Söns <"Care">',
        instructions={language: {"food": "No *food* at 9:00 AM & <b>.", "driving": "[No](x)."}},
        hears_replies=not facts.clinic.hears_replies,
    )
    for route in ("", "iv", "im", "nasal", "oral"):
        for clinic_now in (facts.clinic, clinic):
            for days in (0, 1, 3):
                now = facts.session_at - timedelta(days=days, hours=1)
                someone = replace(facts, language=language, route=route, clinic=clinic_now, now=now)
                assert thrice(renderer, name, someone) == thrice(plain, name, someone)
                assert thrice(
                    renderer, name, replace(someone, first_name="Zoë-Ann J. R.")
                ) == thrice(plain, name, replace(someone, first_name="Zoë-Ann J. R."))


@given(
    person=PEOPLE,
    name=st.sampled_from(NAMES),
    language=st.sampled_from(["en", "es"]),
    skipped=st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
    hours=st.integers(1, 200),
    url=st.sampled_from([None, "https://example.com/stop?a=1&b='2'", "https://example.com/u/A_.-"]),
    choose=st.sampled_from([None, "https://example.com/p/B", "https://example.com/p?<b>\ufddb"]),
    page=st.sampled_from(
        [None, "https://example.com/v/AQ.B_-g", "https://example.com/v?a=(*b*)&c=<d>\ufdda"]
    ),
)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_name_stands_in_the_email_as_if_there_were_no_forms(
    renderer: Renderer,
    plain: Renderer,
    facts: Facts,
    person: str,
    name: str,
    language: str,
    skipped: list[str],
    hours: int,
    url: str | None,
    choose: str | None,
    page: str | None,
) -> None:
    someone = replace(
        facts,
        first_name=person,
        language=language,
        skipped=tuple(skipped),
        now=facts.session_at - timedelta(hours=hours),
        unsubscribe_url=url,
        preferences_url=choose,
        page_url=page,
    )
    assert thrice(renderer, name, someone) == thrice(plain, name, someone)


def own_links(person: str) -> dict[str, Any]:
    """Links that no other patient has."""
    return {
        "unsubscribe_url": f"https://drip.example.com/u/{person}",
        "preferences_url": f"https://drip.example.com/p/{person}",
        "page_url": f"https://drip.example.com/v/{person}",
    }


BODIES = [
    "`{{ patient.first_name }}`\n",
    "    {{ patient.first_name }}\n",
    "```{{ patient.first_name }}\nx\n```\n",
    "[{{ patient.first_name }}](https://example.com/{{ patient.first_name }})\n",
    "[{{ patient.first_name }}]({{ links.page }})\n",
    "[Look]({{ links.page }}?{{ patient.first_name }}) {{ links.page }}\n",
    "See [here]({{ links.page }}) or <{{ links.page }}>: {{ links.page }}\n",
    "[{{ patient.first_name }}]\n\n[ana]: https://example.com\n",
    "![{{ patient.first_name }}](x)\n",
    "<{{ patient.first_name }}:x> <{{ patient.first_name }}@example.com>\n",
    "&{{ patient.first_name }}; &#{{ patient.first_name }};\n",
    "{{ patient.first_name }}. One\n",
    "{{ patient.first_name }}\n===\n",
    "a**{{ patient.first_name }}**b _{{ patient.first_name }}_ *x{{ patient.first_name }}*\n",
    "9 {{ patient.first_name }} 9 AM{{ patient.first_name }} {{ patient.first_name }} PM\n",
    "{{ session.time }} {{ session.date }} AM, {{ session.at }}{{ patient.first_name }}\n",
    "{{ patient.first_name|upper }} {{ patient.first_name ~ '!' }} {{ patient.first_name|trim }}\n",
    "{% if patient.first_name == 'Ana' %}A{% else %}{{ patient.first_name }}{% endif %}\n",
    "{% set x %}{{ patient.first_name }}{% endset %}{{ x }} {{ x|length }}\n",
    "{% filter upper %}{{ patient.first_name }}{% endfilter %}\n",
    "{% macro m() %}{{ patient.first_name }}{% endmacro %}{{ m()|upper }}\n",
    "{% block b %}{{ patient.first_name }}{% endblock %}{{ self.b()|length }}\n",
    "{% for x in [patient.first_name] %}{{ x }} {{ loop.index }}{% endfor %}\n",
    "{% for x in patient.first_name %}{{ x }}-{% endfor %}\n",
    "\ufdd0 {{ patient.first_name }} \ufdd2\n",
    "\ufdd0 Hi.\n",
    "\ufddc Hi.\n",
    "\ufdde Hi.\n",
    "{{ patient.first_name._mark }} {{ patient.first_name._shown }}\n",
]


@pytest.mark.parametrize("body", BODIES)
def test_a_template_may_do_with_a_name_what_it_likes(
    message: Callable[..., Renderer], own: ContentDir, facts: Facts, body: str
) -> None:
    quick = message(body=body)
    plain = without_forms(Renderer(own))
    for person in ("Ana", "Bea", "José", *ODD):
        assert thrice(quick, "note", replace(facts, first_name=person)) == thrice(
            plain, "note", replace(facts, first_name=person)
        )


LAYOUTS = [
    "<title>{{ frame.subject }}</title><p>{{ phones(body) }}</p>",
    "<title>{{ frame.subject|upper }}</title><p>{{ body }}</p>",
    "<p title='{{ frame.subject }}'>{{ body }}</p><b title='{{ frame.subject }}'>x</b>",
    "{% if 'Ana' in body %}A{% endif %}{{ body }}",
    "{% if frame.subject == 'Bea' %}B{% endif %}{{ body }}",
    "{{ body }}{{ body }}",
    "{{ body|length }}",
    "{{ body|replace('Ana', 'X') }}",
    "{% set b = body %}{{ b|length }}",
    "{% set f = frame %}{{ f.subject|length }}{{ body }}",
    "{% for word in frame %}{{ word|length }}{% endfor %}{{ body }}",
    "{% filter upper %}{{ body }}{% endfilter %}",
    "{{ phones(frame.subject) }}{{ body }}",
    "{% if frame.stop_url %}<a href='{{ frame.stop_url }}'>x</a>{% endif %}{{ body }}",
    "{% if frame.stop_url|length > 40 %}long{% endif %}{{ body }}",
    "{% if 'Bea' in frame.preferences_url %}B{% endif %}{{ body }}",
    "{{ 'B' if frame.stop_url.endswith('Bea') else 'A' }}{{ body }}",
    "{{ frame.stop_url|upper }} {{ frame.preferences_url|urlencode }}{{ body }}",
    "{{ phones(frame.stop_url) }}{{ body }}",
    "\ufdd0{{ body }}",
    "\ufddb{{ body }}",
    "\ufddc{{ body }}",
    "\ufddd{{ body }}",
    "\ufdde{{ body }}",
    "nothing",
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_may_do_with_the_words_what_it_likes(
    message: Callable[..., Renderer], write: Write, own: ContentDir, facts: Facts, layout: str
) -> None:
    write("messages/_layout/email.html.jinja", f"<html><body>{layout}</body></html>")
    front = FRONT.replace("About your visit", "'{{ patient.first_name }}'")
    quick = message(body="Hi {{ patient.first_name }}, {{ session.at }}.\n", front=front)
    plain = without_forms(Renderer(own))
    for person in ("Ana", "Bea", "Benjamin", *ODD):
        links = own_links(person) if person.isalpha() else {}
        assert thrice(quick, "note", replace(facts, first_name=person, **links)) == thrice(
            plain, "note", replace(facts, first_name=person, **links)
        )


@pytest.mark.parametrize(
    ("name", "linked"),
    [("welcome", ("unsubscribe", "preferences")), ("day-before", ("page", "unsubscribe"))],
)
def test_the_third_patient_needs_no_markdown_and_no_layout(
    facts: Facts, monkeypatch: pytest.MonkeyPatch, name: str, linked: tuple[str, ...]
) -> None:
    renderer = Renderer(content_dir())
    for person in ("Ana", "Bea"):
        renderer.email(name, replace(facts, first_name=person, **own_links(person)))
    for part in ("render.Document", "layout.Document", "layout.Layout._page"):
        monkeypatch.delattr(f"drip.content.{part}")
    later = facts.session_at + timedelta(days=8, hours=3)
    chloe = replace(facts, first_name="Chloé", session_at=later, **own_links("Chloe"))
    email = renderer.email(name, chloe)
    for link in (own_links("Chloe")[f"{each}_url"] for each in linked):
        assert f'href="{link}"' in email.html
        assert link in email.text
    assert "Hi Chloé,\n" in email.text
    assert "12:00&nbsp;PM" in email.html


def test_two_clinics_never_share_a_form(facts: Facts, clinic: Clinic) -> None:
    renderer = Renderer(content_dir())
    other: dict[str, Any] = {"public_name": "Lake Clinic", "address": "2 Lake Street"}
    for _ in range(3):
        mine = renderer.email("check-in", facts)
        yours = renderer.email("check-in", replace(facts, clinic=replace(clinic, **other)))
        assert "Lake Clinic" not in mine.html + mine.text
        assert "River Clinic" not in yours.html + yours.text


def test_a_value_with_a_stand_in_is_itself_to_all_but_the_printer() -> None:
    value = StandIn.of(FIRST_NAME, "Ana")
    assert isinstance(value, StandIn)
    assert (value, str(value), value.upper()) == ("Ana", "Ana", "ANA")
    assert hash(value) == hash("Ana")


@pytest.mark.parametrize("person", [name for name in ODD if not name[0].isalnum()] + ["1", "a & b"])
def test_a_value_that_markdown_or_html_might_read_otherwise_has_no_stand_in(person: str) -> None:
    assert not isinstance(StandIn.of(FIRST_NAME, person), StandIn)


def test_nothing_that_counts_as_a_letter_here_is_a_sign_to_markdown() -> None:
    letters = filter(str.isalnum, map(chr, range(sys.maxunicode)))
    assert not [c for c in letters if unicodedata.category(c)[0] in "PSZC"]


def test_forms_are_made_for_what_comes_again_and_are_not_kept_without_end() -> None:
    forms, made = Forms(), []

    def make() -> Form | None:
        made.append(1)
        return Form([""], [""], [""], [""])

    assert forms.get("a", make) is None
    assert not made
    first = forms.get("a", make)
    assert first is not None
    assert forms.get("a", make) is first
    for n in range(2_000):
        forms.get(n, make)
        forms.get(n, make)
    assert len(forms._forms) <= 1_000
