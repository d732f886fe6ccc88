"""Settings: `DRIP_*` from the environment or `.env`, read once and checked at the start."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from drip.errors import SettingsError

ENV_FILE = ".env"
ENV_SAMPLE = Path(__file__).with_name("env.sample")
"""Every setting, commented; `drip init` writes it."""

_PREFIX = "DRIP_"
_NOT_SETTINGS = "DRIP_TEST_"


def _is_web_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value.rstrip("/")


Origin = Literal["environment", ".env", "default"]
"""Where a setting may come from."""

WebAddress = Annotated[str, AfterValidator(_is_web_address)]


class Settings(BaseModel):
    """Every setting, named as in the environment without `DRIP_` and in lower case.

    Nothing is sent to a real person until a provider other than `outbox` is set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: SecretStr = SecretStr("sqlite:///drip.db")
    redis_url: SecretStr | None = None
    sms_provider: Literal["outbox", "twilio"] = "outbox"
    email_provider: Literal["outbox", "smtp"] = "outbox"
    outbox_dir: Path = Path("outbox")
    twilio_account_sid: str | None = Field(default=None, pattern=r"^AC[0-9a-zA-Z]{32}$")
    twilio_auth_token: SecretStr | None = None
    twilio_messaging_service_sid: str | None = Field(default=None, pattern=r"^MG[0-9a-zA-Z]{32}$")
    twilio_from: str | None = Field(default=None, pattern=r"^(\+[1-9]\d{6,14}|\d{3,8})$")
    twilio_api_url: WebAddress = "https://api.twilio.com"
    smtp_url: SecretStr | None = None
    email_from: str | None = Field(default=None, pattern=r"^[^@\s<>,]+@[^@\s<>,]+$")
    public_url: WebAddress | None = None
    secret_key: SecretStr | None = Field(default=None, min_length=32)
    content_dir: Path | None = None

    @model_validator(mode="after")
    def _providers_have_what_they_need(self) -> "Settings":
        if self.sms_provider == "twilio":
            for name in ("twilio_account_sid", "twilio_auth_token"):
                if getattr(self, name) is None:
                    raise ValueError(f"DRIP_SMS_PROVIDER=twilio needs {_variable(name)}")
            if self.twilio_messaging_service_sid is None and self.twilio_from is None:
                raise ValueError(
                    "DRIP_SMS_PROVIDER=twilio needs DRIP_TWILIO_MESSAGING_SERVICE_SID or "
                    "DRIP_TWILIO_FROM"
                )
        if self.email_provider == "smtp":
            for name in ("smtp_url", "email_from"):
                if getattr(self, name) is None:
                    raise ValueError(f"DRIP_EMAIL_PROVIDER=smtp needs {_variable(name)}")
        return self


def read_settings(environment: Mapping[str, str], folder: Path) -> Settings:
    """Read the settings of an environment and of the `.env` in a folder; the former wins.

    An empty value counts as absent. Raises SettingsError with one line that names the variable.
    """
    values = {**_dotenv(folder / ENV_FILE), **environment}
    ours = {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in values.items()
        if name.startswith(_PREFIX) and not name.startswith(_NOT_SETTINGS) and value != ""
    }
    for name in ours:
        if name not in Settings.model_fields:
            near = get_close_matches(name, Settings.model_fields, 1)
            hint = f" Did you mean {_variable(near[0])}?" if near else ""
            raise SettingsError(f"There is no setting {_variable(name)}.{hint}")
    try:
        return Settings.model_validate(ours)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = first["msg"].removeprefix("Value error, ")
        where = f"{_variable(str(first['loc'][0]))}: " if first["loc"] else ""
        raise SettingsError(f"{where}{what}.") from None


def origins(environment: Mapping[str, str], folder: Path) -> dict[str, Origin]:
    """Where `read_settings` takes each setting from; keys as the fields of Settings."""
    dotenv = _dotenv(folder / ENV_FILE)

    def origin(variable: str) -> Origin:
        if variable in environment:
            return "environment" if environment[variable] else "default"
        return ".env" if dotenv.get(variable) else "default"

    return {name: origin(_variable(name)) for name in Settings.model_fields}


def _variable(name: str) -> str:
    return f"{_PREFIX}{name.upper()}"


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {name: value or "" for name, value in dotenv_values(path).items()}
