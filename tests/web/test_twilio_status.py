"""Twilio's word about a text: signed, bounded, in any order, and never a fault of ours."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from drip.app import App
from drip.config import Secret, Settings
from drip.core.delivery import Status
from drip.core.outgoing import Accepted
from drip.store.engine import reading
from drip.store.schema import Receipt
from drip.web.app import create_app
from tests.services.desk import NOW, Desk
from tests.services.flight import fly
from tests.web.conftest import FORM, PUBLIC, TOKEN, Fields, Served, sign

SID = "SM" + "1" * 32


def sent(desk: Desk, number: int = 1, sid: str = SID) -> int:
    """A text that Twilio accepted; the delivery's id."""
    row = desk.row(desk.enroll(number).enrollment_id, "welcome")
    fly(desk, [row], Accepted(sid), NOW)
    return row.id


def said(status: str, sid: str = SID, **more: str) -> dict[str, str]:
    """What Twilio posts."""
    return {
        "AccountSid": "AC" + "0" * 32,
        "ApiVersion": "2010-04-01",
        "From": "+15005550006",
        "MessageSid": sid,
        "MessageStatus": status,
        "SmsSid": sid,
        "SmsStatus": status,
        "To": "+12125550101",
        **more,
    }


def path_of(delivery_id: int) -> str:
    return f"/webhooks/twilio/status/{delivery_id}"


def stands(desk: Desk, delivery_id: int) -> Status:
    return next(row.status for row in desk.rows() if row.id == delivery_id)


def test_a_signed_receipt_moves_its_delivery(served: Served, desk: Desk) -> None:
    id_ = sent(desk)
    answer = served.post(path_of(id_), said("delivered"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert stands(desk, id_) is Status.DELIVERED


def test_receipts_in_any_order_and_doubled_come_to_their_end(served: Served, desk: Desk) -> None:
    id_ = sent(desk)
    for status in ("sent", "delivered", "queued", "sent", "delivered", "undelivered"):
        assert served.post(path_of(id_), said(status)).status_code == 204
    assert stands(desk, id_) is Status.DELIVERED
    with reading(desk.engine) as session:
        assert session.query(Receipt).count() == 4


def test_many_at_once_are_all_taken_in(served: Served, desk: Desk) -> None:
    ids = {f"SM{number:032}": sent(desk, number, f"SM{number:032}") for number in range(1, 21)}
    words = [(id_, sid, word) for sid, id_ in ids.items() for word in ("sent", "delivered", "sent")]

    def post(one: tuple[int, str, str]) -> int:
        return served.post(path_of(one[0]), said(one[2], one[1])).status_code

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(post, words)) == {204}
    assert desk.counts()[Status.DELIVERED] == len(ids)
    with reading(desk.engine) as session:
        assert session.query(Receipt).count() == 2 * len(ids)


def test_a_receipt_of_no_delivery_is_counted_and_that_is_all(served: Served, desk: Desk) -> None:
    before = served.counts().get("twilio_status not_ours", 0)
    for id_ in (0, 999_999, 2**63 - 1):
        assert served.post(path_of(id_), said("delivered")).status_code == 204
        assert served.post(path_of(id_), said("failed", ErrorCode="30006")).status_code == 204
    assert served.counts()["twilio_status not_ours"] == before + 6


def test_a_code_that_nobody_knows_is_kept_and_counted(served: Served, desk: Desk) -> None:
    id_ = sent(desk)
    assert served.post(path_of(id_), said("undelivered", ErrorCode="39999")).status_code == 204
    assert served.counts("drip_receipts_total")["unknown twilio undelivered"] >= 1
    with reading(desk.engine) as session:
        assert [receipt.code for receipt in session.query(Receipt)] == ["39999"]


# --- Whose request it is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "counted"),
    [
        ("", "unsigned"),
        ("x", "forged"),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "forged"),
        ("\xe9" * 28, "forged"),
    ],
)
def test_what_twilio_did_not_sign_is_refused_and_counted(
    served: Served, desk: Desk, signature: str, counted: str
) -> None:
    id_ = sent(desk)
    before = served.counts().get(f"twilio_status {counted}", 0)
    headers: Any = (
        {**FORM, "X-Twilio-Signature": signature.encode("latin-1")} if signature else FORM
    )
    answer = served.client.post(path_of(id_), content=b"MessageSid=SM1", headers=headers)
    assert answer.status_code == 403
    assert served.counts()[f"twilio_status {counted}"] == before + 1
    assert stands(desk, id_) is Status.ACCEPTED


