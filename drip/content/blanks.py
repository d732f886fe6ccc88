"""The blanks in the sentences of YAML files: `{{ clinic.phone }}` and the like, and no code."""

import re
from collections.abc import Callable, Iterable, Iterator

from drip.content.problems import Problem, nearest
from drip.content.wording import beginnings, phrases
from drip.content.yamlfile import Loc, YamlFile

CLINIC_BLANKS = frozenset({"clinic.public_name", "clinic.phone", "clinic.email", "clinic.address"})
"""What such a sentence may say of the clinic."""

_CODE = re.compile(r"\{\{\s*(.*?)\s*\}\}|\{%|\{#")


def blanks_in(text: str) -> frozenset[str]:
    """The names of the blanks in a sentence."""
    return frozenset(code[1] for code in _CODE.finditer(text) if code[1] is not None)


def blank_problems(file: YamlFile, known_at: Callable[[Loc], frozenset[str]]) -> Iterator[Problem]:
    """Blanks that nothing would fill, and code, which does not work in these files.

    `known_at` gives the blanks that there are at a place in the file.
    """
    for loc, text in texts(file.data):
        known = known_at(loc)
        for code in _CODE.finditer(text):
            if code[1] is None:
                what = f'"{code[0]}" does not work in this file; only {{{{ }}}} with a name does'
                yield file.problem(loc, what, offset=code.start())
            elif code[1] not in known:
                hint = nearest(code[1], known) if known else "nothing is known of the patient here"
                what = f'nothing is called "{code[1]}" here; {hint}'
                yield file.problem(loc, what, offset=code.start())


def wording_problems(
    file: YamlFile, loc: Loc, text: str, not_discreet: Iterable[str], relative_words: Iterable[str]
) -> Iterator[Problem]:
    """Words in a sentence that others should not see, or that may be wrong when it is read."""
    for found in beginnings(text, not_discreet):
        what = f'"{found.word}" is not discreet: others may see this; say it in another way'
        yield file.problem(loc, what, offset=found.column - 1)
    for found in phrases(text, relative_words):
        what = f'"{found.word}" may be wrong when this is read; use {{{{ session.when }}}}'
        yield file.problem(loc, what, offset=found.column - 1)


def texts(data: object, loc: Loc = ()) -> Iterator[tuple[Loc, str]]:
    """Every text in parsed YAML, with the way to it."""
    if isinstance(data, str):
        yield loc, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from texts(value, (*loc, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from texts(value, (*loc, place))
