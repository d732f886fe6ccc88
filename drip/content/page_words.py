"""What patients' pages say round a message: one file a language, messages/_pages/."""

from collections.abc import Iterator
from functools import lru_cache

from drip.content.blanks import CLINIC_BLANKS, blank_problems, texts, wording_problems
from drip.content.language_file import Language
from drip.content.problems import BrokenContent, Problem
from drip.content.sources import ContentDir
from drip.content.strict import Strict, validated
from drip.content.words import SessionWords
from drip.content.yamlfile import Loc, YamlFile, read_yaml
from drip.errors import ContentError

_FALLBACK = "en"
_SESSION_BLANKS = frozenset(f"session.{name}" for name in SessionWords._fields)


class Said(Strict):
    """A heading and what stands below it."""

    heading: str
    text: str


class Around(Strict):
    """What stands on every page. `description` is what the preview of a link shows."""

    description: str
    crisis: str
    contact: str
    back: str


class VisitWords(Strict):
    """The visit, with what a patient may answer to it and what was answered."""

    heading: str
    when: str
    arrive: str
    change: str
    confirm: str
    confirmed: str
    ride: str
    ride_arranged: str
    calendar: str


class NoticeWords(Strict):
    """What is said above a message whose visit is no longer what it was."""

    moved: str
    cancelled: str
    past: str


class DoneWords(Strict):
    """What became of an answer: the first three were noted, the others were not."""

    confirm: Said
    ride: Said
    stop: Said
    moved: Said
    cancelled: Said
    past: Said


class StopWords(Strict):
    """The offer to stop texts; `cannot` says what it does not do."""

    heading: str
    text: str
    button: str
    cannot: str


class LostWords(Strict):
    """What is shown instead of a page; it knows of no clinic."""

    broken: Said
    expired: Said
    away: Said


class UnsubscribeWords(Strict):
    """The offer to stop emails; `expired` is said where the link of an email is too old."""

    heading: str
    text: str
    button: str
    done: Said
    expired: Said


class ChannelWords(Strict):
    """A channel that is turned on or off; the last three say why it cannot be turned on."""

    heading: str
    on: str
    off: str
    terms: str
    turned_on: str
    turned_off: str
    no_address: str
    stopped_by_text: str
    refused: str


class WordingWords(Strict):
    """The choice of the words of texts."""

    heading: str
    discreet: str
    plain: str
    now_discreet: str
    now_plain: str


class LanguageWords(Strict):
    """The choice of a language."""

    heading: str
    changed: str


class PreferencesWords(Strict):
    """The page on which a patient chooses what to get."""

    heading: str
    text: str
    texts: ChannelWords
    emails: ChannelWords
    wording: WordingWords
    language: LanguageWords
    button: str
    saved: str
    unchanged: str
    expired: Said


class PageWords(Strict):
    """All words of the pages in one language."""

    language: str
    page: Around
    visit: VisitWords
    notice: NoticeWords
    done: DoneWords
    stop: StopWords
    lost: LostWords
    unsubscribe: UnsubscribeWords
    preferences: PreferencesWords


def load_page_words(content: ContentDir, language: str) -> PageWords:
    """Read the words of a language. Raises ContentError where the file is missing or broken."""
    return read_page_words(content, language)[0]


def read_page_words(content: ContentDir, language: str) -> tuple[PageWords, YamlFile]:
    """The same, with the file that knows the place of each word."""
    file = read_yaml(content.page_words(language))
    words = validated(PageWords, file)
    problems = list(blank_problems(file, _known_at))
    if words.language != language:
        what = f'the file is called {language}.yaml but says "{words.language}"; make them the same'
        problems.append(file.problem(("language",), what))
    if problems:
        raise BrokenContent(sorted(problems))
    return words, file


def page_problems(file: YamlFile, language: Language) -> Iterator[Problem]:
    """What a page should not say: a phone is seen by others, and a page is read at any time."""
    for loc, text in texts(file.data):
        yield from wording_problems(file, loc, text, language.not_discreet, language.relative_words)


@lru_cache(maxsize=64)
def page_words(content: ContentDir, language: str) -> PageWords:
    """The words of a language, or English where it has none; read once and kept."""
    try:
        return load_page_words(content, language)
    except BrokenContent:
        raise
    except ContentError:
        return load_page_words(content, _FALLBACK)


def _known_at(loc: Loc) -> frozenset[str]:
    """What may be said there: where a link does not work, nothing is known of the clinic."""
    return frozenset() if loc[0] in ("language", "lost") else CLINIC_BLANKS | _SESSION_BLANKS
