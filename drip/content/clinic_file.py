"""The clinic's profile: clinic.yaml, or the same as JSON from the database, to `Clinic`."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from drip.content.language_file import Instruction
from drip.content.problems import BrokenContent, Problem, Severity, nearest
from drip.content.strict import COUNTRY, LANGUAGE, LINE, MAILBOX, NAME, Strict, validated
from drip.content.yamlfile import Loc, YamlFile, read_yaml
from drip.core.clinic import Clinic, Crowding, OnCall, Texts
from drip.core.pace import RATES
from drip.core.window import Hours, SendWindow
from drip.errors import ContentError

SAMPLE = Path(__file__).with_name("clinic.sample.yaml")
"""A commented profile of a clinic that does not exist; `drip init` writes it."""

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")
_Line = Annotated[str, Field(min_length=1, max_length=200, pattern=LINE)]


class TextsFile(Strict):
    """The `texts` section of clinic.yaml."""

    sender: Literal["long-code", "toll-free", "short-code", "messaging-service"] = "long-code"
    number: str | None = None
    rate: float | None = Field(default=None, gt=0, le=100_000)


class OnCallFile(Strict):
    """The `on_call` section of clinic.yaml."""

    emails: list[Annotated[str, Field(pattern=MAILBOX)]] = Field(default=[], max_length=20)
    phones: list[str] = Field(default=[], max_length=20)


class ClinicFile(Strict):
    """A clinic's profile as it stands in clinic.yaml."""

    clinic: str = Field(pattern=NAME)
    name: _Line
    public_name: Annotated[_Line, Field(max_length=40)]
    country: str = Field(pattern=COUNTRY)
    timezone: str
    phone: str
    email: str = Field(pattern=MAILBOX)
    address: _Line
    language: str = Field(pattern=LANGUAGE)
    replies: Literal["on", "off"] = "off"
    texts: TextsFile = Field(default_factory=TextsFile)
    on_call: OnCallFile = Field(default_factory=OnCallFile)
    send_window: Any = "09:00-20:00"
    steps_per_day: int = Field(default=2, ge=1, le=10)
    hours_between: int = Field(default=2, ge=0, le=24)
    arrive_early: int = Field(default=15, ge=0, le=240)
    instructions: dict[str, dict[Instruction, _Line]] = Field(default_factory=dict)


def load_clinic(path: Path) -> Clinic:
    """Read a clinic.yaml. Raises BrokenContent with every problem found in it."""
    return clinic_from_file(read_yaml(path))


def sample_clinic() -> Clinic:
    """River Clinic in New York, which does not exist: for preview, check and demo."""
    return load_clinic(SAMPLE)


def clinic_from_profile(profile: Mapping[str, Any]) -> Clinic:
    """A clinic from the JSON that `profile_of` gave. Raises ContentError if it is not one."""
    file = YamlFile(Path("the stored clinic profile"), "", dict(profile))
    try:
        return clinic_from_file(file)
    except BrokenContent as error:
        what = "; ".join(problem.what for problem in error.problems)
        raise ContentError(f"The stored clinic profile is broken: {what}.") from None


