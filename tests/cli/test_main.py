"""The command line itself: help, wrong words, closed and full outputs, colours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from drip.cli.main import COMMANDS
from tests.cli.conftest import Drip

PREVIEW = ("preview", "--session", "2027-01-10T09:00", "--booked", "2026-12-01T09:00")


def command(*args: str | bytes) -> list[str | bytes]:
    return [sys.executable, "-m", "drip", *args]


def environment(pytestconfig: pytest.Config, **more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(pytestconfig.rootpath), "TERM": "xterm"} | more


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_whose_examples_stand_on_their_own_lines(
    name: str, empty_drip: Drip
) -> None:
    done = empty_drip(name, "--help")
    assert (done.status, done.err) == (0, "")
    assert "\\b" not in done.out
    for line in done.out.splitlines():
        assert "drip " not in line or line.lstrip().startswith(("drip ", "Usage: ")) or "`" in line


def test_drip_alone_shows_what_there_is(empty_drip: Drip) -> None:
    for args in ((), ("import",)):
        done = empty_drip(*args)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("Usage: drip")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("preveiw",), "Did you mean `drip preview`?"),
        (("--foo",), "--foo"),
        (("preview", "--sesion", "x"), "'--session'?) `drip preview --help` shows how."),
        (("list", "--search", "Jos\udce9"), "letters that cannot be read"),
        (("preview", "--enrollment", "9" * 30), "is not the number of an enrollment"),
    ],
)
def test_a_wrong_word_is_an_error_of_one_line(args: tuple[str, ...], said: str, drip: Drip) -> None:
    done = drip(*args)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk is always full here")
def test_output_that_cannot_be_written_is_an_error_of_one_line(
    empty_drip: Drip, pytestconfig: pytest.Config
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(*PREVIEW),
            env=environment(pytestconfig),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == "drip: The output cannot be written: No space left on device.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="it has no shell that closes an output")
def test_a_closed_output_is_no_error(empty_drip: Drip, pytestconfig: pytest.Config) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command(*PREVIEW)],
        env=environment(pytestconfig),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_letter_that_the_output_does_not_know_becomes_a_question_mark(
    drip: Drip, pytestconfig: pytest.Config
) -> None:
    drip.enroll(name="王小明")
    done = subprocess.run(
        command("list"),
        env=environment(pytestconfig, PYTHONIOENCODING="cp1252"),
        capture_output=True,
        text=True,
        encoding="cp1252",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "1   ???" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_no_color_is_respected(drip: Drip, pytestconfig: pytest.Config) -> None:
    import pty

    ours, theirs = pty.openpty()
    subprocess.run(
        command("doctor"), env=environment(pytestconfig, NO_COLOR="1"), stdout=theirs, check=True
    )
    os.close(theirs)
    shown = b""
    try:
        while read := os.read(ours, 4096):
            shown += read
    except OSError:
        pass  # the other end is closed: that was all
    os.close(ours)
    assert b"ok       Python" in shown
    assert b"\x1b[3" not in shown
