"""Where content lies: a clinic's own files hide the built-in ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from drip.content.messages import load_message
from drip.content.sources import ContentDir, built_in, content_dir
from drip.errors import ContentError


def test_the_built_in_content_has_every_message_of_the_journey_in_two_languages(
    content: ContentDir,
) -> None:
    messages = content.messages()
    assert len(messages) == 14
    assert {tuple(sorted(languages)) for languages in messages.values()} == {("en", "es")}
    assert content.languages() == ("en", "es")
    assert content.schedules() == ("ketamine-first-session",)


def test_a_file_of_the_clinic_hides_the_built_in_one_and_leaves_the_others(
    own: ContentDir, change: Callable[..., Path]
) -> None:
    changed = change("messages/welcome/en.md", ("Hi ", "Good day "))
    assert own.message("welcome", "en") == changed
    assert own.message("welcome", "es") == built_in() / "messages/welcome/es.md"
    assert load_message(own, "welcome", "en").body.startswith("Good day")


def test_a_clinic_can_add_messages_schedules_and_languages(
    own: ContentDir, write: Callable[[str, str], Path]
) -> None:
    write("messages/parking/en.md", "")
    write("schedules/second-session.yaml", "")
    write("messages/_language/de.yaml", "")
    assert "parking" in own.messages()
    assert own.has_message("parking")
    assert own.schedules() == ("ketamine-first-session", "second-session")
    assert own.languages() == ("de", "en", "es")


def test_a_folder_whose_name_cannot_name_a_message_is_told(
    own: ContentDir, write: Callable[[str, str], Path]
) -> None:
    write("messages/My Message/en.md", "")
    with pytest.raises(ContentError, match='"My Message" cannot name a message: use letters'):
        own.message("My Message", "en")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda c: c.message("wellcome", "en"), 'No message "wellcome": did you mean "welcome"?'),
        (lambda c: c.message("welcome", "de"), 'Message "welcome" is not there in "de"'),
        (lambda c: c.schedule(""), 'No schedule "": known: ketamine-first-session.'),
        (lambda c: c.language("xx"), 'No language "xx": known: en, es.'),
        (lambda c: c.schedule("ketamine"), 'No schedule "ketamine": '),
        (lambda c: c.layout("email.pdf"), "email.pdf is missing"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest_that_is(
    content: ContentDir, call: Callable[[ContentDir], Path], told: str
) -> None:
    with pytest.raises(ContentError) as caught:
        call(content)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["../welcome", "a/b", "..", ".", "", "welcome/../welcome"])
def test_a_name_cannot_lead_out_of_the_content(content: ContentDir, name: str) -> None:
    assert not content.has_message(name)
    with pytest.raises(ContentError):
        content.message(name, "en")
    with pytest.raises(ContentError):
        content.message("welcome", name)
    with pytest.raises(ContentError):
        content.schedule(name)


def test_an_overlay_that_is_not_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"nowhere is not a folder: make it"):
        content_dir(tmp_path / "nowhere")
