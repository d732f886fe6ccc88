"""What may be wrong with a set-up, each with how to mend it. Nothing is sent or changed."""

import re
import sys
import tempfile
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from drip.config import ENV_FILE, Origin, Secret, Settings, origins
from drip.content.checks import check
from drip.content.clinic_file import load_clinic, sample_clinic
from drip.content.problems import Severity
from drip.content.sources import content_dir
from drip.core.clinic import Clinic
from drip.errors import DripError
from drip.providers.smtp_session import NoSessionError, Session
from drip.providers.smtp_url import SmtpAddress
from drip.services.upkeep.findings import Finding, Findings, Level, fine, problem, warning
from drip.services.upkeep.serving_findings import examine_serving
from drip.services.upkeep.setting_up import CLINIC_FILE
from drip.store.engine import open_engine
from drip.store.migrate import is_current
from drip.store.probing import last_enrolled_at, missing_file, server_time, try_reading, try_writing

_OLDEST_PYTHON = (3, 11)
_NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right shows less than this."""

_OUT_OF_STEP = timedelta(minutes=1)
_OLD_ZONES = 2
"""Years after which the rules of time zones may have changed somewhere."""

_SMTP_SECONDS = 5.0
_SAMPLE_FIELDS = ("name", "public_name", "phone", "email", "address")
_IN_ADDRESS = re.compile(r"(?<=://)([^:/@]*):.*@")
_IN_QUERY = re.compile(r"(pass\w*=)[^&]*", re.IGNORECASE)
"""Where passwords stand in the address of a server."""

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting as it may be shown: secrets are hidden. `name` is the variable."""

    name: str
    value: str
    origin: Origin


def shown_settings(
    settings: Settings, environment: Mapping[str, str], folder: Path
) -> list[ShownSetting]:
    """Every setting with where it comes from."""
    return [
        ShownSetting(f"DRIP_{name.upper()}", _masked(getattr(settings, name)), origin)
        for name, origin in origins(environment, folder).items()
    ]


def examine(settings: Settings, folder: Path, now: datetime) -> Findings:
    """Look at everything, the quickest first; `now` is UTC."""
    yield from _python()
    yield from _zones(now)
    yield from _env_file(folder)
    yield from _database(settings, now)
    yield from _clinic_and_content(settings, folder)
    yield from examine_serving(settings, _readable_clinic(folder))
    yield from _outbox(settings, folder)
    yield from _twilio(settings)
    yield from _smtp(settings)


def _python() -> Findings:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST_PYTHON:
        yield problem(f"Python {version} is too old.", "Install Python 3.11 or newer.")
    else:
        yield fine(f"Python {version}.")


def _zones(now: datetime) -> Findings:
    """The system's time zone rules win over those of the tzdata package."""
    try:
        zoneinfo.ZoneInfo("America/New_York")
    except zoneinfo.ZoneInfoNotFoundError:
        yield problem("There are no time zones.", "Install the package tzdata.")
        return
    files = (Path(root, "tzdata.zi") for root in zoneinfo.TZPATH)
    newest = next((path for path in files if path.is_file()), None)
    if newest is None:
        yield fine("Time zones are there.")
        return
    with newest.open(encoding="ascii", errors="replace") as file:
        version = file.readline().removeprefix("# version").strip()
    if version[:4].isdigit() and int(version[:4]) <= now.year - _OLD_ZONES:
        says = f"The system's time zones are those of {version}: clocks may have changed since."
        yield warning(says, "Update the system's tzdata.")
    else:
        yield fine(f"Time zones are those of {version}, from the system.")


def _env_file(folder: Path) -> Findings:
    path = folder / ENV_FILE
    if sys.platform != "win32" and path.is_file() and path.stat().st_mode & 0o077:
        yield warning(f"Others on this machine can read {ENV_FILE}.", f"Run `chmod 600 {path}`.")


def _database(settings: Settings, now: datetime) -> Findings:
    try:
        engine = open_engine(settings.database_url.reveal())
    except DripError as error:
        yield problem(_sentence(error))
        yield from _plain_clock(now)
        return
    try:
        path = missing_file(engine)
        if path is not None:
            yield problem(f"There is no database {path} yet.", "Run `drip init`.")
        elif not is_current(engine):
            says = "The database is empty, or of another version of Drip."
            yield problem(says, "Run `drip init`: it brings the tables up to date.")
        else:
            try_reading(engine)
            try_writing(engine)
            yield fine(f"The database {_masked(settings.database_url)} works.")
            yield from _clock(engine, now)
            return
    except DripError as error:
        yield problem(_sentence(error), "Mend DRIP_DATABASE_URL or the database it names.")
    finally:
        engine.dispose()
    yield from _plain_clock(now)


def _clock(engine: Engine, now: datetime) -> Findings:
    newest, theirs = last_enrolled_at(engine), server_time(engine)
    mend = "Set this machine's clock, and keep it right over the network (NTP)."
    if newest is not None and newest > now + _OUT_OF_STEP:
        says = f"The clock says {now:%Y-%m-%d %H:%M} UTC, and an enrollment was made later."
        yield problem(says, mend)
    elif theirs is not None and abs(theirs - now) > _OUT_OF_STEP:
        seconds = round(abs((theirs - now).total_seconds()))
        yield warning(f"The clocks here and of the database differ by {seconds} s.", mend)
    else:
        yield from _plain_clock(now)


