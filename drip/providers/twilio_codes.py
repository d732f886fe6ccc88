"""What Twilio's error codes mean, read from `twilio_codes.toml` (rules.md, "Twilio")."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from drip.core.outgoing import Rejected, Retry
from drip.core.retry import RetryKind


class CodeKind(StrEnum):
    """What is to be done about a code; the table says what each kind is.

    Those that are retried are called as in RetryKind.
    """

    BAD_ADDRESS = "bad_address"
    SUPPRESS = "suppress"
    RETRY_ONCE = "retry_once"
    BUSY = "busy"
    BACK_OFF = "back_off"
    NEXT_DAY = "next_day"
    CONTENT = "content"
    REGISTRATION = "registration"
    CONFIGURATION = "configuration"
    ROUTE = "route"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


_RETRIED = {kind.value: kind for kind in RetryKind}

_SET_UP = frozenset({CodeKind.CONTENT, CodeKind.REGISTRATION, CodeKind.CONFIGURATION})


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """One code: what to do, and what to tell staff."""

    code: str
    kind: CodeKind
    says: str

    @property
    def retry(self) -> RetryKind | None:
        """How the same text is tried again; None where it is not."""
        return _RETRIED.get(self.kind.value)

    @property
    def alert(self) -> str | None:
        """What staff must mend before any text goes out, None where it is about this one."""
        return self.says if self.kind in _SET_UP else None

    def as_answer(self) -> Retry | Rejected:
        """The answer of a provider that refused a text with this code, or failed to send it."""
        if self.retry is not None:
            return Retry(self.code, alert=self.alert, kind=self.retry)
        return Rejected(
            self.code,
            address_is_bad=self.kind is CodeKind.BAD_ADDRESS,
            suppress=self.kind is CodeKind.SUPPRESS,
            alert=self.alert,
        )


def meaning_of(code: str) -> CodeMeaning:
    """Look a code up. One that is not in the table keeps its number and is not retried."""
    return _table().get(code) or CodeMeaning(
        code, CodeKind.UNKNOWN, f"Twilio answered with the code {code}. Look it up, or call."
    )


@cache
def _table() -> dict[str, CodeMeaning]:
    text = (files("drip.providers") / "twilio_codes.toml").read_text(encoding="utf-8")
    return {
        code: CodeMeaning(code, CodeKind(entry["kind"]), entry["says"])
        for code, entry in tomllib.loads(text).items()
    }