def test_a_signature_of_another_delivery_or_of_other_words_is_refused(
    served: Served, desk: Desk
) -> None:
    id_, other = sent(desk, 1), sent(desk, 2, "SM2")
    signature = sign(PUBLIC + path_of(other), said("delivered"))
    refused = [
        served.post(path_of(id_), said("delivered"), signature=signature),
        served.post(path_of(other), said("failed"), signature=signature),
        served.post(path_of(other), said("delivered", More="1"), signature=signature),
        served.post(path_of(other) + "?x=1", said("delivered"), signature=signature),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert stands(desk, id_) is stands(desk, other) is Status.ACCEPTED


@pytest.mark.parametrize("signed_for", [PUBLIC, f"{PUBLIC}:443"])
def test_the_signed_address_may_name_the_port_or_not(
    served: Served, desk: Desk, signed_for: str
) -> None:
    id_ = sent(desk)
    answer = served.post(path_of(id_), said("delivered"), signed_for=signed_for)
    assert answer.status_code == 204


def test_behind_a_proxy_the_public_address_counts_and_no_header(served: Served, desk: Desk) -> None:
    id_ = sent(desk)
    proxied = {
        "Host": "inside:8000",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "ftp",
    }
    assert served.post(path_of(id_), said("sent"), **proxied).status_code == 204
    inside = "http://inside:8000"
    forged = served.post(path_of(id_), said("delivered"), signed_for=inside, **proxied)
    assert forged.status_code == 403


@pytest.mark.parametrize("more", ["/", "?a=1&b=%20two", "/?c=", "?q=caf%C3%A9&q=caf%C3%A9"])
def test_a_slash_at_the_end_and_a_query_are_part_of_the_address(
    served: Served, desk: Desk, more: str
) -> None:
    id_ = sent(desk)
    assert served.post(path_of(id_) + more, said("delivered")).status_code == 204
    assert stands(desk, id_) is Status.DELIVERED


def test_fields_that_come_twice_are_signed_as_twilio_signs_them(served: Served, desk: Desk) -> None:
    id_ = sent(desk)
    fields: Fields = [*said("delivered").items(), ("To", "+12125550199"), ("To", "+12125550101")]
    assert served.post(path_of(id_), fields).status_code == 204
    assert stands(desk, id_) is Status.DELIVERED


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_refused_and_not_read_on(
    served: Served, desk: Desk, chunked: bool
) -> None:
    id_ = sent(desk)
    before = served.counts().get("any too_long", 0)
    fields = said("delivered", Filler="x" * 70_000)
    body = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in fields.items())
    pieces = (body[at : at + 4096].encode() for at in range(0, len(body), 4096))
    headers = FORM | {"X-Twilio-Signature": sign(PUBLIC + path_of(id_), fields)}
    content: Any = pieces if chunked else body
    answer = served.client.post(path_of(id_), content=content, headers=headers)
    assert answer.status_code == 413
    assert served.counts()["any too_long"] == before + 1
    assert stands(desk, id_) is Status.ACCEPTED


def test_a_body_just_short_enough_is_taken_also_in_chunks(served: Served, desk: Desk) -> None:
    id_ = sent(desk)
    fields = said("delivered", Filler="x" * 64_000)
    body = httpx.QueryParams(fields)
    pieces = (str(body)[at : at + 1000].encode() for at in range(0, len(str(body)), 1000))
    headers = FORM | {"X-Twilio-Signature": sign(PUBLIC + path_of(id_), fields)}
    assert served.client.post(path_of(id_), content=pieces, headers=headers).status_code == 204


ODD: dict[str, tuple[bytes, Fields]] = {
    "nothing": (b"", {}),
    "no fields": (b"&&&", {}),
    "no status": (b"MessageSid=SM1", {"MessageSid": "SM1"}),
    "no sid": (b"MessageStatus=sent", {"MessageStatus": "sent"}),
    "an empty sid": (
        b"MessageSid=&MessageStatus=sent",
        {"MessageSid": "", "MessageStatus": "sent"},
    ),
    "not UTF-8": (
        b"MessageSid=SM\xff&MessageStatus=sent",
        {"MessageSid": "SM�", "MessageStatus": "sent"},
    ),
    "not UTF-8, escaped": (
        b"MessageSid=SM1&MessageStatus=%ff%fe",
        {"MessageSid": "SM1", "MessageStatus": "��"},
    ),
    "a NUL": (
        b"MessageSid=S%00M&MessageStatus=se%00nt&ErrorCode=%00",
        {"MessageSid": "S\0M", "MessageStatus": "se\0nt", "ErrorCode": "\0"},
    ),
    "a long sid": (
        b"MessageSid=" + b"S" * 5000 + b"&MessageStatus=sent",
        {"MessageSid": "S" * 5000, "MessageStatus": "sent"},
    ),
    "an unknown word": (
        b"MessageSid=SM1&MessageStatus=pondering&Unheard=Of",
        {"MessageSid": "SM1", "MessageStatus": "pondering", "Unheard": "Of"},
    ),
    "another case": (
        b"MessageSid=SM1&MessageStatus=SENT&ErrorCode=0",
        {"MessageSid": "SM1", "MessageStatus": "SENT", "ErrorCode": "0"},
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_but_signed_is_no_fault(served: Served, desk: Desk, odd: str) -> None:
    id_ = sent(desk)
    answer = served.post_bytes(path_of(id_), *ODD[odd])
    assert answer.status_code == 204
    assert stands(desk, id_) is Status.ACCEPTED


def test_a_path_that_is_no_id_is_refused(served: Served) -> None:
    for id_ in ("x", "-1", "1.5", str(2**63)):
        path = f"/webhooks/twilio/status/{id_}"
        assert served.post(path, said("delivered")).status_code == 422
    assert served.client.get("/webhooks/twilio/status/1").status_code == 405


@pytest.mark.parametrize("status", ["delivered", "failed"])
def test_while_the_database_is_away_twilio_is_told_to_come_again(status: str) -> None:
    nowhere = Settings(
        database_url=Secret("postgresql://drip@127.0.0.1:1/drip"),
        public_url=PUBLIC,
        twilio_auth_token=Secret(TOKEN),
    )
    transport = httpx.ASGITransport(create_app(App(nowhere)))
    fields = said(status)
    headers = FORM | {"X-Twilio-Signature": sign(PUBLIC + path_of(1), fields)}

    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
            return await client.post(path_of(1), data=fields, headers=headers)

    answer = asyncio.run(post())
    assert answer.status_code == 503
    assert "cannot be reached" in answer.json()["detail"]
