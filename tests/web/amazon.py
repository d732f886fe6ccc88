"""Amazon SNS for tests: signs messages with a real key, and serves its certificate over TLS."""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.services.desk import DAY, NOW

HOST = "sns.us-east-1.amazonaws.com"
TOPIC = "arn:aws:sns:us-east-1:123456789012:emails"
CERTIFICATE = f"https://{HOST}/SimpleNotificationService-0123abcd.pem"

_SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn")


def certificate(
    key: rsa.RSAPrivateKey, start: datetime = NOW - DAY, end: datetime = NOW + timedelta(days=900)
) -> bytes:
    """A certificate of this key, in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, start, end)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def new_key() -> rsa.RSAPrivateKey:
    """A key to sign with."""
    return rsa.generate_private_key(65537, 2048)


@dataclass
class Amazon:
    """SNS as it looks from outside: what it serves, and what was fetched from it."""

    key: rsa.RSAPrivateKey = field(default_factory=new_key)
    pages: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pages["/SimpleNotificationService-0123abcd.pem"] = certificate(self.key)

    def message(
        self, message: object, *, version: str = "2", kind: str = "Notification", **also: Any
    ) -> dict[str, Any]:
        """A message of the topic, signed."""
        text = message if isinstance(message, str) else json.dumps(message)
        said = {
            "Type": kind,
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Message": text,
            "Timestamp": "2026-12-01T15:00:00.000Z",
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE,
            **also,
        }
        return {**said, "Signature": self.sign(said)}

    def sign(self, said: dict[str, Any]) -> str:
        """The signature of a message, as Amazon's guide describes it."""
        lines = [f"{name}\n{said[name]}\n" for name in _SIGNED if name in said]
        data = "".join([*lines, f"Type\n{said['Type']}\n"]).encode()
        algorithm = hashes.SHA1() if said["SignatureVersion"] == "1" else hashes.SHA256()
        return base64.b64encode(self.key.sign(data, padding.PKCS1v15(), algorithm)).decode()


@contextmanager
def amazon_at(amazon: Amazon) -> Iterator[tuple[int, ssl.SSLContext]]:
    """Serve it over TLS on this machine; gives the port, and a context that trusts it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            amazon.fetched.append(f"https://{self.headers['Host'].partition(':')[0]}{self.path}")
            page = amazon.pages.get(self.path)
            self.send_response(404 if page is None else 200)
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *_: object) -> None:
            pass

    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], trusting
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def lead_here(patch: pytest.MonkeyPatch, host: str = HOST) -> None:
    """Let the name of Amazon's host lead to this machine."""
    known: Any = socket.getaddrinfo

    def here(name: object, *rest: Any, **also: Any) -> Any:
        return known("127.0.0.1" if name == host else name, *rest, **also)

    patch.setattr(socket, "getaddrinfo", here)
