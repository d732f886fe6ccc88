"""An email as bytes, read back by Python's own parser."""

import binascii
import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.outgoing import CalendarFile, EmailContent, Outgoing, Rejected
from drip.errors import SettingsError
from drip.providers.mime import compose, mailbox, sender_mailbox
from tests.providers.rigs import CARE, NOW, email_to, text_to

CALENDAR = CalendarFile("PUBLISH", "BEGIN:VCALENDAR\r\nSUMMARY:Visita señalada\r\n".encode())
NAMES = [
    "River Clinic",
    "Clínica del Río",
    'Dr. "Q" \\ Sons, Inc. <x@example.com>',
    "川辺クリニック " * 8,
    "=?utf-8?q?not_a_trick?=",
    "A very long name of a clinic " * 5,
    "",
]
SUBJECTS = [
    "Who is taking you home on Friday?",
    "¿Quién le lleva a casa el viernes?",
    "다음 주 방문 안내 " * 20,
    "=?utf-8?b?bm90IGEgdHJpY2s=?=",
    "word " * 100,
    "x" * 2000,
    "",
]


def made(outgoing: Outgoing) -> bytes:
    composed = compose(outgoing, CARE, NOW)
    assert isinstance(composed, bytes)
    return composed


def parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert [part.defects for part in message.walk()] == [[] for _ in message.walk()]
    return message


def said(header: str) -> str:
    return str(make_header(decode_header(header.replace("\r\n", ""))))


