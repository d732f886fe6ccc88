"""Signed addresses of a patient's pages: nobody can guess one or change what it is for.

An address says nothing but a number and a signature; what it is for stands in the signature's
salt, so that a link to a page does not unsubscribe anybody.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_decode, base64_encode, bytes_to_int, int_to_bytes

from drip.errors import NotFound

Purpose = Literal["page", "unsubscribe", "preferences"]

_PATHS: dict[Purpose, str] = {"page": "v", "unsubscribe": "u", "preferences": "p"}


class LinkBroken(NotFound):
    """A link that we did not make, or that was changed."""


class LinkExpired(NotFound):
    """A link that was right once."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for: `subject_id` is a delivery's id for a page, else a patient's."""

    purpose: Purpose
    clinic_id: int
    subject_id: int
    expires_at: datetime


class Links:
    """Makes and reads links below `public_url`, signed with `secret`."""

    def __init__(self, public_url: str, secret: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._signers = {
            purpose: Signer(secret, salt=f"drip.link.{purpose}", sep=".") for purpose in _PATHS
        }

    def url(self, purpose: Purpose, clinic_id: int, subject_id: int, expires_at: datetime) -> str:
        """The whole address of a link that holds until `expires_at` (aware)."""
        token = self.token(purpose, clinic_id, subject_id, expires_at)
        return f"{self._public_url}/{_PATHS[purpose]}/{token}"

    def token(self, purpose: Purpose, clinic_id: int, subject_id: int, expires_at: datetime) -> str:
        """The last part of the address."""
        numbers = (clinic_id, subject_id, int(expires_at.timestamp()) // 60)
        said = ".".join(base64_encode(int_to_bytes(number)).decode() for number in numbers)
        return self._signers[purpose].sign(said).decode()

    def read(self, purpose: Purpose, token: str, now: datetime) -> Link:
        """What a link is for. Raises LinkBroken, and LinkExpired where `now` (UTC) is too late."""
        try:
            said = self._signers[purpose].unsign(token).decode()
            clinic_id, subject_id, minute = (
                bytes_to_int(base64_decode(part)) for part in said.split(".")
            )
        except (BadSignature, ValueError):
            raise LinkBroken("This link does not work.") from None
        expires_at = datetime.fromtimestamp(minute * 60, UTC)
        if now >= expires_at:
            raise LinkExpired("This link has expired.")
        return Link(purpose, clinic_id, subject_id, expires_at)
