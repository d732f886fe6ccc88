"""The page on which a patient chooses what to get, and in which words."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine

from drip.core.outgoing import Rejected, SmsContent
from drip.core.schedule import Channel
from drip.services.consent.consenting import show
from drip.services.consent.stopping import stop_address
from tests.services.desk import NOW, at
from tests.web.email_house import PUBLIC_URL, EmailHouse, email_house

PHONE = "+12125550101"
AFTER_ALL = at("2027-01-15 10:00")


@pytest.fixture
def house(engine: Engine) -> Iterator[EmailHouse]:
    with email_house(engine) as opened:
        yield opened


def chosen(page: httpx.Response) -> set[str]:
    """The fields that are set on a page, as "texts=on"."""
    found = set()
    for tag in page.text.split("<input ")[1:]:
        said = tag.partition(">")[0]
        if "checked" in said:
            name, value = (said.split(f'{key}="')[1].split('"')[0] for key in ("name", "value"))
            found.add(f"{name}={value}")
    return found


def test_the_page_shows_how_everything_stands_and_changes_nothing(house: EmailHouse) -> None:
    house.enroll()
    path = house.preferences_path()
    page = house.web.get(path)
    assert page.status_code == 200
    assert chosen(page) == {"texts=on", "emails=on", "wording=discreet", "language=en"}
    assert house.web.head(path).status_code == 200
    assert house.ledger() == ["sms given verbal desk", "email given verbal desk"]


def test_texts_are_turned_off_and_on_again(house: EmailHouse) -> None:
    id_ = house.enroll()
    path = house.preferences_path()
    off = house.web.post(path, data={"texts": "off"})
    assert "You will get no more texts from us." in off.text
    assert "texts=off" in chosen(off)
    assert house.desk.stands(id_)["day-before/sms"] == "cancelled stopped"
    assert house.desk.stands(id_)["day-before/email"] == "scheduled"
    on = house.web.post(path, data={"texts": "on"})
    assert "You will get texts from us again." in on.text
    assert "texts=on" in chosen(on)
    assert house.desk.stands(id_)["day-before/sms"] == "scheduled"
    assert house.ledger()[2:] == ["sms taken back web patient", "sms given web patient"]
    house.desk.run_until(AFTER_ALL)
    assert "day-before/sms" in house.desk.sent_steps(house.desk.sms)


def test_who_unsubscribed_by_one_click_can_have_the_emails_back(house: EmailHouse) -> None:
    id_ = house.enroll()
    path = house.preferences_path()
    house.web.post(house.unsubscribe_path(), data={"List-Unsubscribe": "One-Click"})
    assert "emails=off" in chosen(house.web.get(path))
    on = house.web.post(path, data={"emails": "on"})
    assert "You will get emails from us again." in on.text
    assert house.desk.stands(id_)["day-before/email"] == "scheduled"


def test_after_stop_by_text_the_page_says_that_start_is_needed(house: EmailHouse) -> None:
    id_ = house.enroll()
    path = house.preferences_path()
    stop_address(house.desk.scope, Channel.SMS, PHONE, "keyword", "patient", NOW)
    ledger = house.ledger()
    for page in (house.web.get(path), house.web.post(path, data={"texts": "on"})):
        assert page.status_code == 200
        assert "send START" in page.text
        assert 'name="texts"' not in page.text
    assert house.ledger() == ledger
    assert house.desk.stands(id_)["day-before/sms"] == "cancelled stopped"


def test_what_a_provider_refused_is_not_turned_on_here(house: EmailHouse) -> None:
    house.desk.email.answer = lambda _outgoing, _now: Rejected("550", suppress=True)
    id_ = house.enroll(2)
    patient_id = house.desk.patient(id_).id
    path = house.links.in_email(house.desk.scope.clinic_id, patient_id, NOW).preferences
    page = house.web.post(path.removeprefix(PUBLIC_URL), data={"emails": "on"})
    assert "Our emails do not reach the address that we have" in page.text
    assert 'name="emails"' not in page.text


def test_who_has_no_phone_is_told_so(house: EmailHouse) -> None:
    house.enroll(phone="", consent="email")
    page = house.web.get(house.preferences_path())
    assert "We do not have your mobile number." in page.text


def test_texts_speak_plainly_once_the_patient_chose_so(house: EmailHouse) -> None:
    id_ = house.enroll()
    page = house.web.post(house.preferences_path(), data={"wording": "plain"})
    assert "wording=plain" in chosen(page)
    assert "Our texts may say what your visit is for." in page.text
    assert house.desk.patient(id_).wording == "plain"
    (choice,) = show(house.desk.scope, id_).wordings
    assert (choice.wording, choice.how, choice.by_whom) == ("plain", "web", "patient")
    assert choice.at == house.moment.now
    house.desk.run_until(AFTER_ALL)
    bodies = [o.content.body for _, o in house.desk.sms.sent if isinstance(o.content, SmsContent)]
    assert any("psychiatrist" in body for body in bodies)


def test_the_language_of_the_page_and_of_what_follows_changes_at_once(house: EmailHouse) -> None:
    id_ = house.enroll()
    page = house.web.post(house.preferences_path(), data={"language": "es"})
    assert 'lang="es"' in page.text
    assert "Le escribiremos en español." in page.text
    assert house.desk.patient(id_).language == "es"
    house.desk.run_until(AFTER_ALL)
    assert "¿" in getattr(house.desk.email.sent[-1][1].content, "text", "")


def test_all_that_a_form_asks_for_is_done_at_once(house: EmailHouse) -> None:
    id_ = house.enroll()
    wishes = {"texts": "off", "emails": "off", "wording": "plain", "language": "es"}
    page = house.web.post(house.preferences_path(), data=wishes)
    assert chosen(page) == {f"{name}={value}" for name, value in wishes.items()}
    assert house.desk.waiting(id_) == []


def test_a_form_sent_again_changes_nothing(house: EmailHouse) -> None:
    house.enroll()
    path = house.preferences_path()
    house.web.post(path, data={"texts": "off", "language": "es"})
    ledger = house.ledger()
    again = house.web.post(path, data={"texts": "off", "language": "es"})
    assert "No se cambió nada." in again.text
    assert house.ledger() == ledger


def test_what_nobody_can_choose_is_left_as_it_is(house: EmailHouse) -> None:
    house.enroll()
    path = house.preferences_path()
    for odd in (
        {},
        {"texts": "maybe", "emails": "", "wording": "rude", "language": "xx"},
        {"language": "../../etc/passwd", "unknown": "field"},
        {"wording": "\x00", "texts": "ON"},
    ):
        page = house.web.post(path, data=odd)
        assert page.status_code == 200
        assert "Nothing was changed." in page.text
    assert house.ledger() == ["sms given verbal desk", "email given verbal desk"]


def test_a_link_that_is_not_for_this_or_too_old_changes_nothing(house: EmailHouse) -> None:
    id_ = house.enroll()
    path, other = house.preferences_path(), house.unsubscribe_path().replace("/u/", "/p/")
    for wrong in (path[:-2], other, "/p/x"):
        assert house.web.get(wrong).status_code == 404
        assert house.web.post(wrong, data={"texts": "off"}).status_code == 404
    house.moment.now = NOW + timedelta(days=90)
    answer = house.web.post(path, data={"texts": "off"})
    assert answer.status_code == 410
    assert f'href="tel:{house.desk.clinic.phone}"' in answer.text
    assert house.desk.stands(id_)["day-before/sms"] == "scheduled"


def test_the_page_of_one_patient_says_nothing_of_another(house: EmailHouse) -> None:
    first = house.enroll(1)
    first_path = house.preferences_path()
    second = house.enroll(2)
    house.web.post(house.preferences_path(), data={"texts": "off", "wording": "plain"})
    assert chosen(house.web.get(first_path)) >= {"texts=on", "wording=discreet"}
    assert house.desk.stands(first)["day-before/sms"] == "scheduled"
    assert house.desk.stands(second)["day-before/sms"] == "cancelled stopped"
