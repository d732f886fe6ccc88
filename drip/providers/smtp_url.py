"""The address of a mail server, as it stands in `DRIP_SMTP_URL`."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from drip.errors import SettingsError

_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True, slots=True)
class SmtpAddress:
    """Where mail is handed over, and as whom. `scheme` says when TLS begins, if at all."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> "SmtpAddress":
        """Read `smtp+starttls://user:password@host:port`; user and password percent-encoded.

        Schemes and their default ports: `smtp` 25 (no TLS), `smtps` 465 (TLS from the start),
        `smtp+starttls` 587 (TLS before anything else, or no mail). A wrong one is a
        SettingsError, which never shows the password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _wrong("its host or port cannot be read") from None
        if parts.scheme not in _PORTS:
            raise _wrong("it must begin with smtp://, smtps:// or smtp+starttls://")
        if not parts.hostname:
            raise _wrong("it names no host")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise _wrong("something follows the host; percent-encode / ? # @ in a password")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (user + password).isascii():
            raise _wrong("user and password may hold ASCII characters only")
        return cls(
            scheme=parts.scheme,
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            user=user or None,
            password=password,
        )


def _wrong(what: str) -> SettingsError:
    return SettingsError(
        f"DRIP_SMTP_URL: {what}; write smtp+starttls://user:password@mail.example.com:587"
    )
