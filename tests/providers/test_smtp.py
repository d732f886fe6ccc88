"""What is special about SMTP."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator

import pytest

from drip.core.outgoing import Accepted, Rejected, Retry, Unknown
from drip.errors import SettingsError
from drip.providers.smtp import Smtp
from drip.providers.smtp_url import SmtpAddress
from tests.providers.rigs import CARE, NOW, email_to, unsettled
from tests.servers.smtp_server import Misbehaviour, SmtpServer

ANN, BOB, CAT = "ann@example.com", "bob@example.com", "cat@example.com"
THREE = [email_to(to, delivery_id=number) for number, to in enumerate((ANN, BOB, CAT), 1)]
UNKNOWN = Unknown("the mail went out and the mail server did not answer")

Connect = Callable[..., Smtp]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make a provider with a short time-out, closed after the test."""
    made: list[Smtp] = []

    def make(url: str, tls: ssl.SSLContext | None = None, timeout: float = 0.5) -> Smtp:
        made.append(Smtp(url, CARE, timeout=timeout, tls=tls))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


def accepted(number: int) -> Accepted:
    return Accepted(f"<drip-delivery-{number}@example.com>")


def with_login(url: str, login: str) -> str:
    return url.replace("://", f"://{login}@")


def test_many_mails_in_many_batches_go_over_one_connection_in_order(
    smtp_server: SmtpServer, connect: Connect
) -> None:
    provider = connect(smtp_server.url)
    for _ in range(3):
        assert provider.send(THREE, NOW) == [accepted(1), accepted(2), accepted(3)]
    assert smtp_server.connections == 1
    assert [mail.to for mail in smtp_server.mails] == [ANN, BOB, CAT] * 3
    assert {mail.sender for mail in smtp_server.mails} == {CARE}


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_goes_out_over_tls_after_a_login(tls: str, connect: Connect) -> None:
    with SmtpServer(tls=tls, login=("ann@clinic", "p/w:?#%")) as server:
        provider = connect(
            with_login(server.url, "ann%40clinic:p%2Fw%3A%3F%23%25"), server.client_tls
        )
        assert provider.send(THREE[:1], NOW) == [accepted(1)]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_that_is_not_trusted_gets_no_mail(tls: str, connect: Connect) -> None:
    with SmtpServer(tls=tls) as server:
        assert connect(server.url).send(THREE[:1], NOW) == [Retry("tls")]
        assert not server.mails


def test_a_server_without_tls_gets_no_mail_when_tls_is_asked_for(
    smtp_server: SmtpServer, connect: Connect
) -> None:
    provider = connect(smtp_server.url.replace("smtp:", "smtp+starttls:"))
    assert provider.send(THREE[:1], NOW) == [Retry("not-supported")]
    assert not smtp_server.mails


@pytest.mark.parametrize(("login", "code"), [("ann:wrong", "535"), (":", "530")])
def test_a_refused_login_is_tried_again_under_its_code(
    login: str, code: str, connect: Connect
) -> None:
    with SmtpServer(login=("ann", "right")) as server:
        answers = connect(with_login(server.url, login)).send(THREE, NOW)
        assert answers == [Retry(code)] * 3
        assert all("DRIP_SMTP_URL" in getattr(answer, "alert", "") for answer in answers)


@pytest.mark.parametrize(
    ("at", "reply", "answer"),
    [
        ("RCPT", "550 5.1.1 no such mailbox", Rejected("550", address_is_bad=True, suppress=True)),
        ("RCPT", "550 no such user here", Rejected("550", address_is_bad=True)),
        ("RCPT", "551 not here", Rejected("551", address_is_bad=True)),
        ("RCPT", "553 5.1.3 bad syntax", Rejected("553", address_is_bad=True, suppress=True)),
        ("RCPT", "550 5.7.1 relaying denied", Rejected("550")),
        ("RCPT", "552 5.2.2 mailbox full", Rejected("552")),
        ("RCPT", "450 4.2.1 busy", Retry("450")),
        ("RCPT", "535 log in", Retry("535")),
        ("DATA", "451 4.3.0 later", Retry("451")),
        ("DATA", "554 5.5.1 no", Rejected("554")),
        ("END", "452 4.3.1 disk is full", Retry("452")),
        ("END", "550 5.7.1 looks like spam", Rejected("550")),
        ("END", "hello?", UNKNOWN),
    ],
)
def test_a_refusal_means_what_its_code_says_and_the_others_go(
    smtp_server: SmtpServer, connect: Connect, at: str, reply: str, answer: object
) -> None:
    smtp_server.misbehave(BOB, Misbehaviour(at=at, reply=reply))
    assert connect(smtp_server.url).send(THREE, NOW) == [accepted(1), answer, accepted(3)]
    assert [mail.to for mail in smtp_server.mails] == [ANN, CAT]


