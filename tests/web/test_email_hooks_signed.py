"""Who may tell us of emails: only what Amazon or SendGrid signed counts, whatever else comes."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine

from drip.providers.sendgrid import SIGNATURE, TIMESTAMP
from tests.services.desk import NOW
from tests.web.amazon import (
    CERTIFICATE,
    HOST,
    TOPIC,
    Amazon,
    certificate,
    new_key,
)
from tests.web.email_house import EmailHouse, email_house
from tests.web.mail_services import (
    ANN,
    by_sendgrid,
    by_ses,
    mail_house,
    of_sendgrid,
    of_ses,
    state,
    suppressed,
)


@pytest.fixture(scope="module")
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
def house(engine: Engine, amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmailHouse]:
    with mail_house(engine, amazon, monkeypatch) as opened:
        yield opened


def test_a_subscription_is_confirmed_where_amazon_says(house: EmailHouse, amazon: Amazon) -> None:
    query = f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f"
    amazon.pages[query] = b"<ConfirmSubscriptionResponse/>"
    message = amazon.message(
        "You have chosen to subscribe.",
        kind="SubscriptionConfirmation",
        Token="2336412f",
        SubscribeURL=f"https://{HOST}{query}",
    )
    assert by_ses(house, message).status_code == 204
    assert amazon.fetched[-1] == f"https://{HOST}{query}"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/?Action=ConfirmSubscription",
        "http://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com.evil.example.com/",
        "https://sns.us-east-1.amazonaws.com@evil.example.com/",
        "https://evil.example.com/#sns.us-east-1.amazonaws.com",
        "https://sns.us-east-1.amazonaws.com:8443/",
        "https://169.254.169.254/latest/meta-data",
        "",
    ],
)
def test_nothing_is_confirmed_anywhere_else(house: EmailHouse, amazon: Amazon, url: str) -> None:
    message = amazon.message(
        "x", kind="SubscriptionConfirmation", Token="2336412f", SubscribeURL=url
    )
    assert by_ses(house, message).status_code == 403
    assert [each for each in amazon.fetched if each != CERTIFICATE] == []


FORGED: list[dict[str, Any]] = [
    {"Message": "{}"},
    {"TopicArn": "arn:aws:sns:us-east-1:999999999999:emails"},
    {"Timestamp": "2026-12-02T15:00:00.000Z"},
    {"MessageId": "another"},
    {"Subject": "added"},
    {"Type": "UnsubscribeConfirmation"},
    {"Type": "Other"},
    {"Signature": "AAAA"},
    {"Signature": "not base64!"},
    {"Signature": "é"},
    {"Signature": ""},
    {"Signature": None},
    {"SignatureVersion": "3"},
    {"SignatureVersion": 2},
    {"SigningCertURL": None},
]
ELSEWHERE = [
    "https://evil.example.com/SimpleNotificationService-0123abcd.pem",
    "http://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
    "https://sns.us-east-1.amazonaws.com.evil.example.com/SimpleNotificationService-01.pem",
    "https://sns.us-east-1.amazonaws.com@evil.example.com/SimpleNotificationService-01.pem",
    "https://sns.us-east-1.amazonaws.com:444/SimpleNotificationService-0123abcd.pem",
    "https://sns.us-east-1.amazonaws.com/other/SimpleNotificationService-0123abcd.pem",
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123abcd.pem?x=1",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
    "https://SNS.us-east-1.amazonaws.com\\@evil.example.com/SimpleNotificationService-1.pem",
    "https://[::1",
    "file:///etc/passwd",
    "",
]


def test_a_forged_message_is_403_and_changes_nothing(house: EmailHouse, amazon: Amazon) -> None:
    house.enroll()
    message, before = amazon.message(of_ses(house, "Bounce")), state(house)
    for change in FORGED:
        assert by_ses(house, {**message, **change}).status_code == 403, change
    for name in ("Signature", "SigningCertURL", "TopicArn", "Message"):
        less = {key: value for key, value in message.items() if key != name}
        assert by_ses(house, less).status_code == 403, name
    assert state(house) == before


def test_a_certificate_counts_from_amazon_s_own_host_alone(
    house: EmailHouse, amazon: Amazon
) -> None:
    house.enroll()
    before = state(house)
    for url in ELSEWHERE:
        message = amazon.message(of_ses(house, "Bounce"), SigningCertURL=url)
        assert by_ses(house, message).status_code == 403, url
    assert amazon.fetched == []
    assert state(house) == before


def test_another_key_another_certificate_or_an_old_one_is_403(
    house: EmailHouse, amazon: Amazon
) -> None:
    house.enroll()
    other = Amazon(new_key())
    assert by_ses(house, other.message(of_ses(house, "Bounce"))).status_code == 403
    for path, page in (
        ("/SimpleNotificationService-1.pem", certificate(amazon.key, end=NOW - timedelta(hours=1))),
        ("/SimpleNotificationService-2.pem", b"<html>not a certificate</html>"),
        ("/SimpleNotificationService-3.pem", certificate(other.key)),
    ):
        amazon.pages[path] = page
        message = amazon.message(of_ses(house, "Bounce"), SigningCertURL=f"https://{HOST}{path}")
        assert by_ses(house, message).status_code == 403, path
    assert suppressed(house) is None


def test_a_certificate_that_cannot_be_had_now_is_asked_for_again(
    house: EmailHouse, amazon: Amazon
) -> None:
    house.enroll()
    url = f"https://{HOST}/SimpleNotificationService-4.pem"
    message = amazon.message(of_ses(house, "Bounce"), SigningCertURL=url)
    assert by_ses(house, message).status_code == 503
    amazon.pages["/SimpleNotificationService-4.pem"] = certificate(amazon.key)
    assert by_ses(house, message).status_code == 204
    del amazon.pages["/SimpleNotificationService-4.pem"]  # the fixture is the whole file's
    assert suppressed(house) == "bounced 5.1.1"


ODD_BODIES = [b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"[" * 50_000, b'{"Type": 1}']


def test_a_body_that_is_no_message_is_refused(house: EmailHouse) -> None:
    for body in ODD_BODIES:
        answer = house.web.post("/webhooks/ses", content=body)
        assert answer.status_code == 400, body[:20]
        answer = house.web.post("/webhooks/sendgrid", content=body)
        assert answer.status_code == 403, body[:20]
    long = b'{"Type": "' + b"x" * 2_000_000 + b'"}'
    for path in ("/webhooks/ses", "/webhooks/sendgrid"):
        assert house.web.post(path, content=long).status_code == 413


ODD_MESSAGES: list[object] = [
    "not JSON",
    "[]",
    "{}",
    {"notificationType": "AmazonSnsSubscriptionSucceeded"},
    {"notificationType": ["Bounce"]},
    {"notificationType": "Bounce"},
    {"notificationType": "Bounce", "bounce": []},
    {"notificationType": "Bounce", "bounce": {"bouncedRecipients": [1, {"emailAddress": 5}]}},
    {"notificationType": "Delivery", "delivery": {"recipients": [None, {}, ""]}, "mail": 1},
    {"notificationType": "Delivery", "delivery": {"recipients": "x"}, "mail": {"headers": [1]}},
]


def test_a_signed_message_that_says_nothing_changes_nothing(
    house: EmailHouse, amazon: Amazon
) -> None:
    house.enroll()
    before = state(house)
    for odd in ODD_MESSAGES:
        assert by_ses(house, amazon.message(odd)).status_code == 204, odd
    events: list[object] = [
        1,
        {},
        {"event": "bounce"},
        {"event": ["bounce"], "email": ANN},
        {"event": "delivered", "email": ANN, "smtp-id": "<drip-delivery-999999999999@x>"},
        {"event": "delivered", "email": ANN, "smtp-id": "<drip-answer-77@x>"},
        {"event": "delivered", "email": ANN, "smtp-id": "<drip-delivery-1'@x>"},
        {"event": "delivered", "email": ANN, "smtp-id": "<drip-delivery-0@x>"},
    ]
    assert by_sendgrid(house, events).status_code == 204
    assert by_sendgrid(house, {"event": "bounce", "email": ANN}).status_code == 400
    assert by_sendgrid(house, b"not JSON").status_code == 400
    assert state(house) == before


def test_a_forged_event_of_sendgrid_is_403_and_changes_nothing(house: EmailHouse) -> None:
    house.enroll()
    before = state(house)
    event = [of_sendgrid(house, "bounce", type="bounce")]
    wrong = ec.generate_private_key(ec.SECP256R1())
    other = wrong.sign(b"1764601200" + json.dumps(event).encode(), ec.ECDSA(hashes.SHA256()))
    for changed in (
        {TIMESTAMP: "1764601201"},
        {TIMESTAMP: ""},
        {SIGNATURE: ""},
        {SIGNATURE: "AAAA"},
        {SIGNATURE: "?"},
        {SIGNATURE: base64.b64encode(other).decode()},
    ):
        assert by_sendgrid(house, event, **changed).status_code == 403, changed
    assert house.web.post("/webhooks/sendgrid", json=event).status_code == 403
    assert state(house) == before


def test_what_is_not_set_up_is_not_there(engine: Engine, amazon: Amazon) -> None:
    with email_house(engine) as house:
        assert by_ses(house, amazon.message("{}")).status_code == 404
        assert by_sendgrid(house, []).status_code == 404
