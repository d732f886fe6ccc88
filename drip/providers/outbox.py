"""A folder instead of a provider: every message becomes a file that a person can open.

It is what Drip uses until a real provider is set, and the fake that tests use, ours and yours:

    outbox = Outbox(Path("outbox"))
    answers = outbox.send(batch, now)

Open `index.html` in the folder to see what patients would have got. The files hold patients'
addresses and words: the folder is made for its owner alone.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from drip.core.outgoing import (
    Accepted,
    Answer,
    EmailContent,
    NotSent,
    Outgoing,
    Rejected,
    Retry,
    Settlement,
    SmsContent,
    Unknown,
    Unsettled,
)
from drip.providers.mime import compose, sender_mailbox

INDEX = "index.html"
"""The page that lists every message, oldest first."""

_NUMBER = re.compile(r"\+[0-9]{4,15}")
_INDEX_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Outbox</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8886; padding: .4rem .8rem .4rem 0; text-align: start; }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums; }
</style>
<h1>Outbox</h1>
<p>Nothing here was sent to anybody. Times are UTC; the newest message stands last.</p>
<table>
<thead><tr><th scope="col">Time<th scope="col">To<th scope="col">Channel<th scope="col">Message
<tbody>
"""


class Outbox:
    """Writes one file per delivery: `delivery-ID.txt` for a text, `delivery-ID.eml` for an email.

    Those of an answer begin with `answer-`. An email's `delivery-ID.html` beside it is what a
    browser shows. A file appears whole or not at all, and handing the same delivery over again
    overwrites its file. A folder that cannot be written is the answer Retry("disk"). `sender` is
    the mailbox that emails say they come from.
    """

    name = "outbox"

    def __init__(self, folder: Path, sender: str = "reminders@example.com") -> None:
        self.folder = folder
        self._sender = sender_mailbox(sender)

    def send(self, batch: Sequence[Outgoing], now: datetime) -> list[Answer]:
        """Write the messages of a batch. `now` (UTC) is the time that the files show."""
        try:
            self._prepare()
        except OSError:
            return [Retry("disk") for _ in batch]
        rows: list[str] = []
        answers = [self._put(outgoing, now, rows) for outgoing in batch]
        # The page is only a view: the messages are in their files, whatever becomes of it.
        with contextlib.suppress(OSError):
            self._append_to_index(rows)
            _sync_folder(self.folder)
        return answers

    def settle(self, batch: Sequence[Unsettled], now: datetime) -> list[Settlement]:
        """Look whether the files are there."""
        return [self._find(unsettled) for unsettled in batch]

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _put(self, outgoing: Outgoing, now: datetime, rows: list[str]) -> Answer:
        files = _files_of(outgoing, self._sender, now)
        if isinstance(files, Rejected):
            return files
        record = files[-1][0]
        try:
            is_new = not (self.folder / record).exists()
            for name, data in files:
                _write_whole(self.folder / name, data)
        except OSError:
            return Retry("disk")
        if is_new:
            rows.append(_row(outgoing, [name for name, _ in files], now))
        return Accepted(record)

    def _append_to_index(self, rows: Sequence[str]) -> None:
        """Add rows at the end: the page costs the same whether it has ten rows or a million.

        HTML needs no closing tags at the end of a page, so the page is whole after each row.
        """
        if not rows:
            return
        with _opened(self.folder / INDEX, os.O_APPEND) as file:
            head = "" if os.fstat(file).st_size else _INDEX_HEAD
            _write_all(file, (head + "".join(rows)).encode())

    def _find(self, unsettled: Unsettled) -> Settlement:
        suffix = "eml" if unsettled.body is None else "txt"
        record = _file_name(unsettled, suffix)
        try:
            found = (self.folder / record).exists()
        except OSError:
            return Unknown("the outbox folder cannot be read")
        return Accepted(record) if found else NotSent()


def _file_name(message: Outgoing | Unsettled, suffix: str) -> str:
    return f"{message.kind}-{message.delivery_id}.{suffix}"


def _files_of(outgoing: Outgoing, sender: str, now: datetime) -> list[tuple[str, bytes]] | Rejected:
    """Make the files of one message; the one that counts as its record is last."""
    content = outgoing.content
    try:
        if isinstance(content, SmsContent):
            if not _NUMBER.fullmatch(outgoing.to):
                return Rejected("address", address_is_bad=True)
            text = f"To: {outgoing.to}\nDate: {now.isoformat()}\n\n{content.body}\n"
            return [(_file_name(outgoing, "txt"), text.encode())]
        mail = compose(outgoing, sender, now)
        if isinstance(mail, Rejected):
            return mail
        page = _file_name(outgoing, "html"), content.html.encode()
    except UnicodeError:
        return Rejected("content")
    return [page, (_file_name(outgoing, "eml"), mail)]


def _row(outgoing: Outgoing, names: Sequence[str], now: datetime) -> str:
    """Write one row. `<bdi>` keeps a right-to-left word from turning its neighbours round."""
    content = outgoing.content
    shown = content.subject if isinstance(content, EmailContent) else content.body
    words = " ".join(shown.split())
    links = " ".join(f'<a href="{name}">{name.rpartition(".")[2]}</a>' for name in names)
    return (
        f'<tr id="{outgoing.kind}-{outgoing.delivery_id}"><td>{now:%Y-%m-%d %H:%M:%S}'
        f"<td><bdi>{escape(outgoing.to)}</bdi><td>{outgoing.channel}"
        f"<td><bdi>{escape(words)}</bdi> {links}\n"
    )


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    half = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with _opened(half, os.O_TRUNC) as file:
            _write_all(file, data)
            os.fsync(file)
        half.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            half.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    """Make the names of new files outlast a power cut: once a batch, not once a file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(path: Path, flag: int) -> Iterator[int]:
    """Open a file for its owner alone, as a descriptor."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
