"""The fields of a booking: names in many scripts, phones by country, addresses, consents."""

import pytest

from drip.core.schedule import Channel
from drip.errors import InvalidInput
from drip.intake.booking import (
    Defaults,
    Given,
    read_booking,
    read_email,
    read_name,
    read_phone,
)

FIELDS = {"name": "Ana Diaz", "email": "ana@example.com", "session": "2026-12-10T09:00"}


@pytest.mark.parametrize(
    "name",
    [
        "José Ramírez",
        "O'Brien",
        "D’Arcy-Müller",
        "Martin Luther King, Jr.",
        "J. R. Smith",
        "J.R. Smith",
        "王小明",
        "สมชาย ใจดี",
        "अमित शर्मा",
        "محمد علي",
        "Ναταλία",
        "Đặng Thị Hoa",
        "क\u094dष",
        "علی\u200cرضا",  # a joiner that is part of how the name is written
    ],
)
def test_a_name_in_any_script_is_kept_as_it_is(name: str) -> None:
    assert read_name(name) == name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  Ana \u00a0 Diaz ", "Ana Diaz"),
        ("Ana Diaz\n", "Ana Diaz"),
        ("Zoe\u0308", "Zoë"),
        ("\ufeffAna", "Ana"),
        ("Ana\u200bDiaz", "AnaDiaz"),
        ("محمد\u200f", "محمد"),
        ("Ana \u202eDiaz", "Ana Diaz"),
        ("St.John", "St. John"),
        ("bit.ly", "bit. ly"),
        ("evil.com Diaz", "evil. com Diaz"),
    ],
)
def test_a_name_loses_what_is_not_seen_and_what_would_make_a_link_of_it(
    given: str, kept: str
) -> None:
    assert read_name(given) == kept


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "missing"),
        ("\u200b", "missing"),
        ("123", "no letter"),
        ("😀", "no letter"),
        ("Ana\nDiaz", "line break"),
        ("Ana\u2028Diaz", "line break"),
        ("Ana\udcff", "control character"),
        ("<b>Ana</b>", "'<'"),
        ("{{ Ana }}", "'{'"),
        ("[Ana](x)", "'['"),
        ("http:Ana", "'http:'"),
        ("www.evil", "'www.'"),
        ("ana@example.com", "'@'"),
        ("a" * 81, "80 characters"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(name: str, said: str) -> None:
    with pytest.raises(InvalidInput, match="name") as refused:
        read_name(name)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "country", "e164"),
    [
        ("+1 212 555 0100", "US", "+12125550100"),
        ("(212) 555-0100", "US", "+12125550100"),
        ("1.212.555.0100", "US", "+12125550100"),
        ("Cell: 212-555-0100", "US", "+12125550100"),
        ("٢١٢٥٥٥٠١٠٠", "US", "+12125550100"),
        ("+44 20 7946 0018", "US", "+442079460018"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("+1 212 555 0100", "GB", "+12125550100"),
        ("0011 1 212 555 0100", "AU", "+12125550100"),
        ("+52 55 1234 5678", "US", "+525512345678"),
    ],
)
def test_a_phone_is_read_with_the_clinics_country(text: str, country: str, e164: str) -> None:
    assert read_phone(text, country) == e164


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("abc", "is not a phone number"),
        ("12", "is not a whole phone number"),
        ("911", "is not a whole phone number"),
        ("555 0100", "is not a whole phone number"),
        ("+1 012 555 0100", "is not a whole phone number"),
        ("+1 212 155 0100", "is not a whole phone number"),
        ("020 7946 0018", "is not a whole phone number"),
        ("+999 123456789", "is not a phone number"),
        ("+1 212 555 0100 x12", "has an extension"),
        ("+1 212 555 0100, +1 212 555 0101", "is not a phone number"),
        ("1" * 300, "'..."),
    ],
)
def test_what_no_text_can_reach_is_no_phone(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_phone(text, "US")
    assert said.strip("'") in str(refused.value)
    assert len(str(refused.value)) < 160


def test_the_way_out_is_a_number_of_the_clinics_country() -> None:
    with pytest.raises(InvalidInput, match=r"write it like \+44 "):
        read_phone("12", "GB")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ana@example.com", "ana@example.com"),
        ("Ana.Diaz@Example.COM", "ana.diaz@example.com"),
        ("ana+visit@example.com", "ana+visit@example.com"),
    ],
)
def test_an_email_is_kept_in_small_letters_so_that_a_stop_finds_it(text: str, kept: str) -> None:
    assert read_email(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "ana",
        "ana@",
        "@example.com",
        "ana@localhost",
        "ana@example..com",
        "ana diaz@example.com",
        "Ana <ana@example.com>",
        "ana@example.com\nBcc: ben@example.com",
        "ana@example.com,ben@example.com",
        "ana@\u202eexample.com",
        "mailto:ana@example.com",
        f"{'a' * 65}@example.com",
    ],
)
def test_what_is_no_email_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not an address") as refused:
        read_email(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("consent", "channels"),
    [
        ("", []),
        ("none", []),
        ("No", []),
        ("sms", [Channel.SMS]),
        ("SMS, Email", [Channel.SMS, Channel.EMAIL]),
        ("email;sms;email", [Channel.EMAIL, Channel.SMS]),
        ("sms+email", [Channel.SMS, Channel.EMAIL]),
    ],
)
def test_consents_are_read_for_each_channel(
    consent: str, channels: list[Channel], defaults: Defaults
) -> None:
    booking = read_booking({**FIELDS, "consent": consent, "consent_how": "Paper"}, defaults)
    assert booking.consents == tuple(Given(channel, "paper", "Kim") for channel in channels)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"consent": "fax", "consent_how": "paper"}, "one of sms, email"),
        ({"consent": "sms"}, "how the consent was given"),
        ({"consent": "sms", "consent_how": "telepathy"}, "one of paper, web, verbal, keyword"),
        ({"email": ""}, "neither a phone nor an email"),
        ({"session": ""}, "session is missing"),
        ({"language": "fr"}, "one of en, es"),
        ({"route": "iw"}, "one of iv, im, nasal, oral"),
        ({"wording": "loud"}, "one of discreet, plain"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"ref": "R\n1"}, "one line"),
        ({"ref": "R" * 201}, "at most 200"),
    ],
)
def test_each_field_that_is_wrong_is_named(
    changes: dict[str, str], said: str, defaults: Defaults
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_booking({**FIELDS, **changes}, defaults)
    assert said in str(refused.value)


def test_a_session_is_on_the_clinics_clock_and_case_does_not_matter(british: Defaults) -> None:
    booking = read_booking(
        {**FIELDS, "language": "ES", "route": "IV", "wording": "Plain", "phone": "020 7946 0018"},
        british,
    )
    assert booking.session_at.isoformat() == "2026-12-10T09:00:00+00:00"
    assert (booking.language, booking.route, booking.wording) == ("es", "iv", "plain")
    assert booking.phone == "+442079460018"
