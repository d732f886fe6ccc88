"""The quick reader either agrees with the full YAML parser or gives up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from drip.content.plain_yaml import NotPlain, read_plain
from drip.content.sources import built_in

OUR_FILES = sorted(
    [*built_in().glob("messages/**/*.yaml"), *built_in().glob("schedules/*.yaml")],
)
OUR_MESSAGES = sorted(built_in().glob("messages/[a-z]*/*.md"))


def full(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("path", OUR_FILES, ids=lambda path: path.stem)
def test_reads_each_of_our_files_as_the_full_parser_does(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    assert read_plain(text) == full(text)


@pytest.mark.parametrize("path", OUR_MESSAGES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_reads_the_front_matter_of_each_message_as_the_full_parser_does(path: Any) -> None:
    front = path.read_text(encoding="utf-8").split("---\n")[1]
    assert read_plain(front) == full(front)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: b\n", {"a": "b"}),
        ("a: 12\n", {"a": 12}),
        ("a: true\n", {"a": True}),
        ("a: no\nb: on\n", {"a": "no", "b": "on"}),
        ("a: 3 days before session at 10:00\n", {"a": "3 days before session at 10:00"}),
        ("a: b # said why\n", {"a": "b"}),
        ("a: 'it''s'\nb: \"x: # y\"\n", {"a": "it's", "b": "x: # y"}),
        ("a: [sms, email]\nb: []\n", {"a": ["sms", "email"], "b": []}),
        ("# first\n\na:\n  b: c\n  # then\n  d: e\nf: g\n", {"a": {"b": "c", "d": "e"}, "f": "g"}),
        ("a:\n- x\n- y\nb: z\n", {"a": ["x", "y"], "b": "z"}),
        ("a:\n  - s: x\n    t: y\n\n  - s: z\n", {"a": [{"s": "x", "t": "y"}, {"s": "z"}]}),
        ("a: |\n  one\n   two\n\n  # three\n\nb: c\n", {"a": "one\n two\n\n# three\n", "b": "c"}),
        ("a: ¿Cómo está?\n", {"a": "¿Cómo está?"}),
    ],
)
def test_reads_plain_yaml(text: str, data: dict[str, Any]) -> None:
    assert read_plain(text) == data == full(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: b",
        "a: 1\na: 2\n",
        "a:\n",
        "a: null\n",
        "a: 1.5\n",
        "a: 012\n",
        "a: 2026-01-01\n",
        "a: 0x1f\n",
        "a: &x b\n",
        "a: *x\n",
        "a: >\n  b\n",
        "a: |-\n  b\n",
        "a: {b: c}\n",
        'a: "b\\n"\n',
        "a: b\n  c\n",
        "a: b: c\n",
        "a:\tb\n",
        "a: b\n c: d\n",
        "- a\n",
        "---\na: b\n",
        "true: b\n",
        "a: @b\n",
        "",
    ],
)
def test_gives_up_on_what_only_the_full_parser_knows(text: str) -> None:
    with pytest.raises(NotPlain):
        read_plain(text)


LINES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(
            [
                "a: b",
                "b: 1",
                "c:",
                "- x",
                "- a: b",
                "# no",
                "d: 'q'",
                "e: ",
                "f: [x, y]",
                "text",
                ": ",
                "-",
                'g: "z" # n',
                "h: x: y",
                "é: 1",
                "i: true",
                "j: ~",
                "k: 10 days",
                "l: 'a",
                "m: b #c",
                "n: # c",
                "a: ",
                "p: - q",
                "  r: s",
                "",
                "---",
                "? x",
                "o: !t u",
            ]
        ),
    ),
    max_size=8,
)


@given(LINES)
def test_whatever_it_reads_the_full_parser_reads_too(lines: list[tuple[int, str]]) -> None:
    text = "".join(f"{' ' * indent}{line}\n" for indent, line in lines)
    try:
        data = read_plain(text)
    except NotPlain:
        return
    try:
        assert repr(data) == repr(full(text))
    except YAMLError as error:  # pragma: no cover  would be a fault of the quick reader
        pytest.fail(f"read {text!r}, which is not YAML: {error}")
