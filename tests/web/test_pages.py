"""A patient's page as the server gives it: what it shows, what it keeps to itself, what it does."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select, text

from drip.app import App
from drip.content.language_file import load_language
from drip.content.wording import beginnings
from drip.core.outgoing import EmailContent, SmsContent
from drip.core.schedule import Channel
from drip.services.bookings.changing import cancel, reschedule
from drip.store.engine import reading, writing
from drip.store.schema import Address, Consent
from drip.web.app import create_app
from tests.services.desk import DAY, HOUR, NOW, Desk, at
from tests.web.pages_house import House, pages_house

SESSION = at("2026-12-15 09:00")


@pytest.fixture
def house(engine: Engine) -> Iterator[House]:
    with pages_house(engine) as house:
        yield house


def everything(house: House) -> dict[str, Sequence[Any]]:
    """All rows that there are."""
    names = ("enrollments", "deliveries", "consents", "addresses", "tasks", "patients", "answers")
    with reading(house.desk.engine) as session:
        return {n: session.execute(text(f"SELECT * FROM {n} ORDER BY id")).all() for n in names}


def enrollment(house: House, id_: int = 1) -> Any:
    return house.desk.enrollment(id_)


# --- What it shows ------------------------------------------------------------------------------


def test_the_page_shows_the_words_of_the_email_where_the_step_has_one(house: House) -> None:
    page = house.get(house.enroll("day-before"))
    assert page.status_code == 200
    assert "Your ketamine session is Tuesday, December 15 at 9:00 AM." in page.text
    assert '<a class="call" href="tel:+12125550100">(212) 555-0100</a>' in page.text


@pytest.mark.parametrize(("language", "told"), [("en", "calendar file"), ("es", "este correo")])
def test_a_page_does_not_speak_of_the_email_that_it_is_not(
    house: House, language: str, told: str
) -> None:
    page = house.get(house.enroll("welcome", language=language))
    assert "ketamin" in page.text
    assert told not in page.text.lower()


def test_the_page_shows_the_text_where_the_step_has_no_email(house: House) -> None:
    page = house.get(house.enroll("day-of"))
    assert "River Clinic: see you Tuesday, December 15 at 9:00 AM." in page.text


def test_the_page_speaks_the_language_of_the_patient(house: House) -> None:
    page = house.get(house.enroll("day-before", language="es"))
    assert '<html lang="es" dir="ltr">' in page.text
    assert "Su sesión de ketamina es" in page.text
    assert "Sí, voy a ir" in page.text


def test_a_text_is_shown_in_the_wording_that_the_patient_chose(house: House) -> None:
    discreet = house.get(house.enroll("evening-after", number=1))
    plain = house.get(house.enroll("evening-after", number=2, wording="plain"))
    assert discreet.text != plain.text


def test_today_and_tomorrow_are_those_of_who_reads_the_page(house: House) -> None:
    url = house.enroll("day-before")
    house.moment.now = SESSION - 20 * HOUR
    assert "Your ketamine session is tomorrow, Tuesday" in house.get(url).text
    house.moment.now = SESSION - 2 * HOUR
    assert "Your ketamine session is today, Tuesday" in house.get(url).text


def test_the_crisis_lines_stand_on_every_page_once(house: House) -> None:
    for number, step in enumerate(("day-before", "day-of", "check-in", "welcome"), 1):
        page = house.get(house.enroll(step, number=number)).text
        assert page.count('<a class="call" href="tel:988">988</a>') == 1, step
        assert page.count('<a class="call" href="tel:911">911</a>') == 1, step


@pytest.mark.parametrize("language", ["en", "es"])
def test_title_address_and_preview_name_nothing_of_the_treatment(
    house: House, language: str
) -> None:
    url = house.enroll("day-before", language=language)
    page = house.get(url).text
    assert "<title>River Clinic</title>" in page
    assert '<meta property="og:title" content="River Clinic">' in page
    seen = url + page[: page.index("<style>")] + "\n".join(re.findall("<h1>.*?</h1>", page))
    for words in ("en", "es"):
        begin = load_language(house.desk.content, words).not_discreet
        assert list(beginnings(seen, begin)) == []


def test_a_name_that_looks_like_markup_stays_a_name(house: House) -> None:
    url = house.enroll()
    with writing(house.desk.engine) as session:
        name = "<b>{{7*7}}</b>[x](https://example.com)"
        session.execute(text("UPDATE patients SET name = :name"), {"name": name})
    page = house.get(url).text
    assert "Hi &lt;b&gt;{{7*7}}&lt;/b&gt;[x](https://example.com)," in page
    assert "<b>" not in page
    assert 'href="https://example.com' not in page


def test_the_text_and_the_email_of_the_day_before_lead_to_its_page(engine: Engine) -> None:
    with pages_house(engine) as house:
        desk = house.desk
        enrollment_id = desk.enroll(1).enrollment_id
        rows = [desk.row(enrollment_id, "day-before", channel) for channel in ("sms", "email")]
        house.moment.now = rows[0].due_at
        desk.sender.links = house.links
        desk.run_until(house.moment.now)
        said = {outgoing.delivery_id: outgoing.content for _, outgoing in desk.sms.sent}
        said |= {outgoing.delivery_id: outgoing.content for _, outgoing in desk.email.sent}
        text, mail = (said[row.id] for row in rows)
        assert isinstance(text, SmsContent)
        assert isinstance(mail, EmailContent)
        (by_text,) = re.findall(r"Confirm and see more: (http\S+)$", text.body)
        (by_mail,) = re.findall(r'<a class="button" href="(http[^"]+)"', mail.html)
        assert f"Tell us that you are coming: {by_mail}\n" in mail.text
        for url in (by_text, by_mail):
            assert "Yes, I am coming" in house.get(url).text
        assert house.press(by_text, "confirm").status_code == 200
        assert "You told us that you are coming." in house.get(by_mail).text


def test_without_pages_no_message_links_anywhere(engine: Engine) -> None:
    desk = Desk(engine)
    enrollment_id = desk.enroll(1).enrollment_id
    desk.run_until(desk.row(enrollment_id, "day-before").due_at)
    assert len(desk.sms.sent) > 1
    for _, outgoing in (*desk.sms.sent, *desk.email.sent):
        assert "http" not in str(outgoing.content)


# --- What it keeps to itself ----------------------------------------------------------------------


def test_nothing_of_the_page_is_kept_indexed_framed_or_told_to_others(house: House) -> None:
    page = house.get(house.enroll())
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-robots-tag"].startswith("noindex, nofollow")
    assert '<meta name="robots" content="noindex, nofollow' in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "set-cookie" not in page.headers
    assert "<script" not in page.text
    assert not re.search(r'(?:src|href|action)="https?:', page.text)


LOST = ("Patient A", "River", "555", "December", "ketamin", "example.com")
"""What a page that is not for this reader must not hold."""


def shows_nothing(page: httpx.Response, status: int) -> bool:
    assert page.status_code == status
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"].startswith("noindex")
    assert "<h1>" in page.text
    return not any(word.lower() in page.text.lower() for word in LOST)


def test_a_link_that_was_changed_shows_a_calm_page_with_nothing_in_it(house: House) -> None:
    url = house.enroll()
    token = url.rpartition("/")[2]
    forged = [token[:-1] + ("A" if token[-1] != "A" else "B"), "B" + token[1:], token[:-5], "x"]
    for each in forged:
        for page in (
            house.get(f"{house.address}/v/{each}"),
            house.get(f"{house.address}/v/{each}/visit.ics"),
            house.press(f"{house.address}/v/{each}", "confirm"),
            house.press(f"{house.address}/v/{each}", "stop"),
        ):
            assert shows_nothing(page, 404)
    assert enrollment(house).confirmed_at is None


def test_an_expired_link_says_that_it_is_too_old_and_nothing_else(house: House) -> None:
    house.enroll()
    url = house.url(1, NOW + HOUR)
    assert house.get(url).status_code == 200
    house.moment.now = NOW + HOUR
    assert shows_nothing(house.get(url), 410)
    assert shows_nothing(house.press(url, "confirm"), 410)
    assert enrollment(house).confirmed_at is None


def test_a_link_for_something_else_opens_no_page(house: House) -> None:
    house.enroll()
    token = house.links.token("unsubscribe", house.desk.scope.clinic_id, 1, NOW + DAY)
    assert shows_nothing(house.get(f"{house.address}/v/{token}"), 404)


def test_a_link_of_one_clinic_opens_nothing_of_another(house: House) -> None:
    house.enroll()
    other = house.links.token("page", house.desk.scope.clinic_id + 1, 1, NOW + DAY)
    gone = house.links.token("page", house.desk.scope.clinic_id, 999_999, NOW + DAY)
    for token in (other, gone):
        assert shows_nothing(house.get(f"{house.address}/v/{token}"), 404)
        assert shows_nothing(house.press(f"{house.address}/v/{token}", "stop"), 404)


def test_a_lost_page_speaks_the_language_of_the_browser(house: House) -> None:
    url = f"{house.address}/v/x"
    said = {
        asked: "<h1>Este enlace no funciona" in house.get(url, **{"Accept-Language": asked}).text
        for asked in ("es-MX,es;q=0.9", "en", "fr, es;q=0.5", "xx", "")
    }
    assert said == {
        "es-MX,es;q=0.9": True,
        "en": False,
        "fr, es;q=0.5": True,
        "xx": False,
        "": False,
    }


def test_a_message_that_cannot_be_made_shows_a_calm_page(house: House) -> None:
    url = house.enroll()
    with writing(house.desk.engine) as session:
        session.execute(text("UPDATE deliveries SET message = 'gone'"))
    assert shows_nothing(house.get(url), 503)


def test_without_links_in_the_settings_there_are_no_pages(house: House) -> None:
    url = house.enroll()
    settings = replace(App.from_environment().settings, public_url=None, secret_key=None)
    served = create_app(App(settings, house.moment))
    transport = httpx.ASGITransport(served)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url=house.address) as client:
            return await client.get(url)

    import asyncio

    assert shows_nothing(asyncio.run(ask()), 404)


# --- What it does ---------------------------------------------------------------------------------


def test_to_look_changes_nothing(house: House) -> None:
    url = house.enroll()
    before = everything(house)
    for path in ("", "/visit.ics", "/confirm", "/ride", "/stop"):
        assert house.get(url + path).status_code in (200, 303)
    assert everything(house) == before


def test_confirming_is_noted_and_twice_is_fine(house: House) -> None:
    url = house.enroll()
    first = house.press(url, "confirm", session=str(int(SESSION.timestamp())))
    house.moment.now = NOW + HOUR
    second = house.press(url, "confirm")
    assert [first.status_code, second.status_code] == [200, 200]
    assert "We noted that you are coming" in first.text
    assert "We noted that you are coming" in second.text
    assert enrollment(house).confirmed_at == NOW
    page = house.get(url).text
    assert "You told us that you are coming." in page
    assert "Yes, I am coming" not in page


def test_a_ride_is_noted(house: House) -> None:
    url = house.enroll()
    assert "your ride home is arranged" in house.press(url, "ride").text
    assert enrollment(house).ride_arranged_at == NOW
    assert "My ride home is arranged" not in house.get(url).text


def test_a_stop_ends_the_texts_and_not_the_visit(house: House) -> None:
    url = house.enroll("day-of")
    assert "This does not cancel your visit." in house.press(url, "stop").text
    stands = house.desk.stands(1)
    texts = {name: how for name, how in stands.items() if name.endswith("/sms")}
    assert set(texts.values()) == {"cancelled stopped"}
    assert enrollment(house).status == "active"
    with reading(house.desk.engine) as session:
        last = session.scalars(select(Consent).order_by(Consent.id.desc())).first()
        stopped = session.scalars(select(Address).where(Address.suppressed_at.is_not(None))).one()
    assert last is not None
    assert (last.channel, last.given, last.how, last.by_whom) == (
        *(Channel.SMS, False),
        *("web", "patient"),
    )
    assert stopped.channel is Channel.SMS
    assert "Stop these texts" not in house.get(url).text


def test_stopping_twice_is_fine_and_is_written_down_once(house: House) -> None:
    url = house.enroll("day-of")
    house.press(url, "stop")
    before = everything(house)
    again = house.press(url, "stop")
    assert "Texts are stopped" in again.text
    assert everything(house) == before


def test_a_stop_is_offered_only_where_texts_go(house: House) -> None:
    url = house.enroll("day-before", "email", consent="email")
    assert "Stop these texts" not in house.get(url).text


def test_the_calendar_file_is_the_visit_and_replaces_the_one_of_the_email(house: House) -> None:
    url = house.enroll("welcome")
    house.desk.send_all(NOW)
    (mail,) = [each for _, each in house.desk.email.sent]
    file = house.get(f"{url}/visit.ics")
    assert file.headers["content-type"] == "text/calendar; charset=utf-8"
    assert file.headers["cache-control"] == "no-store"
    assert "DTSTART;TZID=America/New_York:20261215T090000" in file.text
    assert "SUMMARY;LANGUAGE=en:Visit: River Clinic" in file.text
    mailed = mail.content.calendar.data.decode()  # type: ignore[union-attr]
    uid = re.compile("^UID:.*$", re.MULTILINE)
    assert uid.findall(file.text) == uid.findall(mailed)


# --- Visits that are not what they were -----------------------------------------------------------


def test_after_a_move_an_old_page_says_so_and_shows_the_new_time(house: House) -> None:
    url = house.enroll("welcome")
    house.desk.send_all(NOW)
    reschedule(house.desk.scope, 1, at("2026-12-18 11:00"), NOW)
    page = house.get(url).text
    assert "Your visit has a new time since we sent this message." in page
    assert "Friday, December 18" in page
    assert "December 15" not in page


def test_an_answer_about_another_time_than_the_page_showed_does_not_count(house: House) -> None:
    url = house.enroll()
    (shown,) = set(re.findall('name="session" value="([0-9]+)"', house.get(url).text))
    reschedule(house.desk.scope, 1, at("2026-12-18 11:00"), NOW)
    for action in ("confirm", "ride"):
        page = house.press(url, action, session=shown)
        assert "Your visit has a new time" in page.text
        assert "Friday, December 18" in page.text
    assert enrollment(house).confirmed_at is None
    assert enrollment(house).ride_arranged_at is None


def test_a_cancelled_visit_says_so_and_offers_nothing_about_it(house: House) -> None:
    url = house.enroll()
    cancel(house.desk.scope, 1, NOW)
    page = house.get(url)
    assert "This visit is canceled." in page.text
    assert "December 15" not in page.text
    assert "ketamine" not in page.text
    assert actions(page) == {"stop"}
    assert shows_nothing(house.get(f"{url}/visit.ics"), 404)
    assert "This visit is canceled" in house.press(url, "confirm").text
    assert enrollment(house).confirmed_at is None


def test_the_message_of_the_cancellation_itself_is_shown(house: House) -> None:
    house.enroll()
    cancel(house.desk.scope, 1, NOW)
    page = house.get(house.url(house.desk.row(1, "cancelled").id))
    assert page.status_code == 200
    assert "December 15" in page.text
    assert actions(page) == {"stop"}


def test_who_runs_late_still_sees_the_visit_but_cannot_confirm_it(house: House) -> None:
    url = house.enroll()
    house.moment.now = SESSION + timedelta(minutes=5)
    page = house.get(url)
    assert "Please arrive at 8:45 AM" in page.text
    assert actions(page) == {"stop"}
    assert "It is too late to answer here" in house.press(url, "confirm").text
    assert enrollment(house).confirmed_at is None


def test_the_day_after_the_page_no_longer_speaks_of_a_visit_to_come(house: House) -> None:
    url = house.enroll()
    house.moment.now = SESSION + DAY
    page = house.get(url)
    assert "This message was about your visit on Tuesday, December 15." in page.text
    assert "Please arrive" not in page.text
    assert actions(page) == {"stop"}


def test_what_is_to_be_read_after_the_visit_and_education_stay(house: House) -> None:
    check_in, education = (
        house.enroll("check-in"),
        house.url(house.desk.row(1, "side-effects", "email").id),
    )
    house.moment.now = SESSION + 2 * DAY
    assert "how do you feel now?" in house.get(check_in).text
    assert "Your visit</h2>" not in house.get(check_in).text
    assert "dizz" in house.get(education).text


def actions(page: httpx.Response) -> set[str]:
    """What a page offers to press."""
    return set(re.findall('action="[^"/]+/([a-z]+)"', page.text))


# --- What strangers send --------------------------------------------------------------------------


def test_whatever_a_form_holds_the_server_does_not_break(house: House) -> None:
    url = house.enroll()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    bodies = [
        b"session=",
        b"session=now",
        b"session=-99999999999999999999",
        b"session=\xff\xfe",
        b"session=1&session=2",
        b"session=" + b"9" * 900,
        b"",
    ]
    for body in bodies:
        assert httpx.post(f"{url}/confirm", content=body, headers=form).status_code == 200, body
    assert httpx.post(f"{url}/confirm", files={"session": b"1"}).status_code == 200
    assert httpx.post(f"{url}/confirm", content=b"x" * 100_000).status_code == 413


def test_an_address_that_nobody_made_is_not_found(house: House) -> None:
    odd = [
        "",
        "%00",
        "%ff%fe",
        "....",
        "a" * 5000,
        "x/unknown",
        "%F0%9F%99%82.a.b.c",
        "..%2f..%2fx",
    ]
    for each in odd:
        url = f"{house.address}/v/{each}"
        assert house.get(url).status_code == 404, each
        assert httpx.post(f"{url}/confirm").status_code in (404, 405), each