def test_it_says_who_sends_to_whom_when_and_how_to_stop() -> None:
    message = parsed(made(email_to("ann@example.com", delivery_id=7)))
    assert {name: message[name] for name in set(message) if name != "Content-Type"} == {
        "From": "River Clinic <care@example.com>",
        "To": "ann@example.com",
        "Reply-To": "clinic@example.com",
        "Subject": "Your visit",
        "Date": "Tue, 01 Dec 2026 15:00:00 +0000",
        "Message-ID": "<drip-delivery-7@example.com>",
        "List-Unsubscribe": "<mailto:clinic@example.com?subject=unsubscribe>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }


LINK = "https://drip.example.com/u/AQ.Bw.AcpYiw.c2lnbmF0dXJlLXdpdGgtMjctc2lnbnM"


def linked(url: str, to: str = "ann@example.com") -> Outgoing:
    outgoing = email_to(to)
    assert isinstance(outgoing.content, EmailContent)
    return replace(outgoing, content=replace(outgoing.content, unsubscribe_url=url))


def test_one_click_unsubscribes_where_there_is_a_link_for_it() -> None:
    message = parsed(made(linked(LINK)))
    assert message["List-Unsubscribe"] == (
        f"<{LINK}>, <mailto:clinic@example.com?subject=unsubscribe>"
    )
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert made(linked(LINK)).isascii()


def test_staff_cannot_unsubscribe_themselves_or_a_patient() -> None:
    outgoing = linked(LINK)
    assert isinstance(outgoing.content, EmailContent)
    message = parsed(made(replace(outgoing, content=replace(outgoing.content, to_staff=True))))
    assert [name for name in message if name.startswith("List-")] == []
    assert message["Auto-Submitted"] == "auto-generated"


def test_one_click_is_for_https_alone() -> None:
    message = parsed(made(linked(LINK.replace("https", "http"))))
    assert "List-Unsubscribe-Post" not in message
    assert "http://drip.example.com/u/" in message["List-Unsubscribe"]


@pytest.mark.parametrize(
    "url",
    [
        "https://x.example.com/u/a\r\nBcc: eve@example.com",
        "https://x.example.com/u/a>, <https://evil.example.com",
        "https://x.example.com/u/a b",
        "https://x.example.com/ü",
        "javascript:alert(1)",
        "https://" + "x" * 2000,
        "",
    ],
)
def test_a_link_that_could_say_more_than_a_link_is_refused(url: str) -> None:
    assert compose(linked(url), CARE, NOW) == Rejected("header")


def test_the_message_id_of_an_answer_is_no_delivery_s() -> None:
    outgoing = email_to("ann@example.com", delivery_id=7)
    answer = parsed(made(replace(outgoing, kind="answer")))["Message-ID"]
    assert answer == "<drip-answer-7@example.com>"
    assert answer != parsed(made(outgoing))["Message-ID"]


def test_the_message_id_is_the_same_at_every_attempt() -> None:
    outgoing = email_to("ann@example.com", delivery_id=7)
    again = replace(outgoing, attempt_id=99)
    assert parsed(made(outgoing))["Message-ID"] == parsed(made(again))["Message-ID"]


def test_the_text_comes_before_the_html_as_alternatives() -> None:
    message = parsed(made(email_to("ann@example.com", "Plain é", html="<p>Rich ü</p>")))
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    plain, rich = message.iter_parts()
    assert plain.get_content().strip() == "Plain é"
    assert rich.get_content().strip() == "<p>Rich ü</p>"


def test_the_calendar_file_stands_beside_the_words_under_a_discreet_name() -> None:
    message = parsed(made(email_to("ann@example.com", calendar=CALENDAR)))
    assert message.get_content_type() == "multipart/mixed"
    words, calendar = message.iter_parts()
    assert words.get_content_type() == "multipart/alternative"
    assert calendar.get_content_type() == "text/calendar"
    assert calendar.get_param("method") == "PUBLISH"
    assert calendar.get_filename() == "visit.ics"
    assert calendar.is_attachment()
    assert calendar.get_payload(decode=True) == CALENDAR.data


@pytest.mark.parametrize("subject", SUBJECTS)
def test_any_subject_comes_out_as_it_went_in(subject: str) -> None:
    assert parsed(made(email_to("a@example.com", subject=subject)))["Subject"] == subject


@pytest.mark.parametrize("name", NAMES)
def test_any_name_comes_out_as_it_went_in_and_the_address_stays(name: str) -> None:
    header = message_from_bytes(made(email_to("a@example.com", from_name=name)))["From"]
    shown, address = parseaddr(header.replace("\r\n", ""))
    assert address == CARE
    assert said(shown).strip() == name.strip()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_makes_a_mail_that_any_server_takes(words: str) -> None:
    composed = compose(
        email_to("a@example.com", words, subject=words, from_name=words, html=words * 40),
        CARE,
        NOW,
    )
    if isinstance(composed, Rejected):
        assert re.search("[\u2028\u2029]", words)
        return
    assert composed.isascii()
    assert all(len(line) <= 998 for line in composed.split(b"\r\n"))
    assert b"\r" not in composed.replace(b"\r\n", b"")
    assert b"\n" not in composed.replace(b"\r\n", b"")
    body = parsed(composed).get_body(("html",))
    assert body is not None
    payload = body.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().replace("\r\n", "\n").rstrip("\n") == words * 40


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\0"])
@pytest.mark.parametrize("where", ["subject", "from_name", "reply_to"])
def test_a_line_break_in_a_header_is_refused(where: str, line_break: str) -> None:
    poisoned = email_to("a@example.com", **{where: f"x{line_break}Bcc: all@example.com"})  # type: ignore[arg-type]
    assert compose(poisoned, CARE, NOW) == Rejected("header")


@pytest.mark.parametrize(
    "address",
    [
        "a@example.com\nBcc: b@example.com",
        "a@example.com, b@example.com",
        "<a@example.com>",
        "a b@example.com",
        "a@b@example.com",
        "nobody",
        "@example.com",
        "josé@example.com",
        "a" * 300 + "@example.com",
        "a@" + "b" * 70 + ".example.com",
        "",
    ],
)
def test_what_is_not_one_mailbox_is_a_bad_address(address: str) -> None:
    assert compose(email_to(address), CARE, NOW) == Rejected("address", address_is_bad=True)


def test_a_domain_in_another_script_goes_out_in_its_ascii_form() -> None:
    assert mailbox("ann@bücher.example") == "ann@xn--bcher-kva.example"


def test_a_calendar_method_cannot_add_a_header() -> None:
    poisoned = email_to("a@example.com", calendar=CalendarFile("PUBLISH\r\nX: y", b""))
    assert compose(poisoned, CARE, NOW) == Rejected("content")


def test_a_text_is_not_an_email() -> None:
    assert compose(text_to("+12025550100"), CARE, NOW) == Rejected("content")


def test_a_sender_that_is_no_mailbox_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="DRIP_EMAIL_FROM"):
        sender_mailbox("River Clinic")


@pytest.mark.parametrize("words", ["one\ntwo", "one\r\ntwo", "one\rtwo", "one\ntwo\n\n"])
def test_lines_end_in_one_way_however_the_words_were_written(words: str) -> None:
    composed = made(email_to("a@example.com", words, html=words))
    assert composed.count(b"\r\n\r\none\r\ntwo\r\n\r\n--") == 2


@given(st.text(alphabet="aé=. \t\n\x0b\x85\u2028_", max_size=400))
def test_lines_are_quoted_one_by_one_as_the_whole_text_would_be(words: str) -> None:
    words = "plain words " * 40 + words
    content = EmailContent("s", "<p>x</p>", words, "River Clinic", CARE)
    mail = made(replace(email_to("ann@example.com"), content=content))
    whole = binascii.b2a_qp(words.rstrip("\n").encode() + b"\n", istext=True)
    assert whole.replace(b"\n", b"\r\n") in mail
