"""`drip classify`: how a reply is understood, with no set-up."""

import io
import json
import sys

import pytest

from tests.cli.conftest import Drip


def test_a_reply_is_shown_with_its_class_and_the_words_that_decided_it(empty_drip: Drip) -> None:
    done = empty_drip("classify", "Please stop texting me")
    assert done.status == 0
    heading, row = done.out.splitlines()
    assert heading.split() == ["Class", "Stop", "Language", "Matched", "Reply"]
    assert row.split()[:3] == ["stop", "stop", "en"]
    assert row.endswith("Please stop texting me")
    assert not list(empty_drip.folder.iterdir())


def test_json_has_a_line_for_each_reply_of_a_file(empty_drip: Drip) -> None:
    path = empty_drip.folder / "replies.txt"
    path.write_bytes(
        "\ufeffSTOP\r\n\r\nquiero morirme\nC\n\xff\n".encode("utf-8")[:-3] + b"\xff\xfe\n"
    )
    done = empty_drip("classify", "--file", path, "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert lines[0] == {
        "text": "STOP", "class": "stop", "stop": True, "language": "en", "matched": "stop",
    }  # fmt: skip
    assert [line["class"] for line in lines] == ["stop", "other", "crisis", "confirm", "other"]
    assert lines[4]["text"] == "\ufffd\ufffd"


def test_a_dash_reads_what_is_piped_in(empty_drip: Drip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("sí confirmo\n".encode())))
    done = empty_drip("classify", "--file", "-", "--json")
    assert done.json["class"] == "confirm"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "a TEXT, or --file FILE"),
        (("stop", "--file", "-"), "a TEXT, or --file FILE"),
        (("--file", "nowhere.txt"), "No such file"),
        (("--file", "."), "directory"),
    ],
)
def test_wrong_usage_is_one_clear_line(empty_drip: Drip, args: tuple[str, ...], told: str) -> None:
    done = empty_drip("classify", *args)
    assert (done.status, done.out) == (2, "")
    assert told in done.err
    assert len(done.err.splitlines()) == 1


def test_an_empty_reply_goes_to_a_person(empty_drip: Drip) -> None:
    assert empty_drip("classify", "", "--json").json["class"] == "other"


def test_a_clinics_own_rules_are_used_and_their_mistakes_told(empty_drip: Drip) -> None:
    own = empty_drip.folder / "content" / "messages" / "_replies"
    own.mkdir(parents=True)
    (own / "en.yaml").write_text("language: en\n")
    empty_drip.set(DRIP_CONTENT_DIR="content")
    done = empty_drip("classify", "stop")
    assert done.status == 1
    assert "content/messages/_replies/en.yaml:1:1" in done.err