@pytest.mark.parametrize(
    ("reply", "answer"), [("451 4.3.0 later", Retry("451")), ("553 not yours", Rejected("553"))]
)
def test_a_refused_sender_is_never_the_patients_address(
    smtp_server: SmtpServer, connect: Connect, reply: str, answer: object
) -> None:
    smtp_server.misbehave("*", Misbehaviour(at="MAIL", reply=reply))
    assert connect(smtp_server.url).send(THREE[:1], NOW) == [answer]


@pytest.mark.parametrize("how", ["hang up", "reset"])
@pytest.mark.parametrize("at", ["RCPT", "DATA"])
def test_a_connection_lost_before_the_end_of_the_mail_is_tried_again(
    smtp_server: SmtpServer, connect: Connect, at: str, how: str
) -> None:
    smtp_server.misbehave(BOB, Misbehaviour(at=at, how=how))
    answers = connect(smtp_server.url).send(THREE, NOW)
    assert answers == [accepted(1), Retry("lost"), accepted(3)]


@pytest.mark.parametrize("how", ["hang up", "reset"])
def test_a_connection_lost_after_the_mail_is_unknown_and_not_sent_again(
    smtp_server: SmtpServer, connect: Connect, how: str
) -> None:
    smtp_server.misbehave(BOB, Misbehaviour(at="END", how=how, taken=True))
    answers = connect(smtp_server.url).send(THREE, NOW)
    assert answers == [accepted(1), UNKNOWN, accepted(3)]
    assert [mail.to for mail in smtp_server.mails] == [ANN, BOB, CAT]


def test_a_kept_connection_that_breaks_is_replaced_at_once(
    smtp_server: SmtpServer, connect: Connect
) -> None:
    smtp_server.misbehave(BOB, Misbehaviour(at="RCPT", times=1))
    answers = connect(smtp_server.url).send(THREE, NOW)
    assert answers == [accepted(1), accepted(2), accepted(3)]
    assert smtp_server.connections == 2


def test_a_server_that_takes_few_mails_on_a_connection_gets_them_all(connect: Connect) -> None:
    with SmtpServer(limit=2) as server:
        batch = [email_to(ANN, delivery_id=number) for number in range(7)]
        answers = connect(server.url).send(batch, NOW)
        assert answers == [accepted(number) for number in range(7)]
        assert server.connections == 4


@pytest.mark.parametrize(("at", "answer"), [("RCPT", Retry("timeout")), ("END", UNKNOWN)])
def test_a_silent_server_is_waited_for_once_in_a_batch(
    smtp_server: SmtpServer, connect: Connect, at: str, answer: object
) -> None:
    smtp_server.misbehave(ANN, Misbehaviour(at=at, how="hang"))
    batch = [email_to(ANN, delivery_id=number) for number in range(1, 30)]
    started = time.monotonic()
    answers = connect(smtp_server.url).send(batch, NOW)
    assert answers == [answer] + [Retry("timeout")] * 28
    assert time.monotonic() - started < 5


def test_a_server_that_never_greets_is_waited_for_once_in_a_batch(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        started = time.monotonic()
        answers = connect(f"smtp://127.0.0.1:{port}").send(THREE, NOW)
        assert answers == [Retry("timeout")] * 3
        assert time.monotonic() - started < 5


def test_a_mail_server_cannot_be_asked_what_it_took(
    smtp_server: SmtpServer, connect: Connect
) -> None:
    [settled] = connect(smtp_server.url).settle([unsettled(THREE[0])], NOW)
    assert isinstance(settled, Unknown)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("smtp://localhost", SmtpAddress("smtp", "localhost", 25)),
        ("smtps://h.example", SmtpAddress("smtps", "h.example", 465)),
        ("smtp+starttls://h.example", SmtpAddress("smtp+starttls", "h.example", 587)),
        ("smtp://[::1]:2525", SmtpAddress("smtp", "::1", 2525)),
        ("smtps://a%40b:c%3A%2F@h:1", SmtpAddress("smtps", "h", 1, "a@b", "c:/")),
    ],
)
def test_an_address_is_read(url: str, address: SmtpAddress) -> None:
    assert SmtpAddress.parse(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://ann:s3cret@mail:port",
        "smtp://ann:s3cret/x@mail:25",
        "smtp://ann:s3cret@mail/folder",
        "smtp://ann:s3cret%C3%A9@mail",
    ],
)
def test_a_wrong_address_is_said_in_one_line_without_the_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DRIP_SMTP_URL: ") as caught:
        Smtp(url, CARE)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_is_not_shown() -> None:
    assert "s3cret" not in repr(SmtpAddress.parse("smtp://ann:s3cret@mail"))
