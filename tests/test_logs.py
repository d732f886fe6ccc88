"""The log: one JSON object a line, from whoever writes it, and never a patient's data."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine

from drip.config import Secret, Settings
from drip.core.schedule import Channel
from drip.errors import StoreError
from drip.logs import Masking, configure_logs
from drip.providers.smtp import Smtp
from drip.providers.twilio import Twilio
from drip.services.outbound.sending import Providers
from drip.store.engine import reading
from drip.store.schema import Attempt, Patient
from tests.servers.smtp_server import SmtpServer
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER, Behaviour, TwilioServer
from tests.services.desk import HOUR, NOW, Desk

NAME, PHONE, EMAIL = "Marguerite Vandermeer", "+12125550142", "marguerite@example.com"
BODY = "Your visit is on Tuesday at nine"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What logs are set up to is the whole process's."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    shown = warnings.showwarning
    yield
    root.handlers[:], (root.level, sys.excepthook, threading.excepthook) = before[0], before[1:]
    logging.captureWarnings(capture=False)
    warnings.showwarning = shown
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged, each line read as JSON."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def logger(**settings: Any) -> Any:
    configure_logs(Settings(**settings))
    return structlog.get_logger("drip.test")


# --- Its form -----------------------------------------------------------------------------------


def test_where_nobody_watches_each_entry_is_one_json_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger().info("delivery.answered", delivery=7, status="accepted\nor not")
    (entry,) = lines(capsys)
    moment = entry.pop("timestamp")
    assert moment.endswith("Z")
    assert entry == {
        "event": "delivery.answered",
        "delivery": 7,
        "status": "accepted\nor not",
        "level": "info",
        "logger": "drip.test",
    }


@pytest.mark.filterwarnings("always")
def test_what_libraries_log_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    logger()
    logging.getLogger("celery.worker").warning("lost %s", "the connection")
    warnings.warn("something is old", UserWarning, stacklevel=1)
    first, second = lines(capsys)
    assert set(first) == {"event", "level", "logger", "timestamp"}
    assert (first["event"], first["level"], first["logger"]) == (
        "lost the connection",
        "warning",
        "celery.worker",
    )
    assert "something is old" in second["event"]


def test_text_may_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    logger(log_format="text").warning("lease.lapsed", given_back=3)
    said = capsys.readouterr().err
    assert "lease.lapsed" in said
    assert "given_back=3" in said
    assert not said.startswith("{")


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "error", "library info", "library error"]),
        ("info", ["info", "error", "library error"]),
        ("error", ["error", "library error"]),
    ],
)
def test_the_level_counts_for_drip_and_libraries_say_less(
    level: str, heard: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log = logger(log_level=level)
    for each in ("debug", "info", "error"):
        getattr(log, each)(each)
    for each in ("debug", "info", "error"):
        getattr(logging.getLogger("kombu"), each)(f"library {each}")
    assert [entry["event"] for entry in lines(capsys)] == heard


# --- What is never in it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to +12125550142 now", "to [phone] now"),
        ("to +1 (212) 555-0142.", "to [phone]."),
        ("(212) 555-0142", "[phone]"),
        ("212-555-0142, 212.555.0142", "[phone], [phone]"),
        ("To=%2B12125550142&From=x", "To=[phone]&From=x"),
        ("12125550142", "[phone]"),
        ("+44 20 79 46 00 01", "[phone]"),
        ("<ana.lopez+x@mail.example.com>", "<[email]>"),
        ("to=ana@example.com, and", "to=[email], and"),
        ("ana%40example.com", "[email]"),
        ("postgresql://drip:pa55@db/drip", "postgresql://[secret]@db/drip"),
        ("redis://:pa55@cache:6379/0", "redis://[secret]@cache:6379/0"),
        ("Authorization: Basic QUM6dG9rZW4=", "Authorization: Basic [secret]"),
        ("auth_token=abc&x=1", "auth_token=[secret]&x=1"),
        ('{"password": "abc"}', '{"password": [secret]}'),
    ],
)
def test_what_looks_like_an_address_or_a_secret_is_masked(text: str, masked: str) -> None:
    assert Masking().text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "delivery.answered",
        "2026-12-01 15:00:00",
        "2026-12-01T15:00:00.123456+00:00",
        "Task drip.tick[3f2b1c4e-1234-5678-9012-345678901234] received",
        "Error 111 connecting to 127.0.0.1:6379",
        "192.168.100.200:54321",
        "celery@web-1: delivery 123456789 of 200",
        "twilio 21211",
        "drip/services/sending.py:120 in tick",
    ],
)
def test_what_is_no_address_is_left_as_it_is(text: str) -> None:
    assert Masking().text(text) == text


def test_values_of_every_shape_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    logger().info("x", to=[PHONE], by={EMAIL: (EMAIL, 12125550142)}, path=Path("a@example.com"))
    (entry,) = lines(capsys)
    assert entry["to"] == ["[phone]"]
    assert entry["by"] == {"[email]": ["[email]", 12125550142]}
    assert entry["path"] == "[email]"


def test_the_secrets_of_the_settings_are_masked_wherever_they_stand(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logger(
        twilio_auth_token=Secret("e5c0ffee00"), database_url=Secret("postgresql://d:hunter22@h/n")
    )
    log.error("x", said="e5c0ffee00 and hunter22")
    assert lines(capsys)[0]["said"] == "[secret] and [secret]"


def test_an_exception_is_told_by_its_kind_and_place_without_its_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logger()
    try:
        try:
            raise KeyError(NAME)
        except KeyError as error:
            raise ValueError(f"{NAME}: {BODY}") from error
    except ValueError as error:
        log.exception("delivery.broken", delivery=7)
        # As Celery tells what a task raised.
        logging.getLogger("celery.app.trace").error(
            "Task %s raised unexpected: %r, %s", "drip.deliver", error, error, exc_info=True
        )
    out = capsys.readouterr().err
    assert NAME not in out
    assert BODY not in out
    ours, celerys = (json.loads(line) for line in out.splitlines())
    kinds = [line for line in ours["exception"].splitlines() if not line.startswith(" ")]
    assert kinds == ["ValueError", "KeyError"]
    assert f"{__file__}:" in ours["exception"]
    assert celerys["event"] == "Task drip.deliver raised unexpected: ValueError, ValueError"


def test_the_words_of_drips_own_errors_and_of_the_system_are_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logger()
    for error in (StoreError("The database is away"), ConnectionResetError(104, "Reset by peer")):
        log.error("x", exc_info=error)
    first, second = lines(capsys)
    assert first["exception"] == "StoreError: The database is away"
    assert second["exception"] == "ConnectionResetError: Reset by peer"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_ends_a_process_or_a_thread_is_logged_in_the_same_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger()

    def fail() -> None:
        raise ValueError(NAME)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    first, second = lines(capsys)
    assert (first["event"], second["event"]) == ("thread.ended", "process.ended")
    assert NAME not in str((first, second))


def test_sending_with_every_kind_of_failure_logs_no_word_about_any_patient(
    sqlite_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log = logger(log_level="debug")
    desk = Desk(sqlite_engine)
    with TwilioServer() as twilio, SmtpServer() as smtp:
        desk.sender.providers = providers_at(twilio, smtp)
        failures = [
            Behaviour(status=429, code=20429),
            Behaviour(status=400, code=21211),
            Behaviour(status=400, code=21610),
            Behaviour(status=500),
            Behaviour(how="reset"),
            Behaviour(how="garbage"),
        ]
        for number, failure in enumerate(failures, 1):
            twilio.behave(failure, to=f"+1212555{100 + number:04}")
        for number in range(1, len(failures) + 3):
            desk.enroll(number, name=f"Zephyrine Quill {chr(64 + number)}")
        desk.send_all(NOW)
        desk.keep_house(NOW + HOUR)
        desk.send_all(NOW + HOUR)
        for provider in desk.sender.providers.values():
            provider.close()
    blow_up(desk, log)
    out = capsys.readouterr().err
    assert len(out.splitlines()) > len(failures)
    counted = [json.loads(line) for line in out.splitlines() if "answers.recorded" in line]
    assert {"accepted", "failed", "unknown"} <= {key for entry in counted for key in entry}
    for word in words_about_patients(desk):
        assert word not in out, word


def providers_at(twilio: TwilioServer, smtp: SmtpServer) -> Providers:
    return {
        Channel.SMS: Twilio(ACCOUNT_SID, AUTH_TOKEN, sender=SENDER, api_url=twilio.url),
        Channel.EMAIL: Smtp(smtp.url, "care@example.com"),
    }


def blow_up(desk: Desk, log: Any) -> None:
    """A provider that breaks its word, and a fault of the database that quotes a row."""

    def fall_over(outgoing: Any, _now: Any) -> Any:
        raise RuntimeError(f"cannot send {outgoing.content} to {outgoing.to}")

    desk.enroll(20, name="Zephyrine Quill T")
    desk.sms.answer = desk.email.answer = fall_over
    try:
        desk.send_all(NOW, desk.new_sender())
    except RuntimeError as error:
        log.exception("batch.broken")
        logging.getLogger("celery.app.trace").error("raised unexpected: %r", error, exc_info=True)
    else:
        raise AssertionError("nothing was sent")


def words_about_patients(desk: Desk) -> set[str]:
    """Names, addresses in every spelling, subjects, and each line of each body."""
    words = set()
    with reading(desk.engine) as session:
        for patient in session.query(Patient):
            words |= {patient.name, *patient.name.split()[:2], patient.phone, patient.email}
            words |= {str(patient.phone)[2:], str(patient.phone)[-7:]}
        for attempt in session.query(Attempt):
            words |= {line for line in attempt.body.splitlines() if len(line) > 10}
            words.add(attempt.subject)
    assert len(words) > 40
    return {word for word in words if word}
