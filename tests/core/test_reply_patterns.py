"""The language of rules, and finding its patterns in words."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.reply_matcher import Match, Matcher
from drip.core.reply_patterns import (
    END,
    START,
    Pattern,
    PatternError,
    can_be_nothing,
    parse_pattern,
)
from drip.core.reply_slips import slips


def spelled(word: str) -> tuple[str, ...]:
    return {"dont": ("do", "not")}.get(word, (word,))


def parsed(text: str) -> Pattern:
    names = {"TEXTS": parse_pattern("text | texts | voice mail", {}, spelled)}
    return parse_pattern(text, names, spelled)


def found(pattern: str, words: str) -> list[str]:
    """The parts of the words that fit the pattern."""
    matcher = Matcher([(parsed(pattern), None)])
    whole = [START, *words.split(), END]
    matches = matcher.find([w if w in (START, END) else matcher.symbol(w) for w in whole])
    return [" ".join(whole[match.start : match.end]) for match in matches]


@pytest.mark.parametrize(
    ("pattern", "words", "parts"),
    [
        ("stop", "please stop now", ["stop"]),
        ("stop", "stops", []),
        ("stop it?", "stop it", ["stop", "stop it"]),
        ("(stop | quit) it", "quit it", ["quit it"]),
        ("(leave me | go) (away | alone)", "leave me alone", ["leave me alone"]),
        ("suicid*", "suicidal", ["suicidal"]),
        ("suicid*", "suici", []),
        ("stop .. texts", "stop with all these texts", ["stop with all these texts"]),
        ("stop .. texts", "stop with all of these texts", []),
        ("stop .. texts", "stop texts", ["stop texts"]),
        ("< stop", "stop now", ["< stop"]),
        ("< stop", "now stop", []),
        ("stop >", "now stop", ["stop >"]),
        ("my ANY is", "my sister is here", ["my sister is"]),
        ("my ANY", "my", []),
        ("in NUMBER", "be there in 20", ["in 20"]),
        ("in NUMBER", "in time", []),
        ("no TEXTS", "no voice mail", ["no voice mail"]),
        ("Don't write", "do not write", ["do not write"]),
        ("más", "mas", ["mas"]),
        ("stop", "stop and stop", ["stop", "stop"]),
    ],
)
def test_a_pattern_fits_the_words_that_it_describes(
    pattern: str, words: str, parts: list[str]
) -> None:
    assert found(pattern, words) == parts


@pytest.mark.parametrize(
    ("pattern", "column", "what"),
    [
        ("", 1, "a word is missing"),
        ("stop (", 7, "a word is missing"),
        ("(stop | ) it", 9, "a word is missing"),
        ("(stop it", 9, 'a ")" is missing'),
        ("stop) it", 5, 'a ")" too many'),
        ("stop TEXT", 6, 'no list called "TEXT"; known: ANY, NUMBER, TEXTS'),
        ("? stop", 1, "may be left out"),
        ("stop + it", 6, '"+" means nothing here'),
    ],
)
def test_a_broken_pattern_is_told_with_its_column(pattern: str, column: int, what: str) -> None:
    with pytest.raises(PatternError) as caught:
        parsed(pattern)
    assert (caught.value.column, what in str(caught.value)) == (column, True), str(caught.value)


@pytest.mark.parametrize(("pattern", "nothing"), [("a?", True), ("..", True), ("a? b", False)])
def test_a_pattern_that_would_fit_every_reply_is_known(pattern: str, nothing: bool) -> None:
    assert can_be_nothing(parsed(pattern)) is nothing


def test_of_several_matches_with_one_end_the_longest_counts() -> None:
    matcher = Matcher([(parsed("a b? c"), "x"), (parsed("c"), "x"), (parsed("b c"), "y")])
    matches = matcher.find(map(matcher.symbol, ["a", "b", "c"]))
    assert set(matches) == {Match("x", 0, 3), Match("y", 1, 3)}


def test_a_long_text_takes_time_in_proportion_to_its_length() -> None:
    matcher = Matcher([(parsed("a .. b .. c .. d"), None), (parsed("a .. a .. a .. a"), None)])
    matcher.find([matcher.symbol("a")] * 100)  # the states are made once

    def taken(many: int) -> float:
        words = [matcher.symbol("a")] * many
        times = []
        for _ in range(5):
            start = time.process_time()
            matcher.find(words)
            times.append(time.process_time() - start)
        return min(times)

    assert taken(40_000) < 40 * taken(4_000)


@given(st.text(alphabet="ab|()?.<>*A '", max_size=30))
def test_whatever_is_written_is_a_pattern_or_a_mistake_with_a_place(text: str) -> None:
    assert column_of_mistake(text) in range(len(text) + 2)


def column_of_mistake(text: str) -> int:
    """Where the pattern is broken; 0 where it is not."""
    try:
        parsed(text)
    except PatternError as error:
        return error.column
    return 0


def test_a_slip_is_understood_unless_it_is_a_word_of_its_own() -> None:
    meant = slips(["stop", "suicide"], ["top", "sop"])
    typed = ["sotp", "stpo", "tsop", "stp", "sto", "sttop", "suiicide", "suicede", "suicidex"]
    assert [meant.get(each) for each in typed] == ["stop"] * 6 + ["suicide"] * 3
    assert not {"top", "sop", "stop", "shop", "stoop"[:4] + "x", "stap"} & meant.keys()


def test_a_slip_that_might_mean_two_words_is_left_alone() -> None:
    assert "hep" not in slips(["help", "heap"], [])
