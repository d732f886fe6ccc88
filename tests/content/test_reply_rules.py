"""The files of rules by which replies are understood."""

# ruff: noqa: E501  a row of a table is one line

from collections.abc import Callable
from pathlib import Path

import pytest

from drip.content.plain_yaml import read_plain
from drip.content.problems import BrokenContent, Severity
from drip.content.reply_rules import load_replies, reply_rule_files, reply_rule_problems
from drip.content.sources import ContentDir
from drip.content.yamlfile import parse_yaml
from drip.core.replies import ReplyClass
from drip.errors import ContentError

EN = "messages/_replies/en.yaml"


def test_the_built_in_rules_are_in_order_in_every_language(content: ContentDir) -> None:
    assert list(reply_rule_files(content)) == ["en", "es"]
    assert list(reply_rule_problems(content)) == []


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_built_in_rules_are_plain_enough_to_be_read_quickly(
    content: ContentDir, language: str
) -> None:
    path = reply_rule_files(content)[language]
    text = path.read_text(encoding="utf-8")
    assert read_plain(text) == parse_yaml(text + "\n# end", path).data


@pytest.mark.parametrize(
    ("old", "new", "at", "told"),
    [
        ("  ride:\n    alone:", "  ride:\n    alon:", "alon:", 'unknown key "alon"; did you mean "alone"?'),
        ("  late:\n", "  latte:\n", "latte:", 'unknown key "latte"; did you mean "late"?'),
        ("      - suicid*\n", "      - suicid* (\n", "suicid* (", "a word is missing here"),
        ("      - suicid*\n", "      - suicid* NOSUCH\n", "NOSUCH", 'there is no list called "NOSUCH"'),
        ("      - suicid*\n", "      - suicid*?\n", "suicid*?", "this would fit every reply; add a word"),
        ("language: en", "language: fr", "fr", 'the file is called en.yaml but says "fr"'),
    ],
)  # fmt: skip
def test_a_broken_file_is_told_with_its_place(
    own: ContentDir,
    change: Callable[..., Path],
    place_of: Callable[[str, str], str],
    old: str,
    new: str,
    at: str,
    told: str,
) -> None:
    change(EN, (old, new))
    with pytest.raises(BrokenContent) as caught:
        load_replies(own)
    found = [str(problem) for problem in caught.value.problems]
    assert any(each.startswith(f"{EN}:") and told in each for each in found), found
    line = place_of(EN, at).partition(":")[0]
    assert line in [str(problem.line) for problem in caught.value.problems]
    assert [str(problem) for problem in reply_rule_problems(own)] == found


def test_a_language_without_crisis_rules_is_refused(
    own: ContentDir, write: Callable[[str, str], Path]
) -> None:
    write("messages/_replies/en.yaml", "language: en\ntopics:\n  stop:\n    alone:\n      - stop\n")
    with pytest.raises(BrokenContent) as caught:
        load_replies(own)
    told = [problem.what for problem in caught.value.problems]
    assert '"crisis" is missing here; add it' in told


def test_a_clinics_own_file_stands_in_place_of_the_built_in_one(
    own: ContentDir, change: Callable[..., Path]
) -> None:
    change(EN, ("  ride:\n    alone:\n", "  ride:\n    alone:\n      - chariot\n"))
    assert load_replies(own).understand("Chariot!").reply_class is ReplyClass.RIDE
    assert load_replies(own).understand("alto").reply_class is ReplyClass.STOP


def test_a_language_whose_replies_nobody_understands_is_a_warning(
    own: ContentDir, change: Callable[..., Path], tmp_path: Path
) -> None:
    change("messages/_language/en.yaml", ("language: en", "language: fr")).rename(
        tmp_path / "messages/_language/fr.yaml"
    )
    (problem,) = reply_rule_problems(own)
    assert problem.severity is Severity.WARNING
    assert "write messages/_replies/fr.yaml" in problem.what


def test_content_without_any_rules_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="no rules"):
        load_replies(ContentDir((tmp_path,)))
