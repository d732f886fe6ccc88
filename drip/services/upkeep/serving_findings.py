"""What `drip serve` needs to hear patients and providers, and to show patients their pages."""

import ipaddress
from urllib.parse import urlsplit

from drip.config import Settings
from drip.core.clinic import Clinic
from drip.errors import SettingsError
from drip.services.upkeep.findings import Findings, fine, problem, warning

_FEW_SIGNS = 10
"""A random key of 32 characters has more different ones than this."""

_MAKE_KEY = "Set DRIP_SECRET_KEY to 32 random characters or more, and keep it."
_SET_URL = "Set DRIP_PUBLIC_URL to the https address at which others reach this machine."
_HERE_ALONE = (".local", ".localhost", ".internal", ".lan")


def examine_serving(settings: Settings, clinic: Clinic | None) -> Findings:
    """Look at what patients' pages and webhooks need; `clinic` is None where it is broken."""
    yield from _secret_key(settings)
    yield from _public_url(settings)
    yield from _replies(settings, clinic)
    yield from _bounces(settings)
    if clinic is not None:
        yield from _on_call(settings, clinic)


def _secret_key(settings: Settings) -> Findings:
    if settings.secret_key is None:
        says = "Who said STOP is forgotten when the patient's record is deleted, and no links work."
        yield warning(says, _MAKE_KEY)
    elif len(set(settings.secret_key.reveal())) < _FEW_SIGNS:
        says = "DRIP_SECRET_KEY can be guessed, and with it the links of patients' pages."
        yield warning(says, _MAKE_KEY)


def _public_url(settings: Settings) -> Findings:
    if settings.public_url is None:
        if settings.sms_provider == "twilio":
            says = "Twilio cannot tell what became of a text, and replies are not heard."
            yield warning(says, _SET_URL)
        elif settings.email_provider == "smtp":
            yield warning(
                "Emails carry no link to stop them, and patients have no pages.", _SET_URL
            )
        return
    address = urlsplit(settings.public_url)
    host = address.hostname or ""
    if address.username or address.query or address.fragment:
        says = "DRIP_PUBLIC_URL is more than the address of a machine: no link can begin with it."
        yield problem(says, "Write it like https://drip.example.com.")
    elif address.scheme != "https":
        yield warning("DRIP_PUBLIC_URL is not encrypted.", "Make it an https:// address.")
    elif _is_near(host):
        says = f"DRIP_PUBLIC_URL says {host}, which neither patients nor Twilio can reach."
        yield warning(says, _SET_URL)
    else:
        yield fine(f"Patients' pages and webhooks are at {settings.public_url}.")


def _is_near(host: str) -> bool:
    """Whether only this machine, or its own network, knows the host."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_HERE_ALONE)


def _replies(settings: Settings, clinic: Clinic | None) -> Findings:
    heard = settings.public_url is not None and settings.twilio_auth_token is not None
    if heard:
        says = "Twilio's webhooks are checked with DRIP_TWILIO_AUTH_TOKEN; texts of patients go to "
        yield fine(f"{says}{settings.public_url}/webhooks/twilio/inbound.")
    elif clinic is not None and clinic.hears_replies and settings.sms_provider == "twilio":
        says = "clinic.yaml says `replies: on`, and no reply can reach Drip, not even in a crisis."
        yield problem(says, f"{_SET_URL} Or say `replies: off`.")
    elif settings.public_url is not None:
        says = "What Twilio sends is refused: nothing is there to check its signature with."
        yield warning(says, "Set DRIP_TWILIO_AUTH_TOKEN, from the Twilio console.")


def _bounces(settings: Settings) -> Findings:
    """Who tells of emails that came back."""
    from drip.providers import sendgrid

    if settings.sendgrid_public_key is not None:
        try:
            sendgrid.public_key(settings.sendgrid_public_key)
        except SettingsError as error:
            yield problem(str(error))
            return
    told = {
        "Amazon SES": settings.ses_topic_arn is not None,
        "SendGrid": settings.sendgrid_public_key is not None,
    }
    named = " and ".join(name for name, tells in told.items() if tells)
    if named and settings.public_url is None:
        yield warning(f"{named} cannot tell which emails came back.", _SET_URL)
    elif named:
        yield fine(f"{named} can tell which emails came back; what is not signed is refused.")
    else:
        yield from _nobody_tells(settings)


def _nobody_tells(settings: Settings) -> Findings:
    server = settings.smtp_url.reveal() if settings.smtp_url else ""
    host = urlsplit(server).hostname or ""
    says = "Nobody tells Drip which emails came back or were marked as spam."
    if settings.email_provider != "smtp":
        return
    if host.endswith(".amazonaws.com"):
        yield warning(says, "Set DRIP_SES_TOPIC_ARN; docs/operating.md says how.")
    elif host.endswith("sendgrid.net"):
        yield warning(says, "Set DRIP_SENDGRID_PUBLIC_KEY; docs/operating.md says how.")


def _on_call(settings: Settings, clinic: Clinic) -> Findings:
    """Who is told when a patient writes in a crisis."""
    if not clinic.hears_replies and settings.twilio_auth_token is None:
        return
    on_call = clinic.on_call
    if on_call.is_anybody:
        emails, phones = len(on_call.emails), len(on_call.phones)
        yield fine(f"Told of a crisis at once: {emails or 1} by email, {phones} by text.")
    else:
        says = f"Nobody is on call: of a patient in a crisis, {clinic.email} alone is told."
        yield warning(says, "Name emails and phones of staff under on_call in clinic.yaml.")
