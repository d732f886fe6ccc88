"""The log: JSON, one object a line on standard error, or readable text at a terminal.

It has ids and never a patient's data. What others put into it, Celery or an exception, is told
without the words of an exception that may quote a patient, and with addresses masked.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import fields
from types import TracebackType
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor

from drip.config import Secret, Settings
from drip.errors import DripError

Format = Literal["json", "text"]

_SHORTEST_SECRET = 6
"""A shorter one would blot out ordinary words."""

_PATTERNS = (
    (re.compile(r"(?<=://)[^\s/@]*@"), "[secret]@"),
    (re.compile(r"\b(Bearer|Basic)\s+\S+"), r"\1 [secret]"),
    (
        re.compile(r"(?i)((?:password|passwd|secret|token|api_?key)[\"']?\s*[=:]\s*)[^\s&,;}]+"),
        r"\1[secret]",
    ),
    (re.compile(r"[^\s@<>\"'(),:;=\[\]]+(?:@|%40)[^\s@<>\"'(),:;&]+\.[^\W\d]\w+"), "[email]"),
    (re.compile(r"(?:\+|%2B)\d(?:[ ().-]*\d){6,14}"), "[phone]"),
    (re.compile(r"(?<![\w-])(?:1[ .-]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}(?![\w-])"), "[phone]"),
    (re.compile(r"(?<![\w.-])\d{10,15}(?![\w-])"), "[phone]"),
)
"""What looks like a secret or an address, and what stands there instead."""

_SUSPECT = re.compile(r"[@=:%+]|\d{4}|Bea|Bas")
"""What a text has that any of the patterns could fit: most have none of it."""


def configure_logs(settings: Settings) -> Format:
    """Send the log, and that of every library, to standard error; gives its format.

    JSON unless a person watches or `DRIP_LOG_FORMAT` says otherwise. What ends a process or a
    thread goes there too.
    """
    form: Format = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    first: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [tell_exception, Masking(_secrets_of(settings)), _renderer(form)]
    # Our own lines do not go by way of `logging`, which would make them four times as slow.
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Line,
        cache_logger_on_first_use=True,
    )
    _configure_others(first, last, level)
    sys.excepthook = _log_end_of_process
    threading.excepthook = _log_end_of_thread
    return form


def _configure_others(first: list[Processor], last: list[Processor], level: int) -> None:
    """Have what libraries log, and Python's warnings, told in the same way."""
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=[drop, *last])
    )
    others = logging.INFO if level == logging.DEBUG else max(level, logging.WARNING)
    logging.basicConfig(handlers=[handler], level=others, force=True)
    logging.captureWarnings(capture=True)


class _Line:
    """Where an entry ends: one line, written at once, so that processes do not mix theirs."""

    def __init__(self, name: str = "drip") -> None:
        self.name = name

    def msg(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")

    debug = info = warning = error = critical = msg


class Masking:
    """Masks what looks like a phone number, an email address or a secret, in every value."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = secrets

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        """Mask the values of one entry; its time and its level are ours."""
        return {
            key: value if key in ("timestamp", "level", "logger") else self._masked(value)
            for key, value in event.items()
        }

    def text(self, text: str) -> str:
        """One text, masked."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        if _SUSPECT.search(text):
            for pattern, instead in _PATTERNS:
                text = pattern.sub(instead, text)
        return text

    def _masked(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {self.text(str(key)): self._masked(each) for key, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._masked(each) for each in value]
        return self.text(str(value))


def tell_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Say of an exception what it is and where, and its words only where they are Drip's own.

    The words of any other may quote a name or a message, and are taken out of the event too.
    """
    error = _exception_of(event.pop("exc_info", None))
    if error is None:
        return event
    chain = list(_chain(error))
    said = str(event.get("event", ""))
    for each in chain:
        for words in (repr(each), str(each)):
            if words and _words_of(each) is None:
                said = said.replace(words, type(each).__name__)
    event["event"] = said
    event["exception"] = "\n".join(line for each in chain for line in _told(each))
    return event


def _exception_of(exc_info: object) -> BaseException | None:
    if exc_info is True:
        return sys.exc_info()[1]
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and those that led to it, each once."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        suppressed = following.__suppress_context__
        following = following.__cause__ or (None if suppressed else following.__context__)


def _told(error: BaseException) -> Iterator[str]:
    words = _words_of(error)
    yield type(error).__qualname__ + (f": {words}" if words else "")
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"


def _words_of(error: BaseException) -> str | None:
    """What an exception says, where that cannot quote a patient's data."""
    if isinstance(error, DripError):
        return str(error)
    return error.strerror if isinstance(error, OSError) else None


def _secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret of the settings; of an address only the password in it."""
    values = (getattr(settings, field.name) for field in fields(settings))
    secrets = [value.reveal() for value in values if isinstance(value, Secret)]
    passwords = [_password_in(secret) if "://" in secret else secret for secret in secrets]
    return tuple(each for each in passwords if len(each) >= _SHORTEST_SECRET)


def _password_in(url: str) -> str:
    return url.partition("://")[2].rpartition("@")[0].partition(":")[2]


def _renderer(form: Format) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _log_end_of_process(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, Exception):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger(__name__).critical("process.ended", exc_info=error)


def _log_end_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and isinstance(args.exc_value, Exception):
        structlog.get_logger(__name__).critical("thread.ended", exc_info=args.exc_value)
