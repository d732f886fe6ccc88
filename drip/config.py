"""Settings: `DRIP_*` from the environment or `.env`, read once and checked at the start."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from drip.errors import SettingsError

# Plain Python and no library: every command reads the settings, and previews are to be quick.

ENV_FILE = ".env"
ENV_SAMPLE = Path(__file__).with_name("env.sample")
"""Every setting, commented; `drip init` writes it."""

_PREFIX = "DRIP_"
_NOT_SETTINGS = "DRIP_TEST_"

Origin = Literal["environment", ".env", "default"]
"""Where a setting may come from."""


class Secret:
    """A value that is not shown by accident."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, named as in the environment without `DRIP_` and in lower case.

    Nothing is sent to a real person until a provider other than `outbox` is set. Raises
    SettingsError where a provider lacks what it needs.
    """

    database_url: Secret = Secret("sqlite:///drip.db")  # noqa: RUF009 - it never changes
    redis_url: Secret | None = None
    sms_provider: Literal["outbox", "twilio"] = "outbox"
    email_provider: Literal["outbox", "smtp"] = "outbox"
    outbox_dir: Path = Path("outbox")
    twilio_account_sid: str | None = None
    twilio_auth_token: Secret | None = None
    twilio_messaging_service_sid: str | None = None
    twilio_from: str | None = None
    twilio_api_url: str = "https://api.twilio.com"
    twilio_timeout: float = 10.0
    smtp_url: Secret | None = None
    email_from: str | None = None
    public_url: str | None = None
    secret_key: Secret | None = None
    ses_topic_arn: str | None = None
    sendgrid_public_key: str | None = None
    content_dir: Path | None = None
    log_format: Literal["json", "text"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    web_port: int | None = None
    web_host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        """Check that each provider has what it needs."""
        if self.sms_provider == "twilio":
            self._need("DRIP_SMS_PROVIDER=twilio", "twilio_account_sid", "twilio_auth_token")
            if self.twilio_messaging_service_sid is None and self.twilio_from is None:
                raise SettingsError(
                    "DRIP_SMS_PROVIDER=twilio needs DRIP_TWILIO_MESSAGING_SERVICE_SID or "
                    "DRIP_TWILIO_FROM."
                )
        if self.email_provider == "smtp":
            self._need("DRIP_EMAIL_PROVIDER=smtp", "smtp_url", "email_from")

    def _need(self, what: str, *names: str) -> None:
        for name in names:
            if getattr(self, name) is None:
                raise SettingsError(f"{what} needs {_variable(name)}.")


def setting_names() -> tuple[str, ...]:
    """The names of all settings."""
    return tuple(field.name for field in fields(Settings))


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be {', '.join(allowed[:-1])} or {allowed[-1]}")
        return value

    return read


def _like(pattern: str, said: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {said}")
        return value

    return read


def _web_address(value: str) -> str:
    if not re.match(r"https?://[^/\s]", value):
        raise ValueError("must begin with http:// or https://")
    try:
        urlsplit(value).port  # noqa: B018 - it says what is wrong with the address
    except ValueError:
        raise ValueError("has a port, or a host, that cannot be") from None
    return value.rstrip("/")


def _port(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 0 < int(value) < 65_536:
        raise ValueError("must be a number from 1 to 65535")
    return int(value)


def _seconds(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]+)?", value) or not 0 < float(value) <= 60:
        raise ValueError("must be seconds, more than 0 and at most 60")
    return float(value)


def _long_secret(value: str) -> Secret:
    if len(value) < 32:
        raise ValueError("must have 32 characters or more")
    return Secret(value)


_READERS: dict[str, Callable[[str], Any]] = {
    "database_url": Secret,
    "redis_url": Secret,
    "sms_provider": _one_of("outbox", "twilio"),
    "email_provider": _one_of("outbox", "smtp"),
    "outbox_dir": Path,
    "twilio_account_sid": _like(r"AC[0-9a-zA-Z]{32}", "AC and 32 letters and digits"),
    "twilio_auth_token": Secret,
    "twilio_messaging_service_sid": _like(r"MG[0-9a-zA-Z]{32}", "MG and 32 letters and digits"),
    "twilio_from": _like(r"\+[1-9]\d{6,14}|\d{3,8}", "a number like +12125550100, or a short code"),
    "twilio_api_url": _web_address,
    "twilio_timeout": _seconds,
    "smtp_url": Secret,
    "email_from": _like(r"[^@\s<>,]+@[^@\s<>,]+", "an email address alone"),
    "public_url": _web_address,
    "secret_key": _long_secret,
    "ses_topic_arn": _like(
        r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[\w-]+", "the ARN of an SNS topic"
    ),
    "sendgrid_public_key": _like(
        r"[A-Za-z0-9+/]{80,}={0,2}", "the verification key of the event webhook, on one line"
    ),
    "content_dir": Path,
    "log_format": _one_of("json", "text"),
    "log_level": _one_of("debug", "info", "warning", "error"),
    "metrics_port": _port,
    "metrics_host": _like(r"[0-9a-zA-Z.:-]+", "the name or the address of a machine"),
    "web_port": _port,
    "web_host": _like(r"[0-9a-zA-Z.:-]+", "the name or the address of a machine"),
}


def read_settings(environment: Mapping[str, str], folder: Path) -> Settings:
    """Read the settings of an environment and of the `.env` in a folder; the former wins.

    An empty value counts as absent. Raises SettingsError with one line that names the variable.
    """
    values: dict[str, Any] = {}
    for variable, value in {**_dotenv(folder / ENV_FILE), **environment}.items():
        if not variable.upper().startswith(_PREFIX) or variable.startswith(_NOT_SETTINGS):
            continue
        if not value:
            continue
        name = variable[len(_PREFIX) :].lower()
        if variable != _variable(name) or name not in _READERS:
            near = get_close_matches(name, _READERS, 1)
            hint = f"Did you mean {_variable(near[0])}?" if near else "Take it out."
            raise SettingsError(f"There is no setting {variable}. {hint}")
        try:
            values[name] = _READERS[name](value)
        except ValueError as error:
            raise SettingsError(f"{variable} {error}.") from None
    return Settings(**values)


def origins(environment: Mapping[str, str], folder: Path) -> dict[str, Origin]:
    """Where `read_settings` takes each setting from; keys as the fields of Settings."""
    dotenv = _dotenv(folder / ENV_FILE)

    def origin(variable: str) -> Origin:
        if variable in environment:
            return "environment" if environment[variable] else "default"
        return ".env" if dotenv.get(variable) else "default"

    return {name: origin(_variable(name)) for name in setting_names()}


def _variable(name: str) -> str:
    return f"{_PREFIX}{name.upper()}"


def _dotenv(path: Path) -> dict[str, str]:
    """The variables of a `.env`, as they are written: no other variable is put into them."""
    if not path.exists():
        return {}
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    for binding in parse_stream(StringIO(_text(path))):
        place = f"{path}:{binding.original.line}"
        if binding.error:
            raise SettingsError(f"{place}: this is not NAME=value; put # before a remark.")
        if binding.key in values:
            raise SettingsError(f"{place}: {binding.key} is there twice; keep one of the two.")
        if binding.key is not None:
            values[binding.key] = binding.value or ""
    return values


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8: save it as UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
