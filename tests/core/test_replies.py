"""What a reply means, by the built-in rules."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drip.content.reply_rules import load_replies
from drip.content.sources import content_dir
from drip.core.replies import Replies, ReplyClass, ReplyRules, Topic, TopicRules, Understood
from drip.core.reply_patterns import parse_pattern
from drip.core.reply_words import LONGEST
from tests.replies.labelled import labelled

REPLIES = load_replies(content_dir())
TEXTS = [each.text for each in labelled()]


@pytest.mark.parametrize(
    ("text", "reply_class", "stop"),
    [
        ("I want to die, stop texting me", ReplyClass.CRISIS, True),
        ("I want to die", ReplyClass.CRISIS, False),
        ("running late, stop texting me", ReplyClass.STOP, True),
        ("running late, can we reschedule", ReplyClass.RESCHEDULE, False),
        ("C", ReplyClass.CONFIRM, False),
        ("C but can I eat?", ReplyClass.OTHER, False),
        ("C and my sister is driving me", ReplyClass.OTHER, False),
        ("yes", ReplyClass.OTHER, False),
        ("cancel", ReplyClass.STOP, True),
        ("cancel my appointment", ReplyClass.RESCHEDULE, False),
        ("my ride cancelled", ReplyClass.OTHER, False),
    ],
)
def test_crisis_comes_before_stop_and_stop_before_the_rest(
    text: str, reply_class: ReplyClass, stop: bool
) -> None:
    understood = REPLIES.understand(text)
    assert (understood.reply_class, understood.stop) == (reply_class, stop)


@pytest.mark.parametrize("text", ["wrong number", "número equivocado", "stop, wrong number"])
def test_a_wrong_number_is_a_stop_that_says_so(text: str) -> None:
    understood = REPLIES.understand(text)
    assert (understood.reply_class, understood.stop) == (ReplyClass.STOP, True)
    assert understood.wrong_number
    assert not REPLIES.understand("stop").wrong_number


@pytest.mark.parametrize(
    ("text", "no_ride"),
    [
        ("my ride cancelled", True),
        ("my sister can't drive me anymore", True),
        ("nobody can pick me up", True),
        ("se canceló mi ride", True),
        ("mi hermana ya no me puede llevar", True),
        ("what if I don't have a ride?", False),
        ("no ride needed", False),
        ("¿qué pasa si no tengo quien me lleve?", False),
        ("can my ride wait in the car", False),
    ],
)
def test_a_ride_that_is_lost_is_for_a_person_and_says_so(text: str, *, no_ride: bool) -> None:
    understood = REPLIES.understand(text)
    assert (understood.reply_class, understood.matched) == (ReplyClass.OTHER, None)
    assert understood.no_ride is no_ride


@pytest.mark.parametrize(
    ("text", "language", "matched"),
    [
        ("Please STOP texting me!", "en", "stop"),
        ("Ya no me manden mensajes", "es", "ya no me manden mensajes"),
        ("i dont want to live", "en", "not want to live"),
        ("alto", "es", "alto"),
        ("where is the clinic?", "en", None),
        ("¿puedo comer antes?", "es", None),
        ("👍", None, None),
        ("谢谢", None, None),
    ],
)
def test_it_is_said_in_which_language_and_by_which_words(
    text: str, language: str | None, matched: str | None
) -> None:
    understood = REPLIES.understand(text)
    assert understood.language == language
    assert (understood.matched is None) == (matched is None)
    assert matched is None or matched in f"{understood.matched} {text.casefold()}"


@pytest.mark.parametrize(
    "words", ["STOP", "$top", "st0p", "s t o p", "SТОР", "ＳＴＯＰ", "s\u200btop"]
)
def test_stop_is_heard_however_its_letters_are_written(words: str) -> None:
    assert REPLIES.understand(words).stop


@pytest.mark.parametrize(
    "text",
    [
        "Liked “River Clinic: your visit is Tuesday. Reply C to confirm, STOP to end.”",
        "Loved “If you are in danger call 911. Call or text 988.”",
        "Disliked “Reply STOP to end”",
        "Emphasized “Reply STOP to end”",
        "Reacted 👍 to “Reply C to confirm. Reply STOP to end”",
        "Le gustó “Responda ALTO para terminar”",
        "Reaccionó con 👍 a “Mande STOP para no recibirlos”",
        "River Clinic: your visit is Tuesday at 9:00. Reply STOP to stop texts, HELP for help.",
        "Reply STOP to end",
    ],
)
def test_our_own_words_sent_back_ask_for_nothing(text: str) -> None:
    understood = REPLIES.understand(text)
    assert (understood.reply_class, understood.stop) == (ReplyClass.OTHER, False)


def test_an_idiom_of_one_language_holds_for_the_rules_of_all() -> None:
    def rules(language: str, crisis: TopicRules) -> ReplyRules:
        return ReplyRules(language, {Topic.CRISIS: crisis}, {}, (), (), (), ())

    death = parse_pattern("suicide", {}, lambda word: (word,))
    film = parse_pattern("suicide squad", {}, lambda word: (word,))
    both = Replies([rules("en", TopicRules(unless=(film,))), rules("es", TopicRules((), (death,)))])
    assert both.understand("suicide").reply_class is ReplyClass.CRISIS
    assert both.understand("I saw suicide squad").reply_class is ReplyClass.OTHER


@pytest.mark.parametrize("word", ["shop", "step", "soap", "spot", "top", "sop", "hello", "hell"])
def test_an_ordinary_word_is_no_slip_of_a_keyword(word: str) -> None:
    assert REPLIES.understand(word).reply_class is ReplyClass.OTHER


def test_without_any_rules_a_person_reads_everything() -> None:
    assert Replies([]).understand("STOP") == Understood(ReplyClass.OTHER)


def test_an_endless_text_is_read_as_far_as_any_text_can_be_long() -> None:
    assert REPLIES.understand("no way " * 200 + "i want to die").reply_class is ReplyClass.CRISIS
    assert REPLIES.understand("no way " * LONGEST + "i want to die").reply_class is ReplyClass.OTHER


@given(st.text(max_size=300))
def test_any_text_at_all_is_understood_somehow(text: str) -> None:
    understood = REPLIES.understand(text)
    assert understood.stop or understood.reply_class is not ReplyClass.STOP


@settings(max_examples=300)
@given(
    st.sampled_from([text for text in TEXTS if text.isascii() and "'" not in text]),
    st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    st.text(alphabet=" .,;!?-\t", max_size=3),
)
def test_capitals_spaces_and_punctuation_play_no_part(text: str, case: object, around: str) -> None:
    assert callable(case)
    before = REPLIES.understand(text)
    assert REPLIES.understand(f"{around}{case(text)}{around}") == before
    bare = text.translate(str.maketrans(string.punctuation, " " * len(string.punctuation)))
    assert REPLIES.understand(f" {bare}  ") == REPLIES.understand(bare)


def test_it_does_not_matter_what_was_read_before() -> None:
    fresh = load_replies.__wrapped__(content_dir())
    for text in reversed(TEXTS):
        assert fresh.understand(text) == REPLIES.understand(text), text
