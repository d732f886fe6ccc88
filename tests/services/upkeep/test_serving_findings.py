"""`drip doctor` says of each thing that webhooks and patients' pages need whether it is there."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drip.config import Secret, Settings
from drip.content.clinic_file import sample_clinic
from drip.core.clinic import Clinic, OnCall
from drip.services.upkeep.findings import Finding, Level
from drip.services.upkeep.serving_findings import examine_serving

OK, WARNING, PROBLEM = Level.OK, Level.WARNING, Level.PROBLEM
URL = "https://drip.example.com"
GOOD: dict[str, Any] = {
    "public_url": URL,
    "secret_key": Secret("kJ8vQ2mX5tR7wZ1pL4sN6bD9fG3hC0yA"),
    "sms_provider": "twilio",
    "twilio_account_sid": "AC" + "1" * 32,
    "twilio_auth_token": Secret("a token"),
    "twilio_from": "+12125550101",
    "email_provider": "smtp",
    "smtp_url": Secret("smtps://ann:pw@mail.example.com"),
    "email_from": "care@example.com",
}
TEXTS_ALONE = {"email_provider": "outbox"}
NO_TEXTS = {"sms_provider": "outbox", "twilio_auth_token": None}
TOPIC = "arn:aws:sns:us-east-1:123456789012:emails"


def key_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """A public key as SendGrid shows it."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


SENDGRID = key_of(ec.generate_private_key(ec.SECP256R1()))
RSA = key_of(rsa.generate_private_key(65537, 2048))


@pytest.fixture
def clinic() -> Clinic:
    """A clinic that hears replies and has people on call."""
    on_call = OnCall(("a@example.com",), ("+12125550102", "+12125550103"))
    return replace(sample_clinic(), hears_replies=True, on_call=on_call)


def found(clinic: Clinic | None, **settings: Any) -> list[Finding]:
    return list(examine_serving(Settings(**{**GOOD, **settings}), clinic))


def test_a_set_up_in_which_all_is_there_has_nothing_to_mend(clinic: Clinic) -> None:
    findings = found(clinic, ses_topic_arn=TOPIC, sendgrid_public_key=SENDGRID)
    assert [(each.level, each.mend) for each in findings] == [(OK, "")] * 4
    assert [each.says for each in findings] == [
        f"Patients' pages and webhooks are at {URL}.",
        (
            "Twilio's webhooks are checked with DRIP_TWILIO_AUTH_TOKEN; texts of patients go to "
            f"{URL}/webhooks/twilio/inbound."
        ),
        "Amazon SES and SendGrid can tell which emails came back; what is not signed is refused.",
        "Told of a crisis at once: 1 by email, 2 by text.",
    ]


@pytest.mark.parametrize(
    ("settings", "level", "says", "mend"),
    [
        ({"public_url": None}, PROBLEM, "no reply can reach Drip", "`replies: off`"),
        ({"public_url": None}, WARNING, "Twilio cannot tell", "DRIP_PUBLIC_URL"),
        (
            {"public_url": None, **NO_TEXTS},
            WARNING,
            "patients have no pages",
            "DRIP_PUBLIC_URL",
        ),
        ({"public_url": "http://drip.example.com"}, WARNING, "not encrypted", "https://"),
        ({"public_url": "https://localhost:8000"}, WARNING, "says localhost, which", "https"),
        ({"public_url": "https://10.0.0.7"}, WARNING, "says 10.0.0.7, which", "https"),
        ({"public_url": "https://[fd00::1]"}, WARNING, "says fd00::1, which", "https"),
        ({"public_url": "https://drip.local"}, WARNING, "says drip.local, which", "https"),
        ({"public_url": f"{URL}/?a=1"}, PROBLEM, "more than the address", "like https://"),
        ({"public_url": "https://a:b@example.com"}, PROBLEM, "more than the address", "like"),
        ({"secret_key": None}, WARNING, "no links work", "DRIP_SECRET_KEY"),
        ({"secret_key": Secret("ab" * 20)}, WARNING, "can be guessed", "DRIP_SECRET_KEY"),
        (NO_TEXTS, WARNING, "What Twilio sends is refused", "DRIP_TWILIO_AUTH_TOKEN"),
        ({"sendgrid_public_key": RSA}, PROBLEM, "not the verification key", ""),
        ({"sendgrid_public_key": "A" * 84}, PROBLEM, "not the verification key", ""),
        (
            {"ses_topic_arn": TOPIC, "public_url": None},
            WARNING,
            "Amazon SES cannot tell",
            "DRIP_PUBLIC_URL",
        ),
        (
            {"smtp_url": Secret("smtps://u:p@email-smtp.us-east-1.amazonaws.com")},
            WARNING,
            "Nobody tells Drip which emails",
            "DRIP_SES_TOPIC_ARN",
        ),
        (
            {"smtp_url": Secret("smtps://u:p@smtp.sendgrid.net")},
            WARNING,
            "Nobody tells Drip which emails",
            "DRIP_SENDGRID_PUBLIC_KEY",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_said_with_the_way_out(
    clinic: Clinic, settings: dict[str, Any], level: Level, says: str, mend: str
) -> None:
    (finding,) = (each for each in found(clinic, **settings) if says in each.says)
    assert finding.level is level
    assert mend in finding.mend
    assert "\n" not in finding.says + finding.mend


def test_it_warns_where_nobody_is_told_of_a_crisis(clinic: Clinic) -> None:
    alone = replace(clinic, on_call=OnCall((), ()))
    (finding,) = (each for each in found(alone) if "Nobody is on call" in each.says)
    assert (finding.level, clinic.email in finding.says) == (WARNING, True)
    assert "on_call" in finding.mend
    by_phone = replace(clinic, on_call=OnCall((), ("+12125550102",)))
    assert found(by_phone)[-1].says == "Told of a crisis at once: 1 by email, 1 by text."


def test_where_nothing_is_heard_nobody_need_be_on_call(clinic: Clinic) -> None:
    silent = replace(clinic, hears_replies=False, on_call=OnCall((), ()))
    assert not any("crisis" in each.says for each in found(silent, **NO_TEXTS))


def test_a_clinic_that_cannot_be_read_hides_nothing_else() -> None:
    assert [each.says for each in found(None, **TEXTS_ALONE)] == [
        each.says for each in found(sample_clinic(), **TEXTS_ALONE) if "on call" not in each.says
    ]
