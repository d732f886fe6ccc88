"""Attempts without an answer, looked up in Twilio's list."""

from datetime import datetime, timedelta

import pytest

from drip.core.outgoing import Accepted, NotSent, Rejected, Retry, Unknown, Unsettled
from tests.providers.rigs import NOW, Make, Moment, text_to
from tests.servers.twilio_server import Behaviour, TwilioServer

ANN, BOB = "+12025550101", "+12025550102"
LATER = NOW + timedelta(minutes=10)


def attempt(number: int = 1, to: str = ANN, body: str = "Hello", at: datetime = NOW) -> Unsettled:
    return Unsettled(number, number, to, body, at)


def test_what_is_there_was_accepted(twilio_server: TwilioServer, make: Make) -> None:
    twilio_server.behave(Behaviour(how="reset", taken=True), ANN)
    provider = make()
    provider.send([text_to(ANN)], NOW)
    sid = twilio_server.messages[0]["sid"]
    assert provider.settle([attempt()], LATER) == [Accepted(sid)]


def test_it_is_found_without_knowing_which_number_sent_it(
    twilio_server: TwilioServer, make: Make
) -> None:
    provider = make(messaging_service_sid="MG1")
    [answer] = provider.send([text_to(ANN)], NOW)
    assert provider.settle([attempt()], LATER) == [answer]


def test_what_still_waits_at_twilio_is_found_though_it_has_no_sending_date(
    twilio_server: TwilioServer, make: Make
) -> None:
    twilio_server.waits = True
    provider = make()
    [answer] = provider.send([text_to(ANN)], NOW)
    assert provider.settle([attempt()], LATER) == [answer]


@pytest.mark.parametrize(
    ("code", "settled"),
    [
        (30005, Rejected("30005", address_is_bad=True)),
        (30003, Retry("30003")),
    ],
)
def test_what_failed_meanwhile_is_answered_by_its_code(
    twilio_server: TwilioServer, make: Make, code: int, settled: object
) -> None:
    provider = make()
    [answer] = provider.send([text_to(ANN)], NOW)
    assert isinstance(answer, Accepted)
    twilio_server.fail(answer.provider_id, code)
    assert provider.settle([attempt()], LATER) == [settled]


@pytest.mark.parametrize(
    ("age", "settled"),
    [
        (timedelta(seconds=121), NotSent()),
        (timedelta(seconds=120), Unknown("Twilio's list may not show it yet")),
    ],
)
def test_what_is_not_there_was_not_sent_once_the_attempt_is_old_enough(
    make: Make, age: timedelta, settled: object
) -> None:
    assert make().settle([attempt()], NOW + age) == [settled]


@pytest.mark.parametrize(
    "other",
    [
        attempt(body="Hello!"),
        attempt(to=BOB),
        attempt(at=NOW + timedelta(seconds=301)),
        attempt(at=NOW - timedelta(seconds=3_601)),
    ],
    ids=["words", "number", "made before", "made long after"],
)
def test_another_text_is_not_taken_for_it(make: Make, other: Unsettled) -> None:
    provider = make()
    provider.send([text_to(ANN)], NOW)
    assert provider.settle([other], NOW + timedelta(hours=3)) == [NotSent()]


def test_a_message_made_a_little_before_the_attempt_is_its_own_since_clocks_differ(
    make: Make,
) -> None:
    provider = make()
    [answer] = provider.send([text_to(ANN)], NOW)
    assert provider.settle([attempt(at=NOW + timedelta(seconds=60))], LATER) == [answer]


def test_each_message_belongs_to_one_attempt_and_the_oldest_to_the_oldest(
    make: Make, moment: Moment
) -> None:
    provider = make()
    [first] = provider.send([text_to(ANN)], NOW)
    moment.now = NOW + timedelta(minutes=5)
    [second] = provider.send([text_to(ANN)], NOW)
    attempts = [
        attempt(3, at=NOW + timedelta(minutes=5, seconds=30)),
        attempt(2, at=NOW + timedelta(minutes=5)),
        attempt(1, at=NOW),
    ]
    settled = provider.settle(attempts, NOW + timedelta(hours=1))
    assert settled == [NotSent(), second, first]


def test_it_is_found_on_the_other_side_of_midnight(make: Make, moment: Moment) -> None:
    moment.now = datetime.fromisoformat("2026-12-02T00:00:20+00:00")
    provider = make()
    [answer] = provider.send([text_to(ANN)], NOW)
    started = datetime.fromisoformat("2026-12-01T23:59:50+00:00")
    assert provider.settle([attempt(at=started)], LATER + timedelta(days=1)) == [answer]


def test_it_is_found_among_many_pages(make: Make) -> None:
    provider = make()
    texts = [text_to(ANN, f"Text {number}") for number in range(450)]
    # Not all at once: the server here is a slow one, and the time-out short.
    answers = [provider.send(texts[start : start + 30], NOW) for start in range(0, 450, 30)]
    assert provider.settle([attempt(body="Text 0")], LATER) == [answers[0][0]]


def test_the_words_that_a_trial_account_adds_do_not_matter(
    twilio_server: TwilioServer, make: Make
) -> None:
    provider = make()
    [answer] = provider.send([text_to(ANN)], NOW)
    twilio_server.messages[0]["body"] = "Sent from your Twilio trial account - Hello"
    assert provider.settle([attempt()], LATER) == [answer]


def test_it_stays_unknown_where_the_account_hides_the_words(
    twilio_server: TwilioServer, make: Make
) -> None:
    provider = make()
    provider.send([text_to(ANN)], NOW)
    twilio_server.messages[0]["body"] = ""
    [settled] = provider.settle([attempt()], LATER)
    assert isinstance(settled, Unknown)


def test_a_patients_own_text_is_not_ours(twilio_server: TwilioServer, make: Make) -> None:
    provider = make()
    provider.send([text_to(ANN)], NOW)
    twilio_server.messages[0]["direction"] = "inbound"
    assert provider.settle([attempt()], LATER) == [NotSent()]


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_it_stays_unknown_while_the_list_does_not_answer(
    twilio_server: TwilioServer, make: Make, status: int
) -> None:
    twilio_server.list_status = status
    [settled] = make().settle([attempt()], LATER)
    assert isinstance(settled, Unknown)


@pytest.mark.parametrize("page", [b"", b"<html>", b"[]", b"null", b'{"messages": [7]}', b"{}"])
def test_it_stays_unknown_while_the_list_cannot_be_read(
    twilio_server: TwilioServer, make: Make, page: bytes
) -> None:
    twilio_server.list_page = page
    [settled] = make().settle([attempt()], LATER)
    assert isinstance(settled, Unknown)


def test_it_stays_unknown_while_nothing_can_be_reached(
    twilio_server: TwilioServer, make: Make
) -> None:
    twilio_server.stop()
    [settled] = make().settle([attempt()], LATER)
    assert isinstance(settled, Unknown)
