"""What a message may name: a clinic's words, made once, and those of one patient's visit."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from drip.content.language_file import CrisisLines, Language, crisis_words
from drip.content.templates import Trusted
from drip.content.words import SessionWords, clinic_blanks, fill, session_words
from drip.core.clinic import Clinic


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a message may say of one patient and the visit.

    `session_at` and `now` are aware (UTC); `now` is the moment of sending. `zone` is the
    patient's, or the clinic's where the patient has none. `route` is "iv", "im", "nasal", "oral"
    or "". `skipped` names the messages that a short-notice plan left out, in order.
    `enrollment` names the visit in calendar files, and `sequence` grows with each reschedule.
    `by_email` says whether the body is that of an email, with a calendar file beside it, and not
    of a patient's page. `page_url` is where the message stands in full; None where nobody could
    follow it. `unsubscribe_url` and `preferences_url` are the patient's own, for emails alone.
    """

    first_name: str
    language: str
    zone: ZoneInfo
    clinic: Clinic
    session_at: datetime
    now: datetime
    plain_wording: bool = False
    route: str = ""
    skipped: tuple[str, ...] = ()
    enrollment: str = ""
    sequence: int = 0
    by_email: bool = True
    page_url: str | None = None
    unsubscribe_url: str | None = None
    preferences_url: str | None = None


_SESSIONS_KEPT = 1000


class Values:
    """The values of templates for one clinic's patients in one language.

    Both methods raise ContentError where the clinic's country has no words of crisis.
    """

    def __init__(
        self, clinic: Clinic, language: Language, crisis: Callable[[], CrisisLines]
    ) -> None:
        self.clinic = clinic
        self._language = language
        self._crisis = crisis
        self._said = _clinic_values(clinic, language)
        # Sessions share their days and hours, and it takes a while to say them.
        self._sessions: dict[tuple[datetime, str, ZoneInfo, date, date], SessionWords] = {}

    def of_line(self, facts: Facts) -> dict[str, Any]:
        """For a text, a subject or a title."""
        return {**self._said, "crisis": self._in_lines, **self._of_patient(facts)}

    def of_body(self, facts: Facts) -> dict[str, Any]:
        """For the body of an email, or of a page, which is Markdown."""
        said = {**self._said, "by_email": facts.by_email, "crisis": self._in_bodies}
        return {**said, **self._of_patient(facts)}

    @cached_property
    def _in_lines(self) -> SimpleNamespace:
        return SimpleNamespace(sms=crisis_words(self._crisis(), self._language.language, "sms"))

    @cached_property
    def _in_bodies(self) -> SimpleNamespace:
        words = crisis_words(self._crisis(), self._language.language, "email")
        return SimpleNamespace(email=Trusted(words))

    def _of_patient(self, facts: Facts) -> dict[str, Any]:
        return {
            "patient": SimpleNamespace(first_name=facts.first_name),
            "links": SimpleNamespace(page=facts.page_url),
            "session": self._session(facts),
        }

    def _session(self, facts: Facts) -> SessionWords:
        here = facts.now.astimezone(self.clinic.zone).date()
        there = facts.now.astimezone(facts.zone).date()
        key = facts.session_at, facts.route, facts.zone, here, there
        if key not in self._sessions:
            if len(self._sessions) >= _SESSIONS_KEPT:
                self._sessions.clear()
            self._sessions[key] = session_words(
                self._language, self.clinic, facts.session_at, facts.zone, facts.now, facts.route
            )
        return self._sessions[key]


def _clinic_values(clinic: Clinic, language: Language) -> dict[str, Any]:
    blanks = clinic_blanks(clinic)
    said = {name.removeprefix("clinic."): text for name, text in blanks.items()}
    defaults = {str(name): fill(text, blanks) for name, text in language.instructions.items()}
    own = clinic.instructions.get(language.language, {})
    no_replies = fill(language.no_replies, blanks)
    return {
        "clinic": SimpleNamespace(**{**defaults, **own, **said}),
        "invite": lambda invitation, otherwise=no_replies: (
            invitation if clinic.hears_replies else otherwise
        ),
    }
