"""Texts over Twilio: the official client over our own connections (rules.md, "Twilio")."""

import json
import re
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime

from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

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
from drip.errors import SettingsError
from drip.providers.twilio_codes import CodeKind, meaning_of
from drip.providers.twilio_http import API, KeptConnections, NoAnswerError, NotSentError
from drip.providers.twilio_settling import settle_all

_LONGEST_VALIDITY = 36_000


class Twilio:
    """Hands texts to Twilio, up to `connections` at a time over kept connections.

    Give either `sender` (a number in E.164) or `messaging_service_sid`. With `public_url`,
    receipts come to `{public_url}/webhooks/twilio/status/{delivery_id}`. Each wait ends after
    `timeout` seconds. Wrong settings are a SettingsError. One for each process: threads do
    not outlive a fork.
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
        connections: int = 64,
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
        self._http = KeptConnections(api_url, timeout, tls)
        self._client = Client(account_sid, auth_token, http_client=self._http)
        self._messages_url = f"{API}/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._sender = sender
        self._from = {"From": sender} if sender else {"MessagingServiceSid": messaging_service_sid}
        self._callback = f"{public_url.rstrip('/')}/webhooks/twilio/status/" if public_url else None
        self._connections = connections
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def send(self, batch: Sequence[Outgoing], now: datetime) -> list[Answer]:
        """Hand the texts over. From `now` (UTC) each is given the time until its `give_up_at`."""
        return list(self._pool().map(lambda outgoing: self._send_one(outgoing, now), batch))

    def settle(self, batch: Sequence[Unsettled], now: datetime) -> list[Settlement]:
        """Look the texts up in Twilio's list: see `twilio_settling`."""
        return settle_all(self._client, self._sender, batch, now, self._pool().map)

    def close(self) -> None:
        """End threads and connections. Sending again makes new ones."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()
        self._http.close()

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._connections, "twilio")
            return self._threads

    def _send_one(self, outgoing: Outgoing, now: datetime) -> Answer:
        """Post one text, once. `client.messages.create` would hide the headers of a refusal."""
        content = outgoing.content
        if not isinstance(content, SmsContent):
            return Rejected("content")
        form = {
            "To": outgoing.to,
            **self._from,
            "Body": content.body,
            "ValidityPeriod": _validity(outgoing.give_up_at, now),
            "StatusCallback": self._callback and f"{self._callback}{outgoing.delivery_id}",
        }
        try:
            response = self._client.request("POST", self._messages_url, data=form)
        except UnicodeError:
            return Rejected("content")
        except NotSentError as error:
            return Retry(str(error))
        except NoAnswerError as error:
            return Unknown(f"Twilio did not answer ({error})")
        return answer_of(response, now)


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
        after = _retry_after(response.headers.get("Retry-After"), now)
        return Retry(code, meaning.wait if after is None else after)
    if meaning.kind is CodeKind.UNKNOWN and status != 400:
        # It is about the account or the address of the API, and not about this text.
        return Retry(code)
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
