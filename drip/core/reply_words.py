"""A reply as plain words: what a person typed, without the ways in which people type it."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

LONGEST = 10_000
"""Characters of a reply that are looked at; Twilio hands over 1,600 at most."""

_QUOTED_LINES = re.compile(r"(?:^.*(?:wrote|escribi[oó]):\s*\n)?(?:^[ \t]*>.*\n?)+", re.MULTILINE)
_APOSTROPHES = re.compile("[‘’‛ʼ´′]")
_MARKS = re.compile(
    "[\u00ad\u0300-\u036f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e01ef]"
)
"""Accents, and what stands between letters without being seen."""
_NO_WORDS = re.compile(r"[\W_]+")
_LONG_DRAWN = re.compile(r"([^\W\d_])\1\1+")
_SPELLED_OUT = re.compile(r"\b[a-z](?: [a-z]){2,}\b")

_DOLLAR = re.compile(r"\$(?=[^\W\d_])")
"""A dollar sign written for an S, as in "$top"."""

_TWINS = str.maketrans(
    "авекмнорстухіјѕԁһԛԝαβεζηικμνορτυχϲᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "abekmhopctyxijsdhqwabezhikmnoptyxcabcdeghijklmnoprstuvwyz",
)
"""Cyrillic, Greek and small capital letters that look like Latin ones, as in "SТОР"."""

_ASCII = {number: " " for number in range(128) if not chr(number).isalnum()}


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, without accents, punctuation and emoji.

    "don’t" is `dont`, "STOOOP", "s.t.o.p" and "$top" are `stop`, letters that look like Latin ones
    are Latin ones, and a word said twice in a row is said once.
    """
    text = text.replace("'", "").replace("`", "")
    if not text.isascii():
        text = _MARKS.sub("", unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text)))
    text = text.casefold()
    if "$" in text:
        text = _DOLLAR.sub("s", text)
    text = text.translate(_ASCII)
    if not text.isascii():
        text = " ".join(map(_latin, _NO_WORDS.sub(" ", text).split()))
    words = [_drawn_in(word) for word in text.split()]
    if list(map(len, words)).count(1) > 2:
        words = _SPELLED_OUT.sub(_joined, " ".join(words)).split()
    return [word for word, before in zip(words, ["", *words], strict=False) if word != before]


def _latin(word: str) -> str:
    """The word in Latin letters if all of it looks like them; a word of another script stays."""
    latin = word.translate(_TWINS)
    return latin if latin.isascii() else word


@lru_cache(maxsize=50_000)
def _drawn_in(word: str) -> str:
    return _LONG_DRAWN.sub(r"\1", word)


def _joined(found: re.Match[str]) -> str:
    return found[0].replace(" ", "")


class Reactions:
    """Finds what a phone quotes of our own text, so that our words are not taken for the patient's.

    A reaction (a "tapback") arrives as a text: Liked “River Clinic: ... Reply STOP to stop texts”.
    `beginnings` are the words before the quotation mark.
    """

    def __init__(self, beginnings: Iterable[str]) -> None:
        known = "|".join(r"\W+".join(map(re.escape, each.split())) for each in beginnings)
        begun = rf"(?:[^\w“”\"«]*\b(?:{known})\b)+"
        self._reaction = re.compile(
            begun + r"[^\w“”\"«]*[“”\"«](?:.*[”\"»]|.*)", re.IGNORECASE | re.DOTALL
        )

    def without(self, text: str) -> str:
        """The text without a reaction's quotation and without the lines that begin with ">"."""
        if ">" in text:
            text = _QUOTED_LINES.sub("", text)
        found = self._reaction.match(text)
        return text if found is None else text[found.end() :]


def without_courtesies(words: list[str], courtesies: Collection[tuple[str, ...]]) -> list[str]:
    """The words between greetings and thanks: of "hi, stop please" the stop.

    A text of nothing but courtesies stays as it is.
    """
    start, end = 0, len(words)
    while start < end and (length := _courtesy(words[start : start + 3], courtesies, -1)):
        start += length
    while start < end and (length := _courtesy(words[max(start, end - 3) : end], courtesies, 1)):
        end -= length
    return words[start:end] or words


def _courtesy(words: list[str], courtesies: Collection[tuple[str, ...]], shorten: int) -> int:
    """How many of these words are a courtesy; they are shortened at the start (1) or end (-1)."""
    while words:
        if tuple(words) in courtesies:
            return len(words)
        words = words[1:] if shorten == 1 else words[:-1]
    return 0
