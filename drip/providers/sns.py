"""Messages of Amazon SNS over HTTPS: who signed one, and what Amazon SES says in it.

Anybody with an account at Amazon can have SNS sign a message to us, so a message counts only
from the topic that the settings name. Certificates and confirmations are fetched from the SNS
host of that topic's region and from nowhere else.
Rules: docs.aws.amazon.com/sns, "Verifying the signatures of Amazon SNS messages".
"""

import base64
import http.client
import json
import re
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Fetch = Callable[[str], bytes]
"""Fetches an https address; OSError where that fails."""

_TOPIC = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):[0-9]{12}:[\w.-]+", re.ASCII)
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9A-Za-z]+\.pem")
_CONFIRMATION = re.compile(r"/\?Action=ConfirmSubscription&[!-~]+")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(
        ("SubscriptionConfirmation", "UnsubscribeConfirmation"),
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
"""What is signed of each kind of message, in this order; what is not there is left out."""
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}
_CERTIFICATES_KEPT = 20
_LONGEST = 100_000
_LONGEST_ADDRESS = 2_000


class ForgedError(Exception):
    """The message is not signed by SNS, or comes from another topic."""


class NotSnsError(ValueError):
    """The body is no message of SNS."""


def fetch(url: str, tls: ssl.SSLContext | None = None, port: int | None = None) -> bytes:
    """Fetch an https address, without following where it may lead. Raises OSError.

    It waits 5 seconds at most for each step. `tls` and `port` are for tests.
    """
    there = urlsplit(url)
    assert there.hostname is not None, "addresses are checked before"
    context = tls or ssl.create_default_context()
    connection = http.client.HTTPSConnection(there.hostname, port, timeout=5, context=context)
    try:
        connection.request("GET", f"{there.path}?{there.query}" if there.query else there.path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
        return answer.read(_LONGEST)
    except http.client.HTTPException as error:
        raise OSError(type(error).__name__) from error
    finally:
        connection.close()


class Sns:
    """Reads the messages of one topic (an ARN), and confirms that we want them."""

    def __init__(self, topic_arn: str, fetch: Fetch = fetch) -> None:
        self._topic_arn = topic_arn
        found = _TOPIC.fullmatch(topic_arn)
        ending = ".cn" if found and found[1] == "aws-cn" else ""
        self._host = f"sns.{found[2]}.amazonaws.com{ending}" if found else None
        self._fetch = fetch
        self._turn = threading.Lock()
        self._certificates: dict[str, x509.Certificate] = {}

    def read(self, body: bytes, now: datetime) -> dict[str, str]:
        """A message whose signature is right; `now` (aware) is held against the certificate.

        Raises NotSnsError, ForgedError, and OSError where the certificate cannot be fetched.
        """
        said = _parsed(body)
        # First what costs nothing: nobody else's message makes us fetch anything.
        if said.get("TopicArn") != self._topic_arn:
            raise ForgedError("it comes from another topic")
        names, algorithm = _SIGNED.get(said["Type"]), _HASHES.get(said.get("SignatureVersion", ""))
        url = said.get("SigningCertURL", "")
        if names is None or algorithm is None or not self._is_ours(url, _CERTIFICATE):
            raise ForgedError("its kind, its signature or its certificate is not of SNS")
        signed = "".join(f"{name}\n{said[name]}\n" for name in names if name in said)
        try:
            signature = base64.b64decode(said.get("Signature", ""), validate=True)
            key = self._certificate(url, now).public_key()
            if not isinstance(key, rsa.RSAPublicKey):
                raise ForgedError("the certificate is of another kind")
            key.verify(signature, signed.encode(), padding.PKCS1v15(), algorithm())
        except (InvalidSignature, ValueError):
            raise ForgedError("the signature is wrong") from None
        return said

    def confirm(self, said: dict[str, str]) -> None:
        """Answer a SubscriptionConfirmation that `read` gave. Raises ForgedError and OSError."""
        url = said.get("SubscribeURL", "")
        if not self._is_ours(url, _CONFIRMATION):
            raise ForgedError("the address to confirm at is not of SNS")
        self._fetch(url)

    def _is_ours(self, url: str, path: re.Pattern[str]) -> bool:
        """Whether an address is at the SNS host of our region, and there at such a path.

        It is compared letter by letter, so that no reading of an address can be tricked.
        """
        start = f"https://{self._host}"
        ours = self._host is not None and len(url) <= _LONGEST_ADDRESS and url.startswith(start)
        return ours and path.fullmatch(url, len(start)) is not None

    def _certificate(self, url: str, now: datetime) -> x509.Certificate:
        with self._turn:
            found = self._certificates.get(url)
            if found is None:
                try:
                    found = x509.load_pem_x509_certificate(self._fetch(url))
                except ValueError:
                    raise ForgedError("there is no certificate at its address") from None
                if len(self._certificates) >= _CERTIFICATES_KEPT:
                    self._certificates.clear()
                self._certificates[url] = found
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            raise ForgedError("the certificate is not valid now")
        return found


def _parsed(body: bytes) -> dict[str, str]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise NotSnsError("not JSON") from None
    if not isinstance(said, dict) or not isinstance(said.get("Type"), str):
        raise NotSnsError("no message of SNS")
    # All that is signed, and all that we look at, is text.
    return {name: value for name, value in said.items() if isinstance(value, str)}
