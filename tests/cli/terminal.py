"""A command run in a real terminal of 80 columns."""

import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress

from tests.cli.conftest import Drip

_STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def at_terminal(drip: Drip, *args: object, answer: str = "") -> tuple[int, list[str]]:
    """The exit status and the lines that somebody sees; `answer` is typed in.

    It is a process of its own, which has the clock of this machine.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    os.write(ours, answer.encode())
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [sys.executable, "-m", "drip", *map(str, args)],
        cwd=drip.folder,
        env={**environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    screen = b""
    with suppress(OSError):  # the other end was closed: it has ended
        while read := os.read(ours, 4096):
            screen += read
    os.close(ours)
    status = process.wait(30)
    text = _STYLES.sub("", screen.decode()).replace("\r", "")
    return status, [line.rstrip() for line in text.splitlines()]
