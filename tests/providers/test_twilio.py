"""What is special about Twilio."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from drip.core.outgoing import Accepted, Rejected, Retry, Unknown
from drip.errors import SettingsError
from drip.providers.twilio import Twilio
from tests.providers.rigs import NOW, Make, email_to, text_to
from tests.servers.twilio_numbers import REFUSED_TO
from tests.servers.twilio_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    SENDER,
    Behaviour,
    TwilioServer,
)

ANN, BOB = "+12025550101", "+12025550102"
LATER = NOW + timedelta(minutes=10)


def test_a_text_is_posted_with_the_fields_that_twilio_wants(
    twilio_server: TwilioServer, make: Make
) -> None:
    make().send([text_to(ANN, "Hello & bye", 7)], NOW)
    assert twilio_server.forms == [
        {"To": ANN, "From": SENDER, "Body": "Hello & bye", "ValidityPeriod": "3600"}
    ]


def test_a_messaging_service_stands_in_place_of_the_sender(
    twilio_server: TwilioServer, make: Make
) -> None:
    make(messaging_service_sid="MG1").send([text_to(ANN)], NOW)
    assert twilio_server.forms[0]["MessagingServiceSid"] == "MG1"
    assert "From" not in twilio_server.forms[0]


def test_a_text_of_a_clinic_with_its_own_number_comes_from_that(
    twilio_server: TwilioServer, make: Make
) -> None:
    own = replace(text_to(ANN), sender="+12025550199")
    make().send([own], NOW)
    make(messaging_service_sid="MG1").send([own], NOW)
    assert [form["From"] for form in twilio_server.forms] == ["+12025550199"] * 2
    assert "MessagingServiceSid" not in twilio_server.forms[1]


def test_receipts_come_to_an_address_that_names_the_delivery(
    twilio_server: TwilioServer, make: Make
) -> None:
    make(public_url="https://drip.example.com/").send([text_to(ANN, delivery_id=7)], NOW)
    callback = twilio_server.forms[0]["StatusCallback"]
    assert callback == "https://drip.example.com/webhooks/twilio/status/7"


@pytest.mark.parametrize(
    ("now", "validity"),
    [
        (NOW, "3600"),
        (NOW + timedelta(minutes=59, seconds=30.9), "29"),
        (NOW + timedelta(hours=2), "1"),
        (NOW - timedelta(days=2), "36000"),
    ],
)
def test_a_text_may_wait_at_twilio_until_it_is_given_up_within_twilios_limits(
    twilio_server: TwilioServer, make: Make, now: datetime, validity: str
) -> None:
    make().send([text_to(ANN)], now)
    assert twilio_server.forms[0]["ValidityPeriod"] == validity


@pytest.mark.parametrize("to", REFUSED_TO)
def test_twilios_test_numbers_are_rejected_with_their_codes(make: Make, to: str) -> None:
    code = str(REFUSED_TO[to][0])
    [answer] = make().send([text_to(to)], NOW)
    assert answer == Rejected(
        code, address_is_bad=code in {"21211", "21614"}, suppress=code == "21610"
    )


def in_seconds(seconds: int) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("way", "answer"),
    [
        (Behaviour(status=429, code=20429), Retry("20429")),
        (Behaviour(status=429, code=20429, headers={"Retry-After": "7"}), Retry("20429", 7.0)),
        (
            Behaviour(status=429, code=20429, headers={"Retry-After": in_seconds(90)}),
            Retry("20429", 90.0),
        ),
        (
            Behaviour(status=429, code=20429, headers={"Retry-After": in_seconds(-90)}),
            Retry("20429", 0.0),
        ),
        (Behaviour(status=429, code=20429, headers={"Retry-After": "soon"}), Retry("20429")),
        (Behaviour(status=429, code=63038), Retry("63038")),
        (Behaviour(status=429, how="garbage"), Retry("http-429")),
        (Behaviour(status=400, code=30022), Retry("30022")),
        (Behaviour(status=400, code=99999), Rejected("99999")),
        (Behaviour(status=400, how="garbage"), Rejected("http-400")),
        (Behaviour(status=401, code=20003), Retry("20003")),
        (Behaviour(status=403, code=99999), Retry("99999")),
        (Behaviour(status=404, code=20404), Retry("20404")),
        (Behaviour(status=302, how="garbage"), Retry("http-302")),
        (Behaviour(status=500), Unknown("Twilio answered with HTTP 500")),
        (Behaviour(status=503, taken=True), Unknown("Twilio answered with HTTP 503")),
        (Behaviour(how="garbage"), Unknown("Twilio's answer cannot be understood")),
        (Behaviour(how="garbage", taken=True), Unknown("Twilio's answer cannot be understood")),
        (Behaviour(how="reset"), Unknown("Twilio did not answer (lost)")),
        (Behaviour(how="hang up", taken=True), Unknown("Twilio did not answer (lost)")),
        (Behaviour(how="hang", taken=True), Unknown("Twilio did not answer (timeout)")),
    ],
)
def test_an_answer_means_what_it_says_and_is_asked_for_once(
    twilio_server: TwilioServer, make: Make, way: Behaviour, answer: object
) -> None:
    twilio_server.behave(way, ANN)
    first, second = make().send([text_to(ANN), text_to(BOB, delivery_id=2)], NOW)
    assert first == answer
    assert isinstance(second, Accepted)
    assert twilio_server.posts == {ANN: 1, BOB: 1}


def test_a_wrong_token_is_tried_again_under_its_code(twilio_server: TwilioServer) -> None:
    provider = Twilio(ACCOUNT_SID, "wrong", sender=SENDER, api_url=twilio_server.url)
    assert provider.send([text_to(ANN)], NOW) == [Retry("20003")]
    provider.close()


def test_a_certificate_that_is_not_trusted_gets_no_text(make: Make) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with TwilioServer(tls=context) as secure:
        assert make(api_url=secure.url).send([text_to(ANN)], NOW) == [Retry("tls")]
        assert not secure.posts


def test_texts_go_over_tls_to_a_server_that_is_trusted_and_the_connection_is_kept(
    make: Make,
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with TwilioServer(tls=context) as secure:
        provider = make(api_url=secure.url, tls=trusting)
        for _ in range(3):
            [answer] = provider.send([text_to(ANN)], NOW)
            assert isinstance(answer, Accepted)
        assert secure.connections == 1


def test_a_host_that_does_not_exist_is_tried_again(make: Make) -> None:
    assert make(api_url="http://nowhere.invalid").send([text_to(ANN)], NOW) == [Retry("connect")]


def test_a_server_that_lets_nobody_in_is_tried_again_within_the_time_out(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = []
        for _ in range(4):  # the queue of the listener is full: the next one gets no answer
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(address)
        started = time.monotonic()
        answers = make(api_url=f"http://127.0.0.1:{address[1]}").send([text_to(ANN)], NOW)
        assert answers == [Retry("timeout")]
        assert time.monotonic() - started < 5
        for one in waiting:
            one.close()


def test_a_batch_goes_out_over_many_connections_and_no_more_than_asked_for(
    twilio_server: TwilioServer, make: Make
) -> None:
    twilio_server.behave(Behaviour(delay=0.05))
    batch = [text_to(f"+1202555{number:04}", delivery_id=number) for number in range(100, 160)]
    answers = make(connections=10).send(batch, NOW)
    assert all(isinstance(answer, Accepted) for answer in answers)
    assert twilio_server.most_at_once == 10
    assert twilio_server.connections == 10


def test_an_email_is_not_a_text(make: Make) -> None:
    assert make().send([email_to("ann@example.com")], NOW) == [Rejected("content")]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"account_sid": ""}, "DRIP_TWILIO_ACCOUNT_SID"),
        ({"account_sid": "AC/é"}, "DRIP_TWILIO_ACCOUNT_SID"),
        ({"auth_token": ""}, "DRIP_TWILIO_AUTH_TOKEN"),
        ({"sender": None}, "DRIP_TWILIO_FROM"),
        ({"messaging_service_sid": "MG1"}, "DRIP_TWILIO_FROM"),
        ({"api_url": "api.twilio.com"}, "DRIP_TWILIO_API_URL"),
        ({"api_url": "http://h:port"}, "DRIP_TWILIO_API_URL"),
    ],
)
def test_wrong_settings_are_said_by_name(options: dict[str, Any], name: str) -> None:
    right = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "sender": SENDER}
    with pytest.raises(SettingsError, match=name):
        Twilio(**(right | options))


def test_the_server_runs_as_a_process_and_keeps_its_texts_when_it_is_killed(
    make: Make, tmp_path: Path
) -> None:
    root, state = Path(__file__).parents[2], tmp_path / "texts.jsonl"
    command = [sys.executable, "-m", "tests.servers.twilio_server", "--state", str(state)]
    for number in (1, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
            assert process.stdout is not None
            provider = make(api_url=process.stdout.readline().strip(), timeout=5)
            [answer] = provider.send([text_to(ANN)], NOW)
            assert isinstance(answer, Accepted)
            os.kill(process.pid, signal.SIGKILL)
        assert len(state.read_text().splitlines()) == number
