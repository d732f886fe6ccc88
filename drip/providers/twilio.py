"""Texts over Twilio: the official client over our own connections (rules.md, "Twilio")."""

import asyncio
import json
import re
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime

from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from drip.core.inbound import ReceiptWord
from drip.core.outgoing import (
    Accepted,
    Answer,
    Outgoing,
    Rejected,
    Retry,
    Settlement,
    SmsContent,
    Unknown,
    Unsettled,
)
from drip.core.retry import RetryKind
from drip.errors import SettingsError
from drip.providers.connections import Connections, NoAnswerError, NotSentError
from drip.providers.twilio_codes import CodeKind, meaning_of
from drip.providers.twilio_http import API, BlockingHttp, Http, thread_to
from drip.providers.twilio_settling import look_up, settle_all

_LONGEST_VALIDITY = 36_000
_LOOKS_AT_ONCE = 16


class Twilio:
    """Hands texts to Twilio, up to `connections` at a time over kept connections.

    Give either `sender` (a number in E.164) or `messaging_service_sid`. With `public_url`,
    receipts come to `{public_url}/webhooks/twilio/status/{delivery_id}`, those of answers to
    `{public_url}/webhooks/twilio/answer/{answer_id}`. Each wait ends after
    `timeout` seconds. Wrong settings are a SettingsError. May be used from several threads,
    which share the connections, and on both sides of a fork, which do not.
    """

    name = "twilio"

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        sender: str | None = None,
        messaging_service_sid: str | None = None,
        api_url: str = API,
        public_url: str | None = None,
        timeout: float = 10.0,
        connections: int = 200,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not re.fullmatch("[A-Za-z0-9]+", account_sid) or not auth_token:
            raise SettingsError(
                "Twilio needs DRIP_TWILIO_ACCOUNT_SID (AC and 32 letters and digits)"
                " and DRIP_TWILIO_AUTH_TOKEN; both stand in the Twilio console"
            )
        if bool(sender) == bool(messaging_service_sid):
            raise SettingsError(
                "Twilio needs a sender: set one of DRIP_TWILIO_FROM"
                " and DRIP_TWILIO_MESSAGING_SERVICE_SID, not both"
            )
        self._login = (account_sid, auth_token)
        self._thread = thread_to(api_url, connections, timeout, tls)
        self._messages_url = f"{API}/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._sender = sender
        self._from = {"From": sender} if sender else {"MessagingServiceSid": messaging_service_sid}
        self._callbacks = f"{public_url.rstrip('/')}/webhooks/twilio" if public_url else None
        self._connections = connections

    def send(self, batch: Sequence[Outgoing], now: datetime) -> list[Answer]:
        """Hand the texts over. From `now` (UTC) each is given the time until its `give_up_at`."""
        if not batch:
            return []
        return self._thread.run(lambda connections: self._send_all(connections, batch, now))

    def settle(self, batch: Sequence[Unsettled], now: datetime) -> list[Settlement]:
        """Look the texts up in Twilio's list: see `twilio_settling`."""
        client = Client(*self._login, http_client=BlockingHttp(self._thread))
        with ThreadPoolExecutor(_LOOKS_AT_ONCE, "twilio") as threads:
            return settle_all(client, self._sender, batch, now, threads.map)

    def look_up(self, provider_ids: Sequence[str]) -> list[ReceiptWord | None]:
        """What Twilio says by now of texts that it accepted; None where it does not say."""
        client = Client(*self._login, http_client=BlockingHttp(self._thread))
        with ThreadPoolExecutor(_LOOKS_AT_ONCE, "twilio") as threads:
            return list(threads.map(lambda sid: look_up(client, sid), provider_ids))

    def close(self) -> None:
        """End the connections. Texts under way are Unknown; sending again makes new ones."""
        self._thread.close()

    async def _send_all(
        self, connections: Connections, batch: Sequence[Outgoing], now: datetime
    ) -> list[Answer]:
        """Send a batch with no more tasks than there are connections."""
        client = Client(*self._login, http_client=Http(connections))
        answers: dict[int, Answer] = {}
        left = iter(range(len(batch)))

        async def send_what_is_left() -> None:
            for place in left:
                answers[place] = await self._send_one(client, batch[place], now)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(len(batch), self._connections)):
                tasks.create_task(send_what_is_left())
        return [answers[place] for place in range(len(batch))]

    async def _send_one(self, client: Client, outgoing: Outgoing, now: datetime) -> Answer:
        """Post one text, once. `client.messages.create` would hide the headers of a refusal."""
        content = outgoing.content
        if not isinstance(content, SmsContent):
            return Rejected("content")
        form = {
            "To": outgoing.to,
            **({"From": outgoing.sender} if outgoing.sender else self._from),
            "Body": content.body,
            "ValidityPeriod": _validity(outgoing.give_up_at, now),
            "StatusCallback": self._callback_of(outgoing),
        }
        try:
            response = await client.request_async("POST", self._messages_url, data=form)
        except UnicodeError:
            return Rejected("content")
        except NotSentError as error:
            return Retry(str(error))
        except NoAnswerError as error:
            return Unknown(f"Twilio did not answer ({error})")
        return answer_of(response, now)

    def _callback_of(self, outgoing: Outgoing) -> str | None:
        if self._callbacks is None:
            return None
        kind = "answer" if outgoing.kind == "answer" else "status"
        return f"{self._callbacks}/{kind}/{outgoing.delivery_id}"


def answer_of(response: Response, now: datetime) -> Answer:
    """Read Twilio's answer to a new message. `now` is UTC, for a Retry-After date."""
    status, payload = response.status_code, _json(response.text)
    if 200 <= status < 300:
        sid = payload.get("sid")
        if isinstance(sid, str) and sid:
            return Accepted(sid)
        return Unknown("Twilio's answer cannot be understood")
    if status >= 500 or status < 200:
        return Unknown(f"Twilio answered with HTTP {status}")
    code = str(payload.get("code") or f"http-{status}")
    meaning = meaning_of(code)
    if status == 429:
        after = _retry_after(response.headers.get("retry-after"), now)
        return Retry(code, after, kind=meaning.retry or RetryKind.BUSY)
    if meaning.kind is CodeKind.UNKNOWN and status != 400:
        # It is about the account or the address of the API, and not about this text.
        return Retry(code, kind=RetryKind.CONFIGURATION)
    return meaning.as_answer()


def _json(text: str) -> dict[str, object]:
    try:
        payload = json.loads(text)
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _validity(give_up_at: datetime, now: datetime) -> int:
    """Seconds for which Twilio may keep the text waiting, within what Twilio allows."""
    return min(max(int((give_up_at - now).total_seconds()), 1), _LONGEST_VALIDITY)


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header: a number, or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if re.fullmatch("[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return max((at - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
