"""How many parts a text takes, by 3GPP TS 23.038."""

import unicodedata

import gsm0338
import pytest
import smsutil  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st
from smsutil.codecs import GSM_CHARSET  # type: ignore[import-untyped]

from drip.core.sms import measure, plain_twins

ESCAPE = "\x1b"
"""It opens an extension and is no character of its own; the other libraries let it pass."""

GSM_7 = set(GSM_CHARSET) - {ESCAPE}

PARTS = [
    # what, text, parts, encoding, units
    ("nothing", "", 1, "GSM-7", 0),
    ("a word", "hello", 1, "GSM-7", 5),
    ("as much as one part holds", "a" * 160, 1, "GSM-7", 160),
    ("one more", "a" * 161, 2, "GSM-7", 161),
    ("as much as two parts hold", "a" * 306, 2, "GSM-7", 306),
    ("one more than two", "a" * 307, 3, "GSM-7", 307),
    ("accents of the alphabet", "à è é ù ì ò Ç ñ ü", 1, "GSM-7", 17),
    ("a euro takes two", "€", 1, "GSM-7", 2),
    ("every escaped character takes two", "^{}\\[~]|€\f", 1, "GSM-7", 20),
    ("80 euros fit into one part", "€" * 80, 1, "GSM-7", 160),
    ("81 do not", "€" * 81, 2, "GSM-7", 162),
    ("an escaped character is not cut", "a" * 152 + "€" + "a" * 152, 3, "GSM-7", 306),
    ("unless it need not be", "a" * 151 + "€" + "a" * 153, 2, "GSM-7", 306),
    ("76 euros a part where there are several", "€" * 153, 3, "GSM-7", 306),
    ("a line break is one character", "a\nb", 1, "GSM-7", 3),
    ("a capital cedilla only", "ç", 1, "UCS-2", 1),
    ("an accent that the alphabet lacks", "á" + "a" * 69, 1, "UCS-2", 70),
    ("one more", "á" + "a" * 70, 2, "UCS-2", 71),
    ("as much as two parts hold in UCS-2", "á" * 134, 2, "UCS-2", 134),
    ("one more than two in UCS-2", "á" * 135, 3, "UCS-2", 135),
    ("an emoji takes two units", "🙂", 1, "UCS-2", 2),
    ("35 emoji fit into one part", "🙂" * 35, 1, "UCS-2", 70),
    ("36 do not", "🙂" * 36, 2, "UCS-2", 72),
    ("a surrogate pair is not cut", "a" * 66 + "🙂" + "a" * 66, 3, "UCS-2", 134),
    ("an escaped character takes one unit there", "á" + "€" * 69, 1, "UCS-2", 70),
    ("another script", "Привет", 1, "UCS-2", 6),
    ("the Greek capitals of the alphabet", "ΔΦΓΛΩΠΨΣΘΞ", 1, "GSM-7", 10),
    ("a Greek capital that looks Latin", "Α", 1, "UCS-2", 1),
    ("the last character of one unit", "\uffff", 1, "UCS-2", 1),
    ("an escape of its own", "\x1b", 1, "UCS-2", 1),
]


@pytest.mark.parametrize(
    ("text", "count", "encoding", "units"), [row[1:] for row in PARTS], ids=[r[0] for r in PARTS]
)
def test_a_text_is_measured(text: str, count: int, encoding: str, units: int) -> None:
    found = measure(text)
    assert (found.count, found.encoding, found.units) == (count, encoding, units)


def test_what_is_outside_the_alphabet_is_named_once_and_in_order() -> None:
    assert measure("José, 10 € – naïve José").outside == ("–", "ï")
    assert measure("José").outside == ()


def test_the_alphabet_is_the_standards() -> None:
    inside = {chr(n) for n in range(0xD800) if not measure(chr(n)).outside}
    assert inside == GSM_7


mixed = st.sampled_from(sorted(GSM_7) + list("áçőΑж–’🙂𝒳字\u200d"))
texts = st.text(mixed, min_size=1, max_size=400)
plain = st.text(st.sampled_from(sorted(GSM_7)), max_size=400)


@given(texts | st.text(st.characters(exclude_characters=ESCAPE), min_size=1, max_size=200))
@example("a" * 66 + "🙂" + "a" * 66)
@example("a" * 152 + "€" + "a" * 152)
def test_parts_are_as_many_as_another_library_cuts(text: str) -> None:
    found = measure(text)
    theirs = smsutil.split(text)
    assert found.count == len(theirs.parts)
    assert found.encoding == {"gsm0338": "GSM-7", "utf_16_be": "UCS-2"}[theirs.encoding]
    assert found.units == (theirs.total_bytes // (1 if theirs.encoding == "gsm0338" else 2))


@given(plain)
def test_units_are_the_septets_that_a_codec_makes(text: str) -> None:
    assert measure(text).units == len(gsm0338.Codec().encode(text)[0])


@given(st.text(st.characters(codec="utf-8"), max_size=200).filter(lambda t: measure(t).outside))
def test_units_are_the_utf_16_units(text: str) -> None:
    assert measure(text).units == len(text.encode("utf-16-be")) // 2


TWINS = [
    ("curly quotes", "‘it’s’ “so”", "'it's' \"so\""),
    ("low quotes", "‚a‛ „b‟", "'a' \"b\""),
    ("dashes", "a – b — c ‑ d − e", "a - b - c - d - e"),
    ("an ellipsis", "wait…", "wait..."),
    ("a no-break space", "9:00\u00a0AM", "9:00 AM"),
    ("a narrow no-break space", "9:00\u202fAM", "9:00 AM"),
    ("thin and wide spaces", "a\u2009b\u3000c\u2003d", "a b c d"),
    ("zero-width characters", "a\u200bb\u2060c\ufeffd\u00ade", "abcde"),
    ("a bullet", "• one", "- one"),
    ("plain text", "José's 5-day plan: 10 €", "José's 5-day plan: 10 €"),
    ("a name in another script", "Наталья ʻAukai", "Наталья ʻAukai"),
    ("an apostrophe that is a letter", "Cʼhoarier", "Cʼhoarier"),
    ("joiners carry meaning", "👩\u200d⚕ می\u200cروم", "👩\u200d⚕ می\u200cروم"),
]


@pytest.mark.parametrize(("text", "expected"), [r[1:] for r in TWINS], ids=[r[0] for r in TWINS])
def test_typographic_characters_have_plain_twins(text: str, expected: str) -> None:
    assert plain_twins(text) == expected


@given(st.text())
def test_letters_and_digits_are_never_changed(text: str) -> None:
    def letters(words: str) -> list[str]:
        return [c for c in words if unicodedata.category(c)[0] in "LMN"]

    assert letters(plain_twins(text)) == letters(text)


@given(st.text())
def test_plain_twins_never_cost_more_characters_outside(text: str) -> None:
    assert set(measure(plain_twins(text)).outside) <= set(measure(text).outside)
    assert plain_twins(plain_twins(text)) == plain_twins(text)


def test_every_twin_is_in_the_alphabet() -> None:
    changed = {plain_twins(chr(n)) for n in range(0x110000) if plain_twins(chr(n)) != chr(n)}
    assert changed == {"'", '"', "-", " ", "", "..."}
