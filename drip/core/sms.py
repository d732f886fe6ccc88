"""How many parts a text takes, by 3GPP TS 23.038 and 23.040."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Encoding = Literal["GSM-7", "UCS-2"]

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")

_TWINS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006", " "),
        **dict.fromkeys("\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t", " "),
        **dict.fromkeys("\u200b\u2060\ufeff\u00ad"),
        "…": "...",
        "•": "-",
    }
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a text costs.

    `units` are septets for GSM-7 and UTF-16 code units for UCS-2. `outside` are the characters,
    each once and in order, that are not in the GSM-7 alphabet: what made the text UCS-2.
    """

    count: int
    encoding: Encoding
    units: int
    outside: tuple[str, ...]


def plain_twins(text: str) -> str:
    """The text with typographic characters replaced by plain ones that look alike.

    Quotes, dashes, ellipses and odd spaces cost a whole message its cheap encoding and nobody
    sees the difference. Letters stay as they are: a name keeps its accents. The joiners inside
    emoji and Indic or Arabic words (U+200C, U+200D) stay too, since they carry meaning.
    """
    return text.translate(_TWINS)


def measure(text: str) -> Parts:
    """Count the parts of a text as a phone network would cut it.

    One GSM-7 part holds 160 septets, each of several 153; one UCS-2 part 70 units, each of
    several 67. Neither an escaped character nor a surrogate pair is cut in two.
    """
    outside = tuple(dict.fromkeys(c for c in text if c not in _BASIC and c not in _EXTENSION))
    if outside:
        return _parts("UCS-2", [2 if c > "\uffff" else 1 for c in text], 70, 67, outside)
    return _parts("GSM-7", [2 if c in _EXTENSION else 1 for c in text], 160, 153, outside)


def limit_of(parts: Parts) -> int:
    """How many parts a text of ours may take in its encoding: product.md, "Readability"."""
    return 2 if parts.encoding == "GSM-7" else 4


def _parts(
    encoding: Encoding, sizes: list[int], alone: int, each: int, outside: tuple[str, ...]
) -> Parts:
    units = sum(sizes)
    count = 1 if units <= alone else _packed(sizes, each)
    return Parts(count, encoding, units, outside)


def _packed(sizes: Iterable[int], room: int) -> int:
    """How many boxes of this room the sizes fill, in order, none of them cut."""
    boxes, used = 1, 0
    for size in sizes:
        if used + size > room:
            boxes, used = boxes + 1, 0
        used += size
    return boxes
