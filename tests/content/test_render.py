"""Messages made from templates and the facts of one patient."""

# ruff: noqa: E501  a row of a table is one line

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drip.content.problems import BrokenContent
from drip.content.render import Renderer
from drip.content.schedule_file import load_schedule
from drip.content.sources import ContentDir, content_dir
from drip.content.templates import MessageTemplate
from drip.content.values import Facts
from drip.content.variables import FIELDS
from drip.core.outgoing import EmailContent
from drip.core.sms import measure

Message = Callable[..., Renderer]
ROUTES = ("", "iv", "im", "nasal", "oral")
NAMES = sorted(content_dir().messages())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("route", ROUTES)
def test_every_message_is_made_for_every_route(
    renderer: Renderer, facts: Facts, name: str, language: str, route: str
) -> None:
    someone = replace(facts, language=language, route=route)
    sms, email = renderer.sms(name, someone), renderer.email(name, someone)
    assert 1 <= measure(sms.body).count <= 2
    assert "\n" not in sms.body
    assert sms.body.startswith("River Clinic: ")
    assert someone.first_name not in sms.body
    assert email.subject
    assert email.from_name == "River Clinic"
    assert email.reply_to == "care@river.example.com"
    for part in (email.text, email.html):
        assert "Ana" in part
        assert "1 River Street, New York, NY 10001" in part
        assert "{{" not in part
        assert "{%" not in part


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("hears", [False, True])
def test_every_text_says_the_clinics_number_once(
    renderer: Renderer, facts: Facts, name: str, language: str, plain: bool, hears: bool
) -> None:
    clinic = replace(facts.clinic, hears_replies=hears)
    someone = replace(facts, language=language, plain_wording=plain, clinic=clinic)
    assert renderer.sms(name, someone).body.count("(212) 555-0100") == 1


def test_the_plain_wording_is_for_those_who_chose_it(message: Message, facts: Facts) -> None:
    renderer = message(sms="A visit.", sms_plain="A ketamine session.")
    assert renderer.sms("note", facts).body == "A visit."
    assert renderer.sms("note", replace(facts, plain_wording=True)).body == "A ketamine session."


def test_the_discreet_wording_stands_in_where_there_is_no_plain_one(
    message: Message, facts: Facts
) -> None:
    renderer = message(sms="A visit.")
    assert renderer.sms("note", replace(facts, plain_wording=True)).body == "A visit."


@pytest.mark.parametrize(
    ("hears", "said"),
    [(True, "Reply RIDE when it is set."), (False, "We cannot read replies. Call (212) 555-0100.")],
)
def test_an_invitation_to_reply_stands_only_where_replies_are_heard(
    message: Message, facts: Facts, hears: bool, said: str
) -> None:
    renderer = message(
        '{{ invite("Reply RIDE when it is set.") }}',
        sms='{{ invite("Reply RIDE when it is set.") }}',
    )
    someone = replace(facts, clinic=replace(facts.clinic, hears_replies=hears))
    assert renderer.sms("note", someone).body == said
    assert said in renderer.email_text("note", someone)


def test_what_stands_in_where_replies_are_not_heard_may_be_said_otherwise(
    message: Message, facts: Facts
) -> None:
    renderer = message(sms='Ride set? {{ invite("Reply RIDE.", "Call us.") }}')
    heard = replace(facts, clinic=replace(facts.clinic, hears_replies=True))
    assert renderer.sms("note", heard).body == "Ride set? Reply RIDE."
    assert renderer.sms("note", facts).body == "Ride set? Call us."


def test_the_clinics_own_instructions_come_before_the_defaults(
    message: Message, facts: Facts
) -> None:
    renderer = message("{{ clinic.food }}\n\n{{ clinic.driving_short }}")
    own = replace(facts.clinic, instructions={"en": {"food": "Eat nothing after 6 AM."}})
    text = renderer.email_text("note", replace(facts, clinic=own))
    assert "Eat nothing after 6 AM." in text
    assert "Do not drive until your care team says you can." in text
    assert "Follow the plan your care team gave you about food." in renderer.email_text(
        "note", facts
    )


def test_when_the_visit_is_follows_the_moment_of_sending(message: Message, facts: Facts) -> None:
    renderer = message(sms="{{ session.when }} {{ session.at }}")
    assert renderer.sms("note", facts).body == "Thursday, December 10 at 9:00 AM"
    later = replace(facts, now=facts.session_at - timedelta(hours=2))
    assert renderer.sms("note", later).body == "today, Thursday, December 10 at 9:00 AM"


def test_typographic_characters_of_a_text_get_plain_twins(message: Message, facts: Facts) -> None:
    renderer = message(sms="It’s “here” – now… ok")
    assert renderer.sms("note", facts).body == 'It\'s "here" - now... ok'


def test_a_test_is_marked_in_subject_and_text(renderer: Renderer, facts: Facts) -> None:
    spanish = replace(facts, language="es")
    assert renderer.sms("welcome", facts, test=True).body.startswith("TEST: River Clinic")
    assert renderer.email("welcome", facts, test=True).subject.startswith("TEST: ")
    assert renderer.sms("welcome", spanish, test=True).body.startswith("PRUEBA: River Clinic")


def test_a_short_notice_welcome_ends_with_what_was_left_out(
    renderer: Renderer, facts: Facts
) -> None:
    skipped = ("what-is-ketamine", "kinds-of-treatment")
    text = renderer.email_text("welcome", replace(facts, skipped=skipped, route="nasal"))
    first, second = text.index("What ketamine is\n"), text.index("How ketamine is given\n")
    assert first < second
    assert "a nose spray with esketamine" in text
    assert "What ketamine is\n" not in renderer.email_text("welcome", facts)


