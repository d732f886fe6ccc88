"""Receipts that did not come are asked for: by id, not too often, and not for ever."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

import pytest

from drip.core.delivery import Status
from drip.core.inbound import ReceiptWord
from drip.core.outgoing import Accepted
from drip.providers.twilio import Twilio
from drip.services.receipts.polling import AT_ONCE, poll
from drip.services.receipts.receiving import receive
from drip.store.engine import writing
from drip.store.schema import Attempt, Delivery
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER, TwilioServer
from tests.services.desk import DAY, HOUR, MINUTE, NOW, Desk, Sink
from tests.services.flight import fly


@dataclass
class Teller(Sink):
    """A provider that can be asked by its ids."""

    words: dict[str, ReceiptWord] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)

    def look_up(self, provider_ids: Sequence[str]) -> list[ReceiptWord | None]:
        """Say what it knows."""
        self.looked_up += provider_ids
        return [self.words.get(each) for each in provider_ids]


@pytest.fixture
def teller() -> Teller:
    return Teller("texts")


def accepted(desk: Desk, count: int = 1) -> list[int]:
    """Welcomes by text that were accepted now, as SM0, SM1, ..."""
    desk.enroll_many(range(1, count + 1))
    rows = [row for row in desk.rows() if (row.step, row.channel) == ("welcome", "sms")]
    for number, row in enumerate(rows):
        fly(desk, [row], Accepted(f"SM{number}"), NOW)
    return [row.id for row in rows]


def stands(desk: Desk, delivery_id: int) -> Status:
    return next(row.status for row in desk.rows() if row.id == delivery_id)


@pytest.mark.parametrize(
    ("word", "after"),
    [
        (ReceiptWord("texts", "SM0", "delivered"), Status.DELIVERED),
        (ReceiptWord("texts", "SM0", "undelivered", "30006"), Status.UNDELIVERED),
        (ReceiptWord("texts", "SM0", "sent"), Status.ACCEPTED),
    ],
)
def test_what_was_silent_for_an_hour_is_asked_for_and_taken_in_as_a_receipt(
    desk: Desk, teller: Teller, word: ReceiptWord, after: Status
) -> None:
    (id_,) = accepted(desk)
    teller.words["SM0"] = word
    assert poll(desk.engine, teller, NOW + 59 * MINUTE) == 0
    assert poll(desk.engine, teller, NOW + HOUR + MINUTE) == 1
    assert stands(desk, id_) is after


def test_what_came_to_its_end_is_not_asked_for(desk: Desk, teller: Teller) -> None:
    (id_,) = accepted(desk)
    receive(desk.engine, id_, ReceiptWord("texts", "SM0", "delivered"), NOW + MINUTE)
    assert poll(desk.engine, teller, NOW + 2 * HOUR) == 0


def test_each_is_asked_for_every_hour_then_every_few_and_after_two_days_no_more(
    desk: Desk, teller: Teller
) -> None:
    accepted(desk)
    asked = []
    for step in range(1, 4 * 24 * 6):
        now = NOW + step * timedelta(minutes=10)
        if poll(desk.engine, teller, now):
            asked.append(now - NOW)
    assert len(asked) == len(teller.looked_up)
    assert 10 <= len(asked) <= 14
    assert asked[0] <= HOUR + 10 * MINUTE
    assert asked[-1] <= 2 * DAY
    assert min(b - a for a, b in pairwise(asked)) >= HOUR


def test_many_are_asked_for_in_runs_of_a_limited_size(desk: Desk, teller: Teller) -> None:
    accepted(desk, AT_ONCE + 20)
    later = NOW + 2 * HOUR
    assert [poll(desk.engine, teller, later) for _ in range(3)] == [AT_ONCE, 20, 0]
    assert len(set(teller.looked_up)) == AT_ONCE + 20


def test_another_provider_is_not_asked_and_one_that_cannot_be_is_left_alone(
    desk: Desk, teller: Teller
) -> None:
    accepted(desk)
    other = Teller("other")
    assert poll(desk.engine, other, NOW + 2 * HOUR) == 0
    assert poll(desk.engine, desk.sms, NOW + 2 * HOUR) == 0


# --- Twilio ---------------------------------------------------------------------------------------


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


def test_twilio_is_asked_by_the_ids_that_it_gave(desk: Desk, twilio: TwilioServer) -> None:
    ids = accepted(desk, 3)
    texts = [twilio.accept({"To": "+12125550101", "From": SENDER, "Body": "Hi"}) for _ in ids]
    twilio.messages[0]["status"] = "delivered"
    twilio.fail(texts[1]["sid"], 30006)
    sids = [texts[0]["sid"], texts[1]["sid"], "SM" + "0" * 32]  # the last is not there
    with writing(desk.engine) as session:
        for id_, sid in zip(ids, sids, strict=True):
            for attempt in session.query(Attempt).filter_by(delivery_id=id_):
                attempt.provider, attempt.provider_id = "twilio", sid
    _rename(desk, dict(zip(ids, sids, strict=True)))
    provider = Twilio(ACCOUNT_SID, AUTH_TOKEN, sender=SENDER, api_url=twilio.url)
    assert poll(desk.engine, provider, NOW + 2 * HOUR) == 3
    assert sorted(twilio.shown) == sorted(sids)
    twilio.list_status = 500
    assert poll(desk.engine, provider, NOW + 4 * HOUR) == 1
    provider.close()
    assert [stands(desk, id_) for id_ in ids] == [
        Status.DELIVERED,
        Status.UNDELIVERED,
        Status.ACCEPTED,
    ]


def _rename(desk: Desk, sids: dict[int, str]) -> None:
    """Let the deliveries be those that the server knows."""
    with writing(desk.engine) as session:
        for delivery in session.query(Delivery).where(Delivery.id.in_(sids)):
            delivery.provider, delivery.provider_id = "twilio", sids[delivery.id]