def profile_of(clinic: Clinic) -> dict[str, Any]:
    """The clinic as JSON, with the keys of clinic.yaml; for the database."""
    return {
        "clinic": clinic.key,
        "name": clinic.name,
        "public_name": clinic.public_name,
        "country": clinic.country,
        "timezone": clinic.zone.key,
        "phone": clinic.phone,
        "email": clinic.email,
        "address": clinic.address,
        "language": clinic.language,
        "replies": "on" if clinic.hears_replies else "off",
        "texts": {"number": clinic.texts.sender, "rate": clinic.texts.rate},
        "on_call": {"emails": list(clinic.on_call.emails), "phones": list(clinic.on_call.phones)},
        "send_window": dict(zip(_DAYS, map(_hours_said, clinic.window.days), strict=True)),
        "steps_per_day": clinic.crowding.steps_per_day,
        "hours_between": int(clinic.crowding.spacing.total_seconds() // 3600),
        "arrive_early": int(clinic.arrive_early.total_seconds() // 60),
        "instructions": {lang: dict(words) for lang, words in clinic.instructions.items()},
    }


def clinic_from_file(file: YamlFile) -> Clinic:
    """The clinic in a parsed profile. Raises BrokenContent with every problem found in it."""
    entry = validated(ClinicFile, file)
    window, phone = _window(entry.send_window), _e164(entry.phone, entry.country)
    problems = [
        *_window_problems(window, file),
        *_zone_problems(entry.timezone, file),
        *_instruction_problems(entry, file),
        *_on_call_problems(entry, file),
    ]
    if phone is None:
        what = f'"{entry.phone}" is not a phone number; write it with the country code: "+1 ..."'
        problems.append(file.problem(("phone",), what))
    texts = _texts(entry)
    if texts is None:
        what = f'"{entry.texts.number}" is not a phone number; write it with the country code'
        problems.append(file.problem(("texts", "number"), what))
    if problems or phone is None or texts is None:
        raise BrokenContent(sorted(problems))
    return Clinic(
        key=entry.clinic,
        name=entry.name,
        public_name=entry.public_name,
        country=entry.country,
        zone=ZoneInfo(entry.timezone),
        phone=phone,
        email=entry.email,
        address=entry.address,
        language=entry.language,
        window=SendWindow(cast("tuple[Hours | None, ...]", window)),
        crowding=Crowding(entry.steps_per_day, timedelta(hours=entry.hours_between)),
        arrive_early=timedelta(minutes=entry.arrive_early),
        hears_replies=entry.replies == "on",
        texts=texts,
        instructions={lang: _words(words) for lang, words in entry.instructions.items()},
        on_call=_on_call(entry),
    )


def _texts(entry: ClinicFile) -> Texts | None:
    """From where the clinic's texts come; None where its number is none."""
    rate = entry.texts.rate or RATES[entry.texts.sender]
    if entry.texts.number is None:
        return Texts(rate)
    number = _e164(entry.texts.number, entry.country)
    return None if number is None else Texts(rate, number)


def _words(words: Mapping[Instruction, str]) -> dict[str, str]:
    return {str(name): text for name, text in words.items()}


_Wrong = tuple[Loc, str]
"""Where a send window is wrong, and what it should be."""


def _window(value: object) -> "tuple[Hours | None, ...] | list[_Wrong]":
    """The hours of seven days, Monday first, or what is wrong with them."""
    if not isinstance(value, dict):
        hours = _hours(value)
        return [((), _not_hours(value))] if hours is None else (hours,) * 7
    days: list[Hours | None] = []
    wrong: list[_Wrong] = [
        ((name,), f'"{name}" is not a weekday; {nearest(str(name), _DAYS)}')
        for name in value
        if name not in _DAYS
    ]
    for day in _DAYS:
        hours = None if value.get(day) == "closed" else _hours(value.get(day))
        if day not in value:
            wrong.append(((), f'"{day}" is missing here; give its hours, or "closed"'))
        elif hours is None and value[day] != "closed":
            wrong.append(((day,), _not_hours(value[day], ', or "closed"')))
        days.append(hours)
    if not wrong and not any(days):
        wrong.append(((), "every day is closed, so nothing could be sent; open one"))
    return wrong or tuple(days)


def _hours(value: object) -> Hours | None:
    found = _HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    open_hour, open_minute, close_hour, close_minute = (int(n) for n in found.groups() if n)
    opens, closes = open_hour * 60 + open_minute, close_hour * 60 + close_minute
    return (opens, closes) if opens < closes else None


def _not_hours(value: object, also: str = "") -> str:
    return f'"{value}" are not hours that open and close in one day; write "09:00-20:00"{also}'


def _hours_said(hours: Hours | None) -> str:
    if hours is None:
        return "closed"
    return "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in hours)


def _window_problems(window: object, file: YamlFile) -> Iterator[Problem]:
    if isinstance(window, list):
        for loc, what in window:
            yield file.problem(("send_window", *loc), what)


def _zone_problems(name: str, file: YamlFile) -> Iterator[Problem]:
    try:
        ZoneInfo(name)
        # Others, like EST, know no summer time or are not there on every machine.
        found = "/" in name or name == "UTC"
    except (ValueError, OSError, LookupError):
        found = False
    if not found:
        zones = [zone for zone in available_timezones() if "/" in zone]
        close = nearest(name, zones).partition(" Known")[0]
        hint = close if close.startswith("did") else "write one like America/New_York"
        yield file.problem(("timezone",), f'"{name}" is not a time zone; {hint}')


def _instruction_problems(entry: ClinicFile, file: YamlFile) -> Iterator[Problem]:
    for language, words in entry.instructions.items():
        for name, text in words.items():
            if "{{" in text or "{%" in text:
                what = "a clinic's instructions are plain words; {{ }} and {% %} do not work here"
                yield file.problem(("instructions", language, name), what)


def on_call_problems(clinic: Clinic, file: YamlFile) -> Iterator[Problem]:
    """A warning where replies are heard, and nobody is on call when one of them is a crisis."""
    if clinic.hears_replies and not clinic.on_call.is_anybody:
        what = (
            "nobody is on call when a patient writes in a crisis: add on_call, with emails "
            f"and phones; until then {clinic.email} alone is told"
        )
        yield file.problem(("replies",), what, severity=Severity.WARNING)


def _on_call(entry: ClinicFile) -> OnCall:
    phones = [_e164(phone, entry.country) for phone in entry.on_call.phones]
    return OnCall(
        tuple(dict.fromkeys(entry.on_call.emails)),
        tuple(dict.fromkeys(phone for phone in phones if phone is not None)),
    )


def _on_call_problems(entry: ClinicFile, file: YamlFile) -> Iterator[Problem]:
    for place, phone in enumerate(entry.on_call.phones):
        if _e164(phone, entry.country) is None:
            what = f'"{phone}" is not a phone number; write it with the country code: "+1 ..."'
            yield file.problem(("on_call", "phones", place), what)


def _e164(text: str, country: str) -> str | None:
    if re.fullmatch(r"\+1[2-9]\d{9}", re.sub(r"[\s().-]", "", text)):
        return re.sub(r"[\s().-]", "", text)
    import phonenumbers  # 120 ms; numbers of North America need none of it

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
