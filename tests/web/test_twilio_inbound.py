"""What patients write comes in by Twilio's webhook: heard once, and answered by itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from drip.core.schedule import Channel
from drip.store import patients
from drip.store.engine import reading
from drip.store.schema import Answer, Reply
from tests.services.desk import Desk
from tests.web.conftest import Served

PATH = "/webhooks/twilio/inbound"
PATIENT = "+12125550101"
OURS = "+15005550006"
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def wrote(body: str, sid: str = "SM1", **more: str) -> dict[str, str]:
    """What Twilio posts."""
    return {
        "AccountSid": "AC" + "0" * 32,
        "Body": body,
        "From": PATIENT,
        "FromCountry": "US",
        "MessageSid": sid,
        "NumMedia": "0",
        "NumSegments": "1",
        "To": OURS,
        **more,
    }


def replies(desk: Desk) -> list[tuple[str, str]]:
    with reading(desk.engine) as session:
        return [(row.provider_id, row.body) for row in session.query(Reply).order_by(Reply.id)]


def is_stopped(desk: Desk) -> bool:
    pair = (Channel.SMS, PATIENT)
    with reading(desk.engine) as session:
        return pair in patients.suppressed(session, desk.scope.clinic_id, [pair])


def test_stop_is_heard_and_the_response_itself_says_nothing(served: Served, desk: Desk) -> None:
    desk.enroll()
    answer = served.post(PATH, wrote("Stop."))
    assert (answer.status_code, answer.text) == (200, EMPTY)
    assert answer.headers["content-type"].startswith("text/xml")
    assert is_stopped(desk)


def test_the_same_text_twice_and_at_once_is_heard_once(served: Served, desk: Desk) -> None:
    desk.enroll()
    with ThreadPoolExecutor(4) as threads:
        posted = list(threads.map(lambda _: served.post(PATH, wrote("HELP")), range(8)))
    assert {answer.status_code for answer in posted} == {200}
    assert replies(desk) == [("SM1", "HELP")]
    with reading(desk.engine) as session:
        assert session.query(Answer).filter_by(address=PATIENT).count() == 1


def test_an_old_text_that_is_played_again_stops_nobody_again(served: Served, desk: Desk) -> None:
    desk.enroll()
    served.post(PATH, wrote("STOP", "SM1"))
    served.post(PATH, wrote("START", "SM2"))
    assert not is_stopped(desk)
    assert served.post(PATH, wrote("STOP", "SM1")).status_code == 200
    assert not is_stopped(desk)


@pytest.mark.parametrize("signature", ["", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_a_forged_text_is_refused_and_not_heard(served: Served, desk: Desk, signature: str) -> None:
    desk.enroll()
    assert served.post(PATH, wrote("STOP"), signature=signature).status_code == 403
    assert replies(desk) == []
    assert not is_stopped(desk)


@pytest.mark.parametrize(
    "more",
    [
        {"Body": ""},
        {"Body": "\0"},
        {"Body": "\U0001f600" * 400},
        {"From": "nobody"},
        {"From": "+" + "9" * 60},
        {"To": ""},
        {"NumMedia": "2", "MediaUrl0": "https://example.com/a.jpg"},
        {"NumMedia": "many"},
        {"NumMedia": "9" * 60},
        {"NumMedia": "²"},
        {"OptOutType": "STOP"},
        {"OptOutType": "SOMETHING NEW"},
        {"MessageSid": ""},
        {"MessageSid": "S" * 9000},
        {"From": ""},
        {"From": "\u202e+12125550101"},
    ],
    ids=str,
)
def test_nothing_that_is_signed_is_a_fault(
    served: Served, desk: Desk, more: dict[str, str]
) -> None:
    desk.enroll()
    assert served.post(PATH, wrote("hello") | more).status_code == 200


def test_a_stop_in_bytes_that_are_no_utf8_around_it_is_still_heard(
    served: Served, desk: Desk
) -> None:
    desk.enroll()
    body = b"From=%2B12125550101&To=%2B15005550006&MessageSid=SM9&Body=STOP+%ff"
    meant = {"From": PATIENT, "To": OURS, "MessageSid": "SM9", "Body": "STOP �"}
    assert served.post_bytes(PATH, body, meant).status_code == 200
    assert is_stopped(desk)
