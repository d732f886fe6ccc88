"""`drip simulate`: what it prints, and what it refuses."""

import os
import pty
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.cli.conftest import Drip, Run

SMALL = ("simulate", "--patients", 6, "--days", 2, "--start", "2026-12-07")


class _Page(HTMLParser):
    """Looks at a page's tags: what it would load, and what it says for who cannot see it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@pytest.fixture
def small(empty_drip: Drip) -> Run:
    """A small simulation in an empty folder, with its page."""
    return empty_drip(*SMALL, "--rate", 0.02, "--html", "page.html")


def test_in_a_pipe_it_is_plain_lines_and_the_answer_comes_first(small: Run) -> None:
    assert small.status == 0
    lines = small.out.splitlines()
    assert lines[0] == "6 patients of River Ketamine Center over 2 days at 0.02 texts a second"
    assert lines[1].startswith("A pace of 0.02 texts a second is ")
    assert all(len(line) <= 80 for line in lines[6:])
    assert "█" not in small.out
    for title in ("What became of them", "Hour of the day", "After its time", "Texts by length"):
        assert any(line.startswith(title) for line in lines)
    assert "sample clinic" in small.err
    assert re.search(r"^Day \d+: 6 of 6 patients, \d+ deliveries$", small.err, re.MULTILINE)


def test_the_page_is_complete_in_itself_and_says_everything_in_words_too(
    small: Run, empty_drip: Drip
) -> None:
    text = (empty_drip.folder / "page.html").read_text(encoding="utf-8")
    page = _Page(text)
    assert "script" not in page.tags
    assert not {"link", "img", "iframe"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href")]
    assert "http" not in text
    assert "@media (prefers-color-scheme: dark)" in text
    charts = [name for name, value in page.attributes if (name, value) == ("role", "img")]
    titles = [value for name, value in page.attributes if name == "aria-labelledby"]
    assert len(charts) == len(titles) == 3
    assert all(f'<title id="{title}">' in text for title in titles)
    assert page.tags.count("table") == 6
    assert "None" not in re.sub(
        r"<style>.*?</style>|None of these patients", "", text, flags=re.DOTALL
    )


def test_json_has_the_figures_that_the_page_has(empty_drip: Drip) -> None:
    done = empty_drip(*SMALL, "--seed", 3, "--price-per-part", 0.5, "--json")
    made = done.json
    assert list(made) == [
        "clinic",
        "timezone",
        "schedule",
        "patients",
        "days",
        "first_day",
        "seed",
        "provider",
        "texts_a_second",
        "enough_texts_a_second",
        "deliveries",
        "held",
        "patients_to_call",
        "late_seconds",
        "longest_queue",
        "hours",
        "by_day",
        "parts",
        "all_parts",
        "price_per_part",
        "cost",
    ]
    texts = made["deliveries"]["sms"]
    assert list(texts) == ["planned", "sent", "skipped", "cancelled", "expired", "failed"]
    assert texts["sent"] == sum(each["texts"] for each in made["parts"]) > 0
    assert made["cost"] == made["all_parts"] * 0.5
    assert set(made["late_seconds"]) == {"p50", "p95", "max"}
    assert made["first_day"] == made["by_day"][0]["day"] == "2026-12-07"
    assert (made["texts_a_second"], made["seed"]) == (1.0, 3)


def test_the_pace_of_a_kind_of_sender_can_be_tried_and_messages_can_go_to_a_folder(
    empty_drip: Drip,
) -> None:
    words = ("--sender", "short-code", "--provider", "outbox", "--json")
    done = empty_drip("simulate", "--patients", 1, "--days", 1, *words)
    assert done.json["texts_a_second"] == 100
    sent = sum(of["sent"] for of in done.json["deliveries"].values())
    folder = empty_drip.folder / "drip-simulation"
    assert sum(path.suffix in (".txt", ".eml") for path in folder.iterdir()) == sent > 0
    again = empty_drip("simulate", "--patients", 1, *words)
    assert (again.status, again.out) == (2, "")
    assert "drip-simulation is there already" in again.err


def test_its_own_clinic_is_simulated_and_its_database_left_alone(drip: Drip) -> None:
    path = drip.folder / "clinic.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("River Ketamine Center", "Lake Clinic"), encoding="utf-8")
    before = (drip.folder / "drip.db").read_bytes()
    done = drip("simulate", "--patients", 1, "--days", 1)
    assert done.out.startswith("1 patient of Lake Clinic over 1 day at")
    assert (drip.folder / "drip.db").read_bytes() == before
    assert "sample clinic" not in done.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--patients", "0"), 2, "0 is not in the range"),
        (("--patients", "80001"), 2, "80001 is not in the range"),
        (("--days", "-3"), 2, "-3 is not in the range"),
        (("--rate", "0"), 2, "0.0 is not in the range"),
        (("--rate", "nan"), 2, "it is not a number"),
        (("--rate", "2", "--sender", "long-code"), 2, "give one of them"),
        (("--sender", "pigeon"), 2, "'pigeon' is not one of"),
        (("--price-per-part", "-1"), 2, "-1.0 is not in the range"),
        (("--price-per-part", "nan"), 2, "it is not a number"),
        (("--start", "soon"), 2, "'soon' does not match"),
        (("--start", "9999-12-31"), 2, "give a day from 2000 to 2099"),
        (("--start", "0001-01-01"), 2, "give a day from 2000 to 2099"),
        (("--html", "nowhere/page.html"), 2, "nowhere/page.html cannot be written"),
        (("--html", "."), 2, ". cannot be written"),
        (("--schedule", "ketamin-first-session"), 1, "ketamine-first-session"),
    ],
)
def test_wrong_input_is_one_clear_line(
    words: tuple[str, ...], status: int, said: str, drip: Drip
) -> None:
    done = drip("simulate", *words)
    assert (done.status, done.out) == (status, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_a_broken_clinic_file_is_named_with_its_line(drip: Drip) -> None:
    path = drip.folder / "clinic.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("America/New_York", "America/NewYork"), encoding="utf-8")
    done = drip("simulate")
    assert (done.status, done.out) == (1, "")
    assert re.search(r"clinic\.yaml:\d+:\d+", done.err)
    assert len(done.err.splitlines()) == 1


def test_ctrl_c_is_one_line_and_leaves_no_file_behind(tmp_path: Path) -> None:
    temp = tmp_path / "temp"
    temp.mkdir()
    words = [sys.executable, "-m", "drip", "simulate", "--patients", "5000", "--days", "10"]
    words += ["--html", "page.html"]
    running = subprocess.Popen(
        words,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temp)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    said = [running.stderr.readline(), running.stderr.readline()]
    assert said[1].startswith("Day 1: ")
    assert len(list(temp.iterdir())) == 1
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    lines = [line for line in err.splitlines() if not line.startswith("Day ")]
    assert (running.returncode, out) == (1, "")
    assert lines == ["drip: Stopped: nothing of the simulation was kept."]
    assert list(temp.iterdir()) == []
    assert not (tmp_path / "page.html").exists()


def test_in_a_terminal_it_shows_a_bar_and_draws_tables_of_80_columns(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "drip", *map(str, SMALL)]
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    running = subprocess.Popen(
        words, cwd=tmp_path, stdin=follower, stdout=follower, stderr=follower, env=env
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # how Linux says that nobody writes any more
            break
        shown += piece
    os.close(leader)
    assert running.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "6 of 6 patients" in text
    assert "━" in text
    assert "█" in text
    report = text[text.index("6 patients of River") :].replace("\r", "")
    assert max(len(line.rstrip()) for line in report.splitlines()) <= 80
