"""Signed addresses of a patient's pages: nobody can guess one or change what it is for.

An address says nothing but a few numbers and a signature. What it is for is part of the key that
signs it, so that a link to a page does not unsubscribe anybody.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest, digest
from typing import Literal, NamedTuple

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode, bytes_to_int, int_to_bytes
from itsdangerous.signer import SigningAlgorithm

from drip.errors import NotFound

Purpose = Literal["page", "unsubscribe", "preferences"]

_PATHS: dict[Purpose, str] = {"page": "v", "unsubscribe": "u", "preferences": "p"}

_UNSUBSCRIBE_FOR = timedelta(days=400)
"""People unsubscribe from a mail that they find a year later; the law asks for 30 days."""

_PREFERENCES_FOR = timedelta(days=60)
"""A link to the preferences shows what a patient chose, so it ends sooner."""

_PAGE_FOR = timedelta(days=30)
"""Counted from the session, or from the message where that is later."""

_SIGNED_WITH = 10
"""Bytes of a signature, the fewest that RFC 2104, 5, allows: each one makes texts longer."""

_LONGEST = 200
"""Far more than a link of ours has: what is longer is not even looked at."""

_EXAMPLE = 30
"""The length of the last part of an address, up to the 16 millionth delivery of 250 clinics."""


class _Short(SigningAlgorithm):
    """HMAC with SHA-256, cut to what a text has room for."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return digest(key, value, "sha256")[:_SIGNED_WITH]


def _signer(secret: str, purpose: Purpose) -> Signer:
    """What signs for one purpose alone: its key is made once, and of no use for another."""
    key = digest(secret.encode(), f"drip.link.{purpose}".encode(), "sha256")
    return Signer(key, sep=".", key_derivation="none", algorithm=_Short())


class LinkBroken(NotFound):
    """A link that we did not make, or that was changed."""


class LinkExpired(NotFound):
    """A link that was right once: `link` is what it was for."""

    def __init__(self, message: str, link: "Link") -> None:
        super().__init__(message)
        self.link = link


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for: `subject_id` is a delivery's id for a page, else a patient's."""

    purpose: Purpose
    clinic_id: int
    subject_id: int
    expires_at: datetime


class EmailLinks(NamedTuple):
    """The two links that every email to a patient carries."""

    unsubscribe: str
    preferences: str


class Links:
    """Makes and reads links below `public_url`, signed with `secret`."""

    def __init__(self, public_url: str, secret: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._signers = {purpose: _signer(secret, purpose) for purpose in _PATHS}

    def url(self, purpose: Purpose, clinic_id: int, subject_id: int, expires_at: datetime) -> str:
        """The whole address of a link that holds until `expires_at` (aware)."""
        token = self.token(purpose, clinic_id, subject_id, expires_at)
        return f"{self._public_url}/{_PATHS[purpose]}/{token}"

    def in_email(self, clinic_id: int, patient_id: int, now: datetime) -> EmailLinks:
        """The links of an email that a patient gets at `now` (aware)."""
        return EmailLinks(
            self.url("unsubscribe", clinic_id, patient_id, now + _UNSUBSCRIBE_FOR),
            self.url("preferences", clinic_id, patient_id, now + _PREFERENCES_FOR),
        )

    def page(self, clinic_id: int, delivery_id: int, session_at: datetime, now: datetime) -> str:
        """The link of a message that goes out at `now` (aware) and speaks of a session."""
        return self.url("page", clinic_id, delivery_id, max(session_at, now) + _PAGE_FOR)

    def token(self, purpose: Purpose, clinic_id: int, subject_id: int, expires_at: datetime) -> str:
        """The last part of the address, about 30 characters. It holds to the minute."""
        numbers = (clinic_id, subject_id, int(expires_at.timestamp()) // 60)
        said = ".".join(base64_encode(int_to_bytes(number)).decode() for number in numbers)
        return self._signers[purpose].sign(said).decode()

    def read(self, purpose: Purpose, token: str, now: datetime) -> Link:
        """What a link is for. Raises LinkBroken, or LinkExpired if `now` (aware) is too late."""
        link = self._signed(purpose, token)
        if now >= link.expires_at:
            raise LinkExpired("This link has expired.", link)
        return link

    def _signed(self, purpose: Purpose, token: str) -> Link:
        if len(token) > _LONGEST:
            raise LinkBroken("This link does not work.")
        signer = self._signers[purpose]
        try:
            said = signer.unsign(token)
            # Base64 can be written in several ways; ours is the one that we would write.
            if not compare_digest(signer.sign(said), token.encode()):
                raise LinkBroken("This link does not work.")
            clinic_id, subject_id, minute = (
                bytes_to_int(base64_decode(part)) for part in said.split(b".")
            )
            expires_at = datetime.fromtimestamp(minute * 60, UTC)
        except (BadData, ValueError, OverflowError, OSError):
            raise LinkBroken("This link does not work.") from None
        return Link(purpose, clinic_id, subject_id, expires_at)


def example_page(public_url: str) -> str:
    """An address as long as that of a page, which leads nowhere: for previews and checks."""
    return f"{public_url.rstrip('/')}/{_PATHS['page']}/example.{'0' * (_EXAMPLE - 8)}"
