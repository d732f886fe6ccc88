"""A booking as every source of bookings gives it, and the reading of its fields."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from drip.core.schedule import Channel
from drip.errors import InvalidInput
from drip.intake.fields import (
    ROUTES,
    breaks_line,
    one_line,
    one_of,
    quoted,
    read_moment,
    read_zone,
)

Wording = Literal["discreet", "plain"]
CONSENT_HOWS = ("paper", "web", "verbal", "keyword")
"""How a consent may have been given."""

_NORTH_AMERICA = 1
_NOT_NORTH_AMERICAN = re.compile(r"\+1(?![2-9]\d\d[2-9])")
"""In North America neither an area code nor the number after it begins with 0 or 1."""

_LONGEST_NAME = 80
_UNSEEN = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""Marks that are pasted along and not seen. Joiners stay: Persian and Hindi names need them."""
_DOTTED = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})")
_NOT_IN_NAMES = re.compile(r"[<>{}\[\]|\\@#%*_`~^=+$/]|https?:|www\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Given:
    """A consent that came with a booking: which channel, how it was given, who took it."""

    channel: Channel
    how: str
    by: str


@dataclass(frozen=True, slots=True)
class Booking:
    """One patient and the date of the first session, checked and in our own terms.

    `phone` is E.164. `session_at` is aware; `session_zone` is the clock it was given on.
    `timezone` is the patient's, None for the clinic's; `wording` is what the patient chose, None
    where nothing was said. `reference` is the clinic's own id for
    the booking: the same `source` and `reference` is the same booking.
    """

    name: str
    phone: str | None
    email: str | None
    session_at: datetime
    session_zone: ZoneInfo
    schedule: str
    language: str
    timezone: str | None = None
    route: str | None = None
    wording: Wording | None = None
    consents: tuple[Given, ...] = ()
    source: str = "cli"
    reference: str | None = None
    booked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a booking takes from the clinic where it does not say: country (ISO 3166), zone,
    language, schedule; and the languages that there are messages in.
    """

    country: str
    zone: ZoneInfo
    language: str
    languages: Collection[str]
    schedule: str
    source: str
    consent_by: str


def read_booking(fields: Mapping[str, str], defaults: Defaults) -> Booking:
    """Make a booking of raw fields: name, phone, email, session, language, timezone, route,
    wording, ref, booked, consent, consent_how, schedule.

    Raises InvalidInput naming the field, what is wrong and the way out.
    """

    def given(key: str) -> str:
        return fields.get(key, "").strip()

    phone = read_phone(given("phone"), defaults.country) if given("phone") else None
    email = read_email(given("email")) if given("email") else None
    if phone is None and email is None:
        raise InvalidInput("There is neither a phone nor an email: give at least one of them.")
    booked = given("booked")
    return Booking(
        name=read_name(fields.get("name", "")),
        phone=phone,
        email=email,
        session_at=read_moment(given("session"), defaults.zone, "session"),
        session_zone=defaults.zone,
        schedule=given("schedule") or defaults.schedule,
        language=one_of(
            "language", given("language").lower() or defaults.language, defaults.languages
        ),
        timezone=read_zone(given("timezone")).key if given("timezone") else None,
        route=one_of("route", given("route").lower(), ROUTES) if given("route") else None,
        wording=_read_wording(given("wording")) if given("wording") else None,
        consents=_read_consents(given("consent"), given("consent_how"), defaults.consent_by),
        source=defaults.source,
        reference=one_line("ref", given("ref")) or None,
        booked_at=read_moment(booked, defaults.zone, "booked") if booked else None,
    )


def read_name(text: str) -> str:
    """A patient's name in any script, one line, without markup, addresses or unseen marks."""
    if breaks_line(text.strip()):
        raise InvalidInput("The name has a line break or a control character in it: take it out.")
    name = _UNSEEN.sub("", unicodedata.normalize("NFC", text))
    # With a space after it a full stop makes no address of a name: "St. John", "bit. ly".
    name = " ".join(_DOTTED.sub(". ", name).split())
    if not name:
        raise InvalidInput("The name is missing.")
    if len(name) > _LONGEST_NAME:
        raise InvalidInput(f"The name is longer than {_LONGEST_NAME} characters: shorten it.")
    if found := _NOT_IN_NAMES.search(name):
        raise InvalidInput(
            f"The name has {found.group()!r} in it: write it with letters, spaces, "
            "hyphens, apostrophes and full stops."
        )
    if not any(c.isalpha() for c in name):
        raise InvalidInput(f"The name {name!r} has no letter in it: write who the patient is.")
    return name


def read_phone(text: str, country: str) -> str:
    """A phone number as E.164; a number without +country is one of `country` (ISO 3166).

    It must be whole, with its area code, and without an extension. Whether the number is given
    to anybody is not asked: lists of numbers in use are always a little old.
    """
    way_out = f"write it like {_example_of(country)}"
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise InvalidInput(f"The phone {quoted(text)} is not a phone number: {way_out}.") from None
    if number.extension:
        raise InvalidInput(f"The phone {quoted(text)} has an extension, which gets no texts.")
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE or _NOT_NORTH_AMERICAN.match(e164):
        raise InvalidInput(f"The phone {quoted(text)} is not a whole phone number: {way_out}.")
    return e164


def _example_of(country: str) -> str:
    example = phonenumbers.example_number(country)
    if example is None or example.country_code == _NORTH_AMERICA:
        return "+1 212 555 0100"
    return phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def read_email(text: str) -> str:
    """An email address, normalized and in small letters; nothing is asked of the network.

    Capitals make no other mailbox anywhere today, and a stop must find the address again.
    """
    try:
        # Reserved names such as example.com are refused by default, and are what tests use.
        checked = validate_email(
            text, check_deliverability=False, test_environment=True, strict=True
        )
    except EmailNotValidError as error:
        raise InvalidInput(f"The email {quoted(text)} is not an address: {error}") from None
    return checked.normalized.lower()


def _read_wording(text: str) -> Wording:
    word = one_of("wording", text.lower(), ("discreet", "plain"))
    return "plain" if word == "plain" else "discreet"


def _read_consents(text: str, how: str, by: str) -> tuple[Given, ...]:
    channels = [word.lower() for word in re.split(r"[\s,;+/]+", text) if word]
    if not channels or channels in (["none"], ["no"]):
        return ()
    names = [one_of("consent", word, [c.value for c in Channel]) for word in channels]
    if not how:
        ways = ", ".join(CONSENT_HOWS)
        raise InvalidInput(f"It is not said how the consent was given; use one of {ways}.")
    checked = one_of("consent how", how.lower(), CONSENT_HOWS)
    return tuple(Given(Channel(name), checked, by) for name in dict.fromkeys(names))
