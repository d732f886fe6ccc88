"""Dates, times, places and numbers in the words of a patient's language."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from drip.content.language_file import Language
from drip.core.clinic import Clinic

_ODD_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2009"), " ")
_EVENING = 17
"""The hour on the clinic's clock from which a session of today is called tonight's."""
_UNNAMED = dict.fromkeys(
    ("America/Indiana/Indianapolis", "America/Fort_Wayne", "America/Kentucky/Louisville"),
    ZoneInfo("America/New_York"),
)
"""Zones that babel has no good name for, each with one on the same clock that it can name."""
_BLANK = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


class SessionWords(NamedTuple):
    """The session as a message names it: on the clinic's clock, in the patient's language.

    `time` and `at` name the zone where the patient's clock differs. `arrive_time` and `arrive_at`
    never do: they stand beside `at`, and one zone in a text is dear enough.
    """

    date: str
    when: str
    time: str
    at: str
    arrive_time: str
    arrive_at: str
    route: str


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values into the blanks (`{{ name }}`) of a sentence from a language file.

    A value is put in as it is: blanks inside it stay text. KeyError names a blank without value.
    """
    return _BLANK.sub(lambda blank: values[blank[1]], text)


def clinic_blanks(clinic: Clinic) -> dict[str, str]:
    """What the sentences of a language file may say of the clinic."""
    return {
        "clinic.public_name": clinic.public_name,
        "clinic.phone": phone_said(clinic.phone),
        "clinic.email": clinic.email,
        "clinic.address": clinic.address,
    }


def session_words(
    language: Language,
    clinic: Clinic,
    session_at: datetime,
    patient_zone: ZoneInfo,
    now: datetime,
    route: str,
) -> SessionWords:
    """Say when the session is. `session_at` and `now` are aware; `now` is when it is read."""
    speak = _Speaker(language, clinic.zone, patient_zone)
    arrive_at = session_at - clinic.arrive_early
    return SessionWords(
        date=speak.date(session_at),
        when=speak.when(session_at, now),
        time=speak.time(session_at),
        at=speak.after_at(session_at, speak.time(session_at)),
        arrive_time=speak.clock_time(arrive_at),
        arrive_at=speak.after_at(arrive_at, speak.clock_time(arrive_at)),
        route=route,
    )


@dataclass(frozen=True, slots=True)
class _Speaker:
    language: Language
    zone: ZoneInfo
    patient_zone: ZoneInfo

    def date(self, moment: datetime) -> str:
        return date_said(self.language, moment.astimezone(self.zone).date())

    def when(self, moment: datetime, now: datetime) -> str:
        day = _relative_day(moment, now, (self.zone, self.patient_zone))
        if day == "today" and moment.astimezone(self.zone).hour >= _EVENING:
            day = "tonight"
        return fill(getattr(self.language.relative_day, day), {"date": self.date(moment)})

    def clock_time(self, moment: datetime) -> str:
        local = moment.astimezone(self.zone).time()
        return _time_said(local, self.language.time, _locale(self.language))

    def time(self, moment: datetime) -> str:
        """The time, with its zone where the patient's clock differs."""
        said, local = self.clock_time(moment), moment.astimezone(self.zone)
        if local.utcoffset() == moment.astimezone(self.patient_zone).utcoffset():
            return said
        return fill(self.language.zone_suffix, {"time": said, "zone": self._zone_name(moment)})

    def after_at(self, moment: datetime, said: str) -> str:
        hour = moment.astimezone(self.zone).hour
        shown = (hour % 12 or 12) if re.search("[hK]", self.language.time) else hour
        sentence = self.language.at.one if shown == 1 else self.language.at.other
        return fill(sentence, {"time": said})

    def _zone_name(self, moment: datetime) -> str:
        from babel.dates import get_timezone_name

        name, theirs = (
            get_timezone_name(_UNNAMED.get(zone.key, zone), locale=_locale(self.language))
            for zone in (self.zone, self.patient_zone)
        )
        if name == theirs:
            # Denver and Phoenix are both "Mountain Time" and differ in summer.
            local = moment.astimezone(self.zone)
            name = get_timezone_name(local, locale=_locale(self.language))
        return _plain(name)


def date_said(language: Language, day: date) -> str:
    """A day as a language names it: Thursday, December 10."""
    return _date_said(day, language.date, _locale(language))


# Babel takes a while over each, and sessions share their days and hours.


@lru_cache(maxsize=10_000)
def _date_said(day: date, pattern: str, locale: str) -> str:
    from babel.dates import format_date

    return _plain(format_date(day, pattern, locale=locale))


@lru_cache(maxsize=2_000)
def _time_said(local: time, pattern: str, locale: str) -> str:
    from babel.dates import format_time

    return _plain(format_time(local, pattern, locale=locale))


def _locale(language: Language) -> str:
    return language.language.replace("-", "_")


def _relative_day(moment: datetime, now: datetime, zones: Iterable[ZoneInfo]) -> str:
    """Today or tomorrow if every zone's calendar shows the same two dates, else "other"."""
    dates = {(moment.astimezone(zone).date(), now.astimezone(zone).date()) for zone in zones}
    if len(dates) > 1:
        return "other"
    session, today = dates.pop()
    return {0: "today", 1: "tomorrow"}.get((session - today).days, "other")


@cache
def phone_said(number: str) -> str:
    """An E.164 number as people of its country write it: (212) 555-0100."""
    if re.fullmatch(r"\+1\d{10}", number):
        return f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    import phonenumbers  # 120 ms; numbers of North America need none of it

    parsed = phonenumbers.parse(number)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)


@cache
def direction(language: str) -> str:
    """Whether a language is written "ltr" or "rtl"."""
    from babel import Locale

    found: str = Locale.parse(language.replace("-", "_")).text_direction
    return found


def _plain(text: str) -> str:
    """Babel's no-break and narrow spaces as plain ones: in an SMS they cost a whole part."""
    return text.translate(_ODD_SPACES)
