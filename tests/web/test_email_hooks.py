"""What Amazon SES and SendGrid tell us of emails: each once, and with its effect."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from drip.store.engine import reading
from drip.store.schema import Receipt
from tests.services.desk import at
from tests.web.amazon import (
    CERTIFICATE,
    Amazon,
)
from tests.web.email_house import EmailHouse
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

AFTER_ALL = at("2027-01-15 10:00")


@pytest.fixture(scope="module")
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
def house(engine: Engine, amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmailHouse]:
    with mail_house(engine, amazon, monkeypatch) as opened:
        yield opened


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_email_that_arrived_is_delivered(
    house: EmailHouse, amazon: Amazon, version: str
) -> None:
    id_ = house.enroll()
    assert house.desk.stands(id_)["welcome/email"] == "accepted"
    message = amazon.message(of_ses(house, "Delivery"), version=version)
    assert by_ses(house, message).status_code == 204
    assert house.desk.stands(id_)["welcome/email"] == "delivered"
    assert amazon.fetched == [CERTIFICATE]


def test_a_hard_bounce_ends_the_emails_and_asks_for_another_address(
    house: EmailHouse, amazon: Amazon
) -> None:
    id_ = house.enroll()
    assert by_ses(house, amazon.message(of_ses(house, "Bounce"))).status_code == 204
    stands = house.desk.stands(id_)
    assert stands["welcome/email"] == "undelivered refused"
    assert stands["day-before/email"] == "cancelled suppressed"
    assert stands["day-before/sms"] == "scheduled"
    assert suppressed(house) == "bounced 5.1.1"
    (task,) = house.desk.tasks("fix_address")
    assert "5.1.1" in task.says
    assert ANN not in task.says
    count = len(house.desk.email.tried)
    house.desk.run_until(AFTER_ALL)
    assert len(house.desk.email.tried) == count


def test_an_essential_step_that_only_an_email_carried_becomes_a_call(
    house: EmailHouse, amazon: Amazon
) -> None:
    id_ = house.enroll(phone="", consent="email")
    by_ses(house, amazon.message(of_ses(house, "Bounce")))
    said = " ".join(task.says for task in house.desk.tasks("call_patient"))
    assert "welcome" in said
    assert "day-before" in said
    assert house.desk.waiting(id_) == []


def test_a_complaint_ends_the_emails_and_asks_staff(house: EmailHouse, amazon: Amazon) -> None:
    id_ = house.enroll()
    assert by_ses(house, amazon.message(of_ses(house, "Complaint"))).status_code == 204
    assert suppressed(house) == "complained abuse"
    assert house.desk.stands(id_)["welcome/email"] == "delivered"
    assert house.desk.stands(id_)["day-before/email"] == "cancelled suppressed"
    assert any("marked as spam" in task.says for task in house.desk.tasks("call_patient"))


def test_who_takes_an_email_out_of_the_spam_complains_of_nothing(
    house: EmailHouse, amazon: Amazon
) -> None:
    house.enroll()
    said = of_ses(house, "Complaint", complaintFeedbackType="not-spam")
    assert by_ses(house, amazon.message(said)).status_code == 204
    assert suppressed(house) is None


def test_a_soft_bounce_is_only_noted(house: EmailHouse, amazon: Amazon) -> None:
    id_ = house.enroll()
    before = house.desk.stands(id_)
    said = of_ses(house, "Bounce", bounceType="Transient")
    assert by_ses(house, amazon.message(said)).status_code == 204
    assert house.desk.stands(id_) == before
    assert suppressed(house) is None
    assert house.desk.tasks() == []
    with reading(house.desk.engine) as session:
        assert [(row.status, row.code) for row in session.query(Receipt)] == [("deferred", "5.1.1")]


def test_events_of_a_configuration_set_are_read_too(house: EmailHouse, amazon: Amazon) -> None:
    house.enroll()
    said = of_ses(house, "Bounce")
    said["eventType"] = said.pop("notificationType")
    assert by_ses(house, amazon.message(said)).status_code == 204
    assert suppressed(house) == "bounced 5.1.1"


def test_a_bounce_that_does_not_say_of_which_email_ends_the_mailbox(
    house: EmailHouse, amazon: Amazon
) -> None:
    id_ = house.enroll()
    assert by_ses(house, amazon.message(of_ses(None, "Bounce"))).status_code == 204
    assert suppressed(house) == "bounced 5.1.1"
    assert house.desk.stands(id_)["welcome/email"] == "accepted"
    assert house.desk.stands(id_)["day-before/email"] == "cancelled suppressed"


def test_an_email_of_another_installation_moves_nothing_of_ours(
    house: EmailHouse, amazon: Amazon
) -> None:
    house.enroll()
    before = state(house)
    for kind in ("Delivery", "Bounce", "Complaint"):
        said = of_ses(house, kind, "somebody@example.com")
        assert by_ses(house, amazon.message(said)).status_code == 204
    assert state(house) == before


@pytest.mark.parametrize(
    ("event", "also", "stands", "because"),
    [
        ("delivered", {}, "delivered", None),
        ("deferred", {"response": "450 later"}, "accepted", None),
        ("bounce", {"type": "bounce", "status": "5.1.1"}, "undelivered refused", "bounced 5.1.1"),
        ("bounce", {"type": "blocked", "status": "4.7.1"}, "accepted", None),
        (
            "dropped",
            {"reason": "Bounced Address"},
            "undelivered refused",
            "bounced Bounced Address",
        ),
        ("dropped", {"reason": "Spam Content"}, "accepted", None),
        ("spamreport", {}, "delivered", "complained"),
        ("open", {}, "accepted", None),
    ],
)
def test_each_event_of_sendgrid_has_its_effect(
    house: EmailHouse, event: str, also: dict[str, object], stands: str, because: str | None
) -> None:
    id_ = house.enroll()
    assert by_sendgrid(house, [of_sendgrid(house, event, **also)]).status_code == 204
    assert house.desk.stands(id_)["welcome/email"] == stands
    assert suppressed(house) == because


def test_a_spam_report_without_the_message_id_ends_the_mailbox(house: EmailHouse) -> None:
    id_ = house.enroll()
    assert by_sendgrid(house, [of_sendgrid(None, "spamreport")]).status_code == 204
    assert suppressed(house) == "complained"
    assert house.desk.stands(id_)["day-before/email"] == "cancelled suppressed"


def test_events_come_in_any_order_and_many_at_once(house: EmailHouse) -> None:
    id_ = house.enroll()
    events = [
        of_sendgrid(house, "bounce", type="bounce", status="5.1.1"),
        of_sendgrid(house, "delivered"),
        of_sendgrid(house, "processed"),
        of_sendgrid(house, "delivered"),
        of_sendgrid(house, "deferred"),
    ]
    assert by_sendgrid(house, events * 20).status_code == 204
    assert house.desk.stands(id_)["welcome/email"] == "delivered"
    assert suppressed(house) == "bounced 5.1.1"


def test_what_comes_again_changes_nothing(house: EmailHouse, amazon: Amazon) -> None:
    house.enroll()
    messages = [amazon.message(of_ses(house, kind)) for kind in ("Delivery", "Bounce", "Complaint")]
    events = [
        of_sendgrid(house, kind) for kind in ("delivered", "bounce", "spamreport", "deferred")
    ]
    for message in messages:
        by_ses(house, message)
    by_sendgrid(house, events)
    before = state(house)
    house.moment.now += timedelta(hours=5)
    for message in reversed(messages):
        assert by_ses(house, message).status_code == 204
    assert by_sendgrid(house, events).status_code == 204
    assert state(house) == before


def test_a_patient_with_a_new_address_is_not_stopped_by_an_old_bounce(
    house: EmailHouse, amazon: Amazon
) -> None:
    id_ = house.enroll(reference="17")
    old = amazon.message(of_ses(house, "Bounce"))
    house.desk.enroll(1, reference="17", email="ann.new@example.com")
    assert by_ses(house, old).status_code == 204
    assert suppressed(house) == "bounced 5.1.1"
    assert suppressed(house, "ann.new@example.com") is None
    assert house.desk.stands(id_)["day-before/email"] == "scheduled"
