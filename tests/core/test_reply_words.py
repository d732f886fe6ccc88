"""A reply as plain words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.reply_words import Reactions, without_courtesies, words_of


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("  STOP!!!  ", "stop"),
        ("Stop.", "stop"),
        ("STOOOPPPP", "stop"),
        ("s.t.o.p", "stop"),
        ("S T O P", "stop"),
        ("ＳＴＯＰ", "stop"),
        ("𝗦𝗧𝗢𝗣", "stop"),
        ("st\u200bop", "stop"),
        ("🛑stop🛑", "stop"),
        ("stop stop STOP", "stop"),
        ("Don’t don't don`t don´t", "dont"),
        ("¿Mañana, SÍ?", "manana si"),
        ("1️⃣", "1"),
        ("a_b-c/d@e", "a b c d e".replace(" ", "")),
        ("see you at 1000", "see you at 1000"),
        ("", ""),
        ("👍🙏", ""),
        ("стоп", "стоп"),
        ("SТОР", "stop"),
        ("ЅΤΟΡ", "stop"),
        ("ꜱᴛᴏᴘ", "stop"),
        ("s\u2066t\u202eo\u034fp\ufe00", "stop"),
        ("$top", "stop"),
        ("it costs $50", "it costs 50"),
    ],
)
def test_how_it_is_typed_plays_no_part(typed: str, words: str) -> None:
    assert " ".join(words_of(typed)) == words


@given(st.text())
def test_every_text_has_words_without_capitals_or_spaces(text: str) -> None:
    for word in words_of(text):
        assert word == word.casefold()
        assert not any(letter.isspace() for letter in word)


COURTESIES = {("hi",), ("thank", "you"), ("thanks",), ("have", "a", "day")}


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("hi stop thank you", "stop"),
        ("hi hi thanks stop have a day thanks", "stop"),
        ("stop hi there", "stop hi there"),
        ("see thank", "see thank"),
        ("hi thanks", "hi thanks"),
        ("", ""),
    ],
)
def test_greetings_and_thanks_are_left_out_at_both_ends(words: str, left: str) -> None:
    assert without_courtesies(words.split(), COURTESIES) == left.split()


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Liked “Reply STOP to end”", ""),
        ("Laughed at “Reply STOP”", ""),
        ('Loved "Reply STOP to', ""),
        ("👍 to “Reply “STOP” to end”", ""),
        ("liked “see you” stop", "stop"),
        ("Liked 👍🏽 to “Reply STOP to end”", ""),
        ("likedto “STOP”", "likedto “STOP”"),
        ("I liked “that”", "I liked “that”"),
        ("“STOP”", "“STOP”"),
        ("C\n> Reply STOP to end\n> or HELP", "C"),
        ("C\nOn Tue, River wrote:\n> Reply STOP", "C"),
        ("C > B", "C > B"),
    ],
)
def test_what_a_phone_quotes_of_our_text_is_not_the_patients_word(text: str, own: str) -> None:
    assert Reactions(["liked", "loved", "laughed at", "to"]).without(text).strip() == own
