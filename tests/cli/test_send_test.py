"""`drip send-test`: one message to oneself, marked as a test."""

from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

from tests.cli.conftest import Drip
from tests.servers.smtp_server import Misbehaviour, SmtpServer
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER, Behaviour, TwilioServer

PHONE = "+1 212 555 0109"


def outbox(drip: Drip, pattern: str) -> list[Path]:
    return sorted((drip.folder / "outbox").glob(pattern))


def test_a_phone_gets_the_text_marked_as_a_test(drip: Drip) -> None:
    done = drip("send-test", "day-before", "--to", "(212) 555-0109")
    assert done.status == 0
    (file,) = outbox(drip, "*.txt")
    text = file.read_text()
    assert "To: +12125550109" in text
    body = text.split("\n\n")[1].strip()
    assert body.startswith("TEST: River Clinic: your visit is tomorrow")
    assert done.out.splitlines() == [body, f"outbox took it for +12125550109: {file.name}"]


def test_a_mailbox_gets_the_email_marked_as_a_test(drip: Drip) -> None:
    done = drip("send-test", "welcome", "--to", "me@example.com", "--language", "es", "--json")
    (file,) = outbox(drip, "*.eml")
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert mail["To"] == "me@example.com"
    assert mail["Subject"].startswith("PRUEBA: ")
    assert done.json["subject"] == mail["Subject"]
    assert (done.json["channel"], done.json["provider"]) == ("email", "outbox")
    assert "Ana" in done.json["body"]


def test_where_patients_have_pages_a_test_links_to_an_example(drip: Drip) -> None:
    drip.set(DRIP_PUBLIC_URL="https://care.example.com", DRIP_SECRET_KEY="k" * 40)
    done = drip("send-test", "day-before", "--to", PHONE)
    assert "https://care.example.com/v/example." in done.out


def test_two_tests_are_two_messages_and_no_delivery(drip: Drip) -> None:
    drip("send-test", "day-before", "--to", PHONE)
    drip.now += timedelta(seconds=1)
    drip("send-test", "day-before", "--to", PHONE)
    assert len(outbox(drip, "*.txt")) == 2
    assert set(drip("status", "--json").json["deliveries"].values()) == {0}


def test_the_notices_of_a_change_can_be_tried_too(drip: Drip) -> None:
    assert drip("send-test", "cancelled", "--to", PHONE).status == 0
    assert drip("send-test", "rescheduled", "--to", "me@example.com").status == 0


def test_without_a_set_up_it_is_the_sample_clinics_message(empty_drip: Drip) -> None:
    done = empty_drip("send-test", "day-before", "--to", PHONE)
    assert done.status == 0
    assert "sample clinic" in done.err
    assert [path.name for path in empty_drip.folder.iterdir()] == ["outbox"]


def test_a_step_that_uses_another_channel_is_sent_there_only_if_that_is_said(drip: Drip) -> None:
    refused = drip("send-test", "kinds-of-treatment", "--to", PHONE)
    assert (refused.status, refused.out) == (2, "")
    assert "by email only" in refused.err
    asked = drip("send-test", "kinds-of-treatment", "--to", PHONE, "--channel", "sms")
    assert asked.status == 0


def test_an_address_that_was_stopped_is_never_messaged(drip: Drip) -> None:
    drip.enroll(f"phone={PHONE}")
    drip("stop", 1, "--by", "Sam")
    done = drip("send-test", "day-before", "--to", PHONE)
    assert (done.status, done.out) == (1, "")
    assert "never messaged" in done.err
    assert outbox(drip, "*.txt") == []


def test_what_cannot_be_sent_is_an_error_of_one_line(drip: Drip) -> None:
    for args, status, said in (
        (("day-befor", "--to", PHONE), 1, 'did you mean "day-before"?'),
        (("day-before", "--to", "12"), 2, "is not a whole phone number"),
        (("day-before", "--to", "me@nowhere"), 2, "is not an address"),
        (("day-before", "--to", PHONE, "--language", "fr"), 2, "one of en, es"),
        (("day-before", "--to", PHONE, "--channel", "email"), 2, "no address for"),
        (("day-before", "--to", PHONE, "--schedule", "other"), 1, 'No schedule "other"'),
        (("day-before",), 2, "--to"),
    ):
        done = drip("send-test", *args)
        assert (done.status, done.out) == (status, ""), args
        assert said in done.err, args
        assert len(done.err.splitlines()) == 1, args


def test_what_twilio_says_is_passed_on(drip: Drip) -> None:
    with TwilioServer() as server:
        drip.set(
            DRIP_SMS_PROVIDER="twilio",
            DRIP_TWILIO_ACCOUNT_SID=ACCOUNT_SID,
            DRIP_TWILIO_AUTH_TOKEN=AUTH_TOKEN,
            DRIP_TWILIO_FROM=SENDER,
            DRIP_TWILIO_API_URL=server.url,
        )
        taken = drip("send-test", "day-before", "--to", PHONE)
        assert "twilio took it for +12125550109: SM" in taken.out
        refused = drip("send-test", "day-before", "--to", "+15005550001")
        assert refused.status == 1
        assert "twilio refused it: 21211. This is not a phone number" in refused.err
        server.behave(Behaviour(status=429, code=20429), to="+12125550108")
        busy = drip("send-test", "day-before", "--to", "+12125550108")
        assert (busy.status, "did not take it (20429)" in busy.err) == (1, True)
        server.behave(Behaviour(how="reset", taken=True), to="+12125550107")
        unknown = drip("send-test", "day-before", "--to", "+12125550107")
        assert (unknown.status, "may have arrived or not" in unknown.err) == (1, True)


def test_what_a_mail_server_says_is_passed_on(drip: Drip) -> None:
    with SmtpServer() as server:
        drip.set(
            DRIP_EMAIL_PROVIDER="smtp",
            DRIP_SMTP_URL=server.url,
            DRIP_EMAIL_FROM="care@example.com",
        )
        taken = drip("send-test", "day-before", "--to", "me@example.com")
        assert "smtp took it for me@example.com" in taken.out
        assert [mail.to for mail in server.mails] == ["me@example.com"]
        server.misbehave("no@example.com", Misbehaviour(reply="550 5.1.1 nobody"))
        refused = drip("send-test", "day-before", "--to", "no@example.com")
        assert (refused.status, "its answer is 550" in refused.err) == (1, True)