def _plain_clock(now: datetime) -> Findings:
    if now < _NOT_BEFORE:
        yield problem(f"The clock says {now:%Y-%m-%d}.", "Set this machine's clock.")
    else:
        yield fine(f"The clock says {now:%Y-%m-%d %H:%M} UTC.")


def _clinic_and_content(settings: Settings, folder: Path) -> Findings:
    path = folder / CLINIC_FILE
    if not path.is_file():
        yield problem(f"There is no {CLINIC_FILE} here.", "Run `drip init` and fill it in.")
        return
    try:
        clinic = load_clinic(path)
    except DripError as error:
        yield problem(_sentence(error), "`drip check` shows all that is wrong with it.")
        return
    yield from _sample_left(clinic, settings)
    try:
        report = check(content_dir(settings.content_dir), path)
    except DripError as error:
        yield problem(_sentence(error))
        return
    warnings = sum(each.severity is Severity.WARNING for each in report.problems)
    if report.errors:
        count = len(report.errors)
        says = f"There {'is an error' if count == 1 else f'are {count} errors'} in the content."
        yield problem(says, "`drip check` shows where.")
    else:
        beside = f", with {warnings} warnings" if warnings else ""
        yield fine(f"Schedules, messages and {CLINIC_FILE} are in order{beside}.")


def _readable_clinic(folder: Path) -> Clinic | None:
    """The clinic, where there is one and it is not broken."""
    try:
        return load_clinic(folder / CLINIC_FILE)
    except DripError:
        return None


def _sample_left(clinic: Clinic, settings: Settings) -> Findings:
    """What still stands in clinic.yaml as the sample has it."""
    sample = sample_clinic()
    same = [name for name in _SAMPLE_FIELDS if getattr(clinic, name) == getattr(sample, name)]
    if not same:
        return
    says = f"{CLINIC_FILE} still has the sample's {', '.join(same)}."
    real = settings.sms_provider != "outbox" or settings.email_provider != "outbox"
    yield Finding(Level.PROBLEM if real else Level.WARNING, says, "Write your clinic's own.")


def _outbox(settings: Settings, folder: Path) -> Findings:
    providers = {"texts": settings.sms_provider, "emails": settings.email_provider}
    named = " and ".join(what for what, provider in providers.items() if provider == "outbox")
    if not named:
        return
    place = folder / settings.outbox_dir
    there = next(path for path in (place, *place.absolute().parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError:
        mend = "Make it a folder that this user may write, or set DRIP_OUTBOX_DIR to another."
        yield problem(f"The outbox {settings.outbox_dir} cannot be written.", mend)
        return
    says = f"The {named} go to the folder {settings.outbox_dir} and to nobody else."
    yield warning(says, "Set a provider in .env when you are ready to send.")


def _twilio(settings: Settings) -> Findings:
    if settings.sms_provider != "twilio":
        return
    if settings.twilio_from and settings.twilio_messaging_service_sid:
        says = "Twilio is given two senders."
        mend = "Keep one of DRIP_TWILIO_FROM and DRIP_TWILIO_MESSAGING_SERVICE_SID."
        yield problem(says, mend)
    else:
        yield fine("Twilio's settings have the right form; `drip send-test` tries them.")


def _smtp(settings: Settings) -> Findings:
    if settings.email_provider != "smtp" or settings.smtp_url is None:
        return
    try:
        address = SmtpAddress.parse(settings.smtp_url.reveal())
    except DripError as error:
        yield problem(_sentence(error))
        return
    if address.scheme == "smtp" and address.host not in _LOCAL:
        says = f"Emails go to {address.host} without encryption."
        yield warning(says, "Use smtp+starttls:// or smtps:// in DRIP_SMTP_URL.")
    named = f"The mail server {address.host}:{address.port}"
    try:
        _try_smtp(address, settings.email_from or "")
    except NoSessionError as error:
        yield problem(f"{named} {_smtp_said(error.code)}.", "Check DRIP_SMTP_URL.")
    else:
        login = " and takes the login" if address.user is not None else ""
        yield fine(f"{named} answers{login}; no mail was sent.")


def _try_smtp(address: SmtpAddress, sender: str) -> None:
    import ssl

    hello = sender.rpartition("@")[2]
    session = Session.begin(address, hello, _SMTP_SECONDS, ssl.create_default_context())
    session.end(politely=True)


def _smtp_said(code: str) -> str:
    said = {
        "timeout": f"does not answer within {_SMTP_SECONDS:.0f} seconds",
        "connect": "cannot be reached",
        "tls": "has no certificate that can be trusted, or speaks no TLS on that port",
        "not-supported": "does not offer what the address asks for: STARTTLS, or a login",
        "lost": "ends the connection at once",
        "530": "wants a login",
        "534": "wants another way to log in, an app password perhaps",
        "535": "refuses the user or password",
    }
    return said.get(code, f"refuses the connection ({code})")


def _masked(value: object) -> str:
    """A setting's value without its secrets."""
    if value is None:
        return ""
    if not isinstance(value, Secret):
        return str(value)
    secret = value.reveal()
    if "://" not in secret:
        return "(set, not shown)"
    return _IN_QUERY.sub(r"\1***", _IN_ADDRESS.sub(r"\1:***@", secret))


def _sentence(error: DripError) -> str:
    return str(error).rstrip(".") + "."
