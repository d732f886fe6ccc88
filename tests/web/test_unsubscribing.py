"""Unsubscribing from emails: one click, a page with a button, and nothing by looking."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from drip.services.bookings.changing import reschedule
from tests.services.desk import DAY, HOUR, NOW, at
from tests.web.email_house import PUBLIC_URL, EmailHouse, email_house

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
AFTER_ALL = at("2027-01-15 10:00")


@pytest.fixture
def house(engine: Engine) -> Iterator[EmailHouse]:
    with email_house(engine) as opened:
        yield opened


def emails_stopped(house: EmailHouse, id_: int) -> bool:
    return house.desk.stands(id_)["day-before/email"] == "cancelled stopped"


def test_every_email_carries_a_link_of_its_patient_for_one_click(house: EmailHouse) -> None:
    paths = set()
    for number in (1, 2):
        house.enroll(number)
        mail = house.mail()
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail["List-Unsubscribe"].endswith("?subject=unsubscribe>")
        content = house.desk.email.sent[-1][1].content
        for path in (house.unsubscribe_path(), house.preferences_path()):
            assert f'href="{PUBLIC_URL}{path}"' in getattr(content, "html", "")
            assert f"{PUBLIC_URL}{path}" in getattr(content, "text", "")
            paths.add(path)
    assert len(paths) == 4


def test_one_click_ends_the_emails_and_leaves_the_texts(house: EmailHouse) -> None:
    id_ = house.enroll()
    answer = house.web.post(house.unsubscribe_path(), data=ONE_CLICK)
    assert answer.status_code == 200
    assert emails_stopped(house, id_)
    count = len(house.desk.email.tried)
    house.desk.run_until(AFTER_ALL)
    assert len(house.desk.email.tried) == count
    assert {"day-before/sms", "check-in/sms"} <= set(house.desk.sent_steps(house.desk.sms))
    assert house.ledger()[-1] == "email taken back link patient"
    assert any("stopped emails" in task.says for task in house.desk.tasks("call_patient"))


def test_one_click_is_read_in_both_ways_to_write_a_form(house: EmailHouse) -> None:
    id_ = house.enroll()
    parts = {name: (None, value) for name, value in ONE_CLICK.items()}
    assert house.web.post(house.unsubscribe_path(), files=parts).status_code == 200
    assert emails_stopped(house, id_)


def test_to_look_changes_nothing(house: EmailHouse) -> None:
    id_ = house.enroll()
    path = house.unsubscribe_path()
    page = house.web.get(path)
    assert page.status_code == 200
    assert '<form method="post">' in page.text
    head = house.web.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert not emails_stopped(house, id_)
    assert house.ledger() == ["sms given verbal desk", "email given verbal desk"]


NOT_ONE_CLICK = [
    (b"", ""),
    (b"List-Unsubscribe=Yes", "application/x-www-form-urlencoded"),
    (b"List-Unsubscribe=One-Click", "text/plain"),
    (b"List-Unsubscribe=One-Click", ""),
    (b'{"List-Unsubscribe": "One-Click"}', "application/json"),
    (b"\xff\xfe=%ff&=&&%%%", "application/x-www-form-urlencoded"),
    (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
    (b"--x\r\nbroken", "multipart/form-data"),
    (b"--x--", "multipart/form-data; boundary=x; charset=nonsense"),
    (b"a=" + b"x" * 60_000, "application/x-www-form-urlencoded"),
]


def test_a_post_that_does_not_ask_for_it_shows_the_page_and_changes_nothing(
    house: EmailHouse,
) -> None:
    id_ = house.enroll()
    for body, kind in NOT_ONE_CLICK:
        headers = {"Content-Type": kind} if kind else {}
        answer = house.web.post(house.unsubscribe_path(), content=body, headers=headers)
        assert answer.status_code == 400, (body[:50], kind)
        assert '<form method="post">' in answer.text
    assert not emails_stopped(house, id_)
    assert house.ledger() == ["sms given verbal desk", "email given verbal desk"]


def test_a_second_click_changes_nothing_and_says_the_same(house: EmailHouse) -> None:
    house.enroll()
    path = house.unsubscribe_path()
    first = house.web.post(path, data=ONE_CLICK)
    ledger, tasks = house.ledger(), len(house.desk.tasks())
    again = house.web.post(path, data=ONE_CLICK)
    assert (again.status_code, again.text) == (200, first.text)
    assert house.web.get(path).text == first.text
    assert (house.ledger(), len(house.desk.tasks())) == (ledger, tasks)


def test_many_clicks_at_once_are_one(house: EmailHouse) -> None:
    house.enroll()
    path = house.unsubscribe_path()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: house.web.post(path, data=ONE_CLICK), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert house.ledger().count("email taken back link patient") == 1


def test_the_link_of_an_email_of_a_year_ago_still_unsubscribes(house: EmailHouse) -> None:
    id_ = house.enroll()
    path = house.unsubscribe_path()
    house.moment.now = NOW + timedelta(days=365)
    assert house.web.post(path, data=ONE_CLICK).status_code == 200
    assert house.desk.stands(id_)["day-before/email"] == "cancelled stopped"


def test_an_expired_link_names_the_clinic_and_its_number(house: EmailHouse) -> None:
    id_ = house.enroll()
    path = house.unsubscribe_path()
    house.moment.now = NOW + timedelta(days=500)
    for answer in (house.web.get(path), house.web.post(path, data=ONE_CLICK)):
        assert answer.status_code == 410
        assert "too old" in answer.text
        assert f'href="tel:{house.desk.clinic.phone}"' in answer.text
    assert not emails_stopped(house, id_)


def test_a_link_that_is_not_ours_changes_nothing_and_stays_calm(house: EmailHouse) -> None:
    id_ = house.enroll()
    path = house.unsubscribe_path()
    other = house.preferences_path().replace("/p/", "/u/")
    for wrong in (
        path[:-1],
        path + "x",
        path.swapcase(),
        other,
        "/u/x",
        "/u/%00",
        "/u/" + "a" * 5000,
    ):
        for answer in (house.web.get(wrong), house.web.post(wrong, data=ONE_CLICK)):
            assert answer.status_code == 404
            assert "Traceback" not in answer.text
    assert not emails_stopped(house, id_)


def test_the_page_keeps_to_itself(house: EmailHouse) -> None:
    house.enroll()
    for path in (house.unsubscribe_path(), house.preferences_path(), "/u/x"):
        answer = house.web.get(path)
        headers = answer.headers
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "noindex" in headers["x-robots-tag"]
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "set-cookie" not in headers
        for word in ("<script", "http://", "https://", "ketamin", "@import", "url("):
            assert word not in answer.text.lower()


def test_the_page_is_in_the_language_of_the_patient(house: EmailHouse) -> None:
    house.enroll(language="es")
    page = house.web.get(house.unsubscribe_path())
    assert 'lang="es"' in page.text
    assert "¿Dejar de recibir nuestros correos?" in page.text


def test_who_shares_the_mailbox_gets_no_more_emails_either(house: EmailHouse) -> None:
    ann = house.enroll(1, name="Ann Lee", email="lee@example.com")
    bob = house.enroll(2, name="Bob Lee", email="lee@example.com")
    assert house.web.post(house.unsubscribe_path(), data=ONE_CLICK).status_code == 200
    assert emails_stopped(house, ann)
    assert emails_stopped(house, bob)


def test_a_click_while_a_claim_waits_comes_before_it(house: EmailHouse) -> None:
    house.enroll()
    path = house.unsubscribe_path()
    due = at("2026-12-14 10:00")
    house.desk.run_until(due - HOUR)
    sender = house.new_sender()
    claim = sender.claim(due)
    assert claim.ids
    house.moment.now = due
    house.web.post(path, data=ONE_CLICK)
    going = sender.prepare(claim, due).going
    assert {outgoing.channel.value for _, outgoing in going} == {"sms"}


def test_the_emails_stay_stopped_when_the_visit_moves(house: EmailHouse) -> None:
    id_ = house.enroll()
    house.web.post(house.unsubscribe_path(), data=ONE_CLICK)
    reschedule(house.desk.scope, id_, at("2026-12-22 13:00"), NOW + DAY)
    count = len(house.desk.email.tried)
    house.desk.run_until(AFTER_ALL)
    assert len(house.desk.email.tried) == count


def test_without_a_public_address_an_email_names_the_mailbox_alone(house: EmailHouse) -> None:
    house.desk.sender.links = None
    house.enroll()
    mail = house.mail()
    assert mail["List-Unsubscribe"].startswith("<mailto:")
    assert "List-Unsubscribe-Post" not in mail