def test_every_education_message_before_the_session_can_be_put_in_short(
    renderer: Renderer, content: ContentDir
) -> None:
    steps = load_schedule(content, "ketamine-first-session").steps
    early = [s for s in steps if s.when.days < 0 or s.when.anchor == "booking"]
    education = [step.message for step in early if not step.essential]
    assert len(education) == 5
    for name in education:
        for language in ("en", "es"):
            assert renderer.message(name, language).front.in_short


@pytest.mark.parametrize(
    ("name", "method"),
    [("welcome", "PUBLISH"), ("rescheduled", "PUBLISH"), ("cancelled", "CANCEL")],
)
def test_some_emails_carry_the_calendar_file(
    renderer: Renderer, facts: Facts, name: str, method: str
) -> None:
    calendar = renderer.email(name, facts).calendar
    assert calendar is not None
    assert calendar.method == method
    assert renderer.email("check-in", facts).calendar is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("Hello.\n\nHi {{ patient.firstname }}.", '9:15: nothing is called "firstname" here'),
        ("Hi {{ pacient.first_name }}.", '7:7: nothing is called "pacient" here'),
        ("{% if session.rute %}x{% endif %}", '7:15: nothing is called "rute" here'),
        ("Hi.\n{% if session.route %}", "8:1: this is not a template: Unexpected end of template"),
        ("Hi {{ patient.first_name | shout }}.", "7:4: this is not a template: No filter named 'shout'"),
        ("Hi {{ }}.", "7:4: this is not a template: Expected an expression"),
        ("Hi {{ session }}.", "7:4: this template does not work: what stands here is not a word"),
        ("Hi {{ session.route }}.", "7:4: this template does not work: a value here is blank"),
        ("{% if session.route %}Hello{% endif %}", "7:1: this comes out empty"),
        ("{{ ().__class__ }}", "7:1: this template does not work: access to attribute '__class__'"),
        ("{{ clinic.name }}", '7:11: nothing is called "name" here'),
        ("{{ 'x' * 9999999999 }}", "7:1: this template does not work: a message does not count: * is"),
        ("{% include 'x' %}", "7:1: this template does not work: no loader"),
    ],
)  # fmt: skip
def test_a_template_that_does_not_work_is_told_with_its_place(
    message: Message, facts: Facts, body: str, told: str
) -> None:
    with pytest.raises(BrokenContent) as caught:
        message(body).email("note", facts)
    assert str(caught.value).startswith(f"messages/note/en.md:{told}")


def test_a_mistake_in_the_front_matter_is_told_where_it_stands(
    message: Message, facts: Facts
) -> None:
    renderer = message(sms="River Clinic: {{ session.dat }}")
    with pytest.raises(BrokenContent) as caught:
        renderer.sms("note", facts)
    assert str(caught.value).startswith('messages/note/en.md:5:32: nothing is called "dat" here')


def test_a_mistake_in_a_block_of_the_front_matter_is_told_on_its_own_line(
    message: Message, facts: Facts
) -> None:
    front = "subject: s\nsources: [x]\nsms: t\ntitle: A\nin_short: |\n  One.\n  Two {{ x.y }}.\n"
    renderer = message("Hi.\n", front)
    with pytest.raises(BrokenContent) as caught:
        renderer.in_short(renderer.message("note", "en"), facts)
    assert str(caught.value).startswith('messages/note/en.md:8:10: nothing is called "x" here')


def test_blanks_are_filled_without_compiling_just_as_jinja_fills_them(
    renderer: Renderer, facts: Facts, content: ContentDir
) -> None:
    compared = 0
    for name in content.messages():
        message = renderer.message(name, "en")
        for field in FIELDS:
            if message.text_of(field) is None:
                continue
            template = MessageTemplate(message, field)
            values = renderer._values_of(facts).of_line(facts)
            if "_compiled" not in template.__dict__ and "crisis" not in str(message.text_of(field)):
                quick = template.render(values)
                assert template._compiled.render(values).rstrip("\n") == quick.rstrip("\n")
                compared += 1
    assert compared > 20


NAMES_OF_PEOPLE = st.one_of(
    st.text(min_size=1, max_size=40).filter(lambda name: name.isprintable() and name.strip()),
    st.sampled_from(
        [
            "<b>Ana</b>",
            "[Ana](https://example.com)",
            "# Ana",
            "1. Ana",
            "{{ clinic.phone }}",
            "{% raw %}",
            "Ana\nBcc: eve@example.com",
            "Ana\r\n\r\n- one",
            "`Ana`",
            "&amp;",
            "عائشة",
            "Nguyễn",
            "李小龍",
            "O'Brien-Smith, Jr.",
            "Ana</p><img src=x onerror=alert(1)>",
        ]
    ),
)


@given(NAMES_OF_PEOPLE)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_name_adds_no_markup_link_line_or_code(
    facts: Facts, renderer: Renderer, name: str
) -> None:
    usual, odd = _emails(renderer, facts, name)
    assert _tags(odd.html) == _tags(usual.html)
    assert odd.text.count("\n") == usual.text.count("\n")
    assert len(odd.subject.splitlines()) == 1
    assert "{{ clinic.phone }}" not in odd.text or "{{ clinic.phone }}" in name


def _emails(renderer: Renderer, facts: Facts, name: str) -> tuple[EmailContent, EmailContent]:
    return (
        renderer.email("arrange-a-ride", facts),
        renderer.email("arrange-a-ride", replace(facts, first_name=name)),
    )


def _tags(html: str) -> list[str]:
    from html.parser import HTMLParser

    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found.append(f"{tag} {attrs}")

    tags = Tags()
    tags.feed(html)
    return tags.found
