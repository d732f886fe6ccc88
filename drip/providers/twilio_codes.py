"""What Twilio's error codes mean, read from `twilio_codes.toml` (rules.md, "Twilio")."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from drip.core.outgoing import Rejected, Retry


class CodeKind(StrEnum):
    """What is to be done about a code; the table says what each kind is."""

    BAD_ADDRESS = "bad_address"
    SUPPRESS = "suppress"
    RETRY_ONCE = "retry_once"
    BACK_OFF = "back_off"
    NEXT_DAY = "next_day"
    CONTENT = "content"
    REGISTRATION = "registration"
    CONFIGURATION = "configuration"
    ROUTE = "route"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


_TRIED_AGAIN = frozenset(
    {CodeKind.RETRY_ONCE, CodeKind.BACK_OFF, CodeKind.NEXT_DAY, CodeKind.CONFIGURATION}
)

_SET_UP = frozenset({CodeKind.CONTENT, CodeKind.REGISTRATION, CodeKind.CONFIGURATION})


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """One code: what to do, what to tell staff, and how many seconds to wait, if it says."""

    code: str
    kind: CodeKind
    says: str
    wait: float | None = None

    @property
    def may_retry(self) -> bool:
        """Whether the same text may be handed over again."""
        return self.kind in _TRIED_AGAIN

    def as_answer(self) -> Retry | Rejected:
        """The answer of a provider that was refused with this code."""
        if self.may_retry:
            return Retry(self.code, self.wait, self.alert)
        return self.as_rejection()

    @property
    def alert(self) -> str | None:
        """What staff must mend before any text goes out, None where it is about this one."""
        return self.says if self.kind in _SET_UP else None

    def as_rejection(self) -> Rejected:
        """The same as a final word: what a message that failed later has come to."""
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
        code: CodeMeaning(code, CodeKind(entry["kind"]), entry["says"], entry.get("wait"))
        for code, entry in tomllib.loads(text).items()
    }
