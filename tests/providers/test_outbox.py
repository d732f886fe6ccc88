"""The outbox folder."""

import resource
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from drip.core.outgoing import Accepted, NotSent, Retry, SmsContent, Unknown
from drip.providers.outbox import Outbox
from tests.providers.rigs import NOW, email_to, text_to, unsettled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def outbox(folder: Path) -> Outbox:
    return Outbox(folder)


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let every write past `size` bytes of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Links(HTMLParser):
    """The links and the words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.words = ""
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_text_is_a_file_that_says_to_whom_and_when(outbox: Outbox, folder: Path) -> None:
    outbox.send([text_to("+12025550100", "Hello\nthere", 7)], NOW)
    assert (folder / "delivery-7.txt").read_text() == (
        "To: +12025550100\nDate: 2026-12-01T15:00:00+00:00\n\nHello\nthere\n"
    )


def test_an_email_is_a_file_for_mail_programs_and_one_for_browsers(
    outbox: Outbox, folder: Path
) -> None:
    answers = outbox.send([email_to("ann@example.com", html="<p>é</p>", delivery_id=7)], NOW)
    assert answers == [Accepted("delivery-7.eml")]
    assert (folder / "delivery-7.html").read_text(encoding="utf-8") == "<p>é</p>"
    assert b"\r\nTo: ann@example.com\r\n" in (folder / "delivery-7.eml").read_bytes()


def test_the_index_lists_each_message_and_its_links_lead_somewhere(
    outbox: Outbox, folder: Path
) -> None:
    outbox.send([text_to("+12025550100", "Hello", 1)], NOW)
    outbox.send([email_to("ann@example.com", subject="Your visit", delivery_id=2)], NOW)
    page = Links((folder / "index.html").read_text(encoding="utf-8"))
    assert page.links == ["delivery-1.txt", "delivery-2.html", "delivery-2.eml"]
    assert all((folder / link).is_file() for link in page.links)
    for word in ("+12025550100", "ann@example.com", "Hello", "Your visit", "2026-12-01 15:00:00"):
        assert word in page.words


def test_nothing_in_a_message_becomes_markup_in_the_index(outbox: Outbox, folder: Path) -> None:
    nasty = "</table><script>alert(1)</script><img src=x onerror='x'>\""
    outbox.send([text_to("+12025550100", nasty), email_to("a@example.com", subject=nasty)], NOW)
    page = Links((folder / "index.html").read_text(encoding="utf-8"))
    assert not {"script", "img"} & page.tags
    assert page.words.count(nasty) == 2


def test_handing_the_same_delivery_over_again_doubles_neither_file_nor_row(
    outbox: Outbox, folder: Path
) -> None:
    outbox.send([text_to("+12025550100", "First", 7)], NOW)
    outbox.send([text_to("+12025550100", "Second", 7)], NOW)
    assert [path.name for path in sorted(folder.iterdir())] == ["delivery-7.txt", "index.html"]
    assert "Second" in (folder / "delivery-7.txt").read_text()
    assert (folder / "index.html").read_text().count("delivery-7.txt") == 1


def test_folder_and_files_are_for_their_owner_alone(outbox: Outbox, folder: Path) -> None:
    outbox.send([email_to("ann@example.com")], NOW)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_full_disk_is_tried_again_and_leaves_no_half_file(outbox: Outbox, folder: Path) -> None:
    outbox.send([text_to("+12025550100", "short", 1)], NOW)
    with full_disk(3_000):
        answers = outbox.send(
            [
                text_to("+12025550101", "long " * 1_000, 2),
                text_to("+12025550102", "short", 3),
                text_to("+12025550100", "long " * 1_000, 1),
            ],
            NOW,
        )
    assert answers == [Retry("disk"), Accepted("delivery-3.txt"), Retry("disk")]
    assert {path.name for path in folder.iterdir()} == {
        "delivery-1.txt",
        "delivery-3.txt",
        "index.html",
    }
    assert "short" in (folder / "delivery-1.txt").read_text()


def test_settling_looks_whether_the_file_is_there(outbox: Outbox) -> None:
    there, gone = email_to("ann@example.com", delivery_id=1), text_to("+12025550100", "Hi", 2)
    outbox.send([there], NOW)
    assert outbox.settle([unsettled(gone), unsettled(there)], NOW) == [
        NotSent(),
        Accepted("delivery-1.eml"),
    ]


def test_an_answer_is_not_taken_for_the_delivery_of_the_same_number(
    outbox: Outbox, folder: Path
) -> None:
    delivery = text_to("+12025550100", "Hi", 7)
    answer = replace(delivery, content=SmsContent("An answer"), kind="answer")
    assert outbox.send([delivery, answer], NOW) == [
        Accepted("delivery-7.txt"),
        Accepted("answer-7.txt"),
    ]
    assert "An answer" in (folder / "answer-7.txt").read_text()
    asked = replace(unsettled(text_to("+12025550100", "Hi", 8)), delivery_id=7, kind="answer")
    gone = replace(asked, delivery_id=8)
    assert outbox.settle([asked, gone], NOW) == [Accepted("answer-7.txt"), NotSent()]


def test_settling_does_not_guess_when_it_cannot_look(folder: Path) -> None:
    folder.symlink_to(folder.parent / ("x" * 300))
    [settled] = Outbox(folder).settle([unsettled(text_to("+12025550100"))], NOW)
    assert isinstance(settled, Unknown)


def test_a_batch_costs_the_same_however_many_messages_lie_there(
    outbox: Outbox, folder: Path
) -> None:
    def cost(start: int) -> float:
        began = time.process_time()
        outbox.send([text_to("+12025550100", "Hello", start + n) for n in range(50)], NOW)
        return time.process_time() - began

    first = min(cost(start) for start in range(0, 500, 50))
    with (folder / "index.html").open("a") as index:
        index.writelines("<tr><td>an older message\n" for _ in range(500_000))
    later = min(cost(start) for start in range(1_000, 1_500, 50))
    assert later < 3 * first
