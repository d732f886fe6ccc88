"""What texts to a clinic's number lead to, for tests."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from sqlalchemy import Engine

from drip.content.clinic_file import sample_clinic
from drip.core.clinic import Clinic
from drip.core.inbound import InboundText
from drip.services.inbound.hearing import hear
from drip.store.engine import reading
from drip.store.schema import Address, Answer, Reply
from tests.services.desk import NOW, Desk, hurried, without_reason

PHONE = "+12125550101"
"""The phone of the desk's first patient."""

STRANGER = "+12125550199"
OURS = "+12125550100"


def hearing_clinic() -> Clinic:
    """The sample clinic, whose staff read replies."""
    return replace(hurried(sample_clinic()), hears_replies=True)


def hearing_desk(engine: Engine) -> Iterator[Desk]:
    """A desk of that clinic. T11: what was not sent has a reason, in every test."""
    desk = Desk(engine, hearing_clinic())
    yield desk
    assert without_reason(desk.rows()) == []


@dataclass
class Ear:
    """A desk that is texted."""

    desk: Desk
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def text(self, body: str = "", address: str = PHONE, **fields: object) -> InboundText:
        """A text as a webhook hands it in."""
        given = {"provider": "twilio", "provider_id": f"SM{next(self._numbers):032}"}
        return InboundText(**{**given, "address": address, "sender": OURS, "body": body, **fields})  # type: ignore[arg-type]

    def hears(
        self, body: str = "", address: str = PHONE, now: datetime = NOW, **fields: object
    ) -> Reply:
        """Hear a text; gives the reply that was kept."""
        return self.hears_text(self.text(body, address, **fields), now)

    def hears_text(self, text: InboundText, now: datetime = NOW) -> Reply:
        """The same, of a text that is made already."""
        hear(self.desk.engine, self.desk.content, text, now)
        (found,) = (each for each in self.replies() if each.provider_id == text.provider_id)
        return found

    def replies(self) -> list[Reply]:
        """All that was kept."""
        with reading(self.desk.engine) as session:
            return session.query(Reply).order_by(Reply.id).all()

    def answers(self, *kinds: str) -> list[Answer]:
        """What was said to who wrote, or what of these kinds, in order."""
        with reading(self.desk.engine) as session:
            found = session.query(Answer).order_by(Answer.id).all()
        return [each for each in found if each.kind in kinds or not (kinds or each.kind == "alert")]

    def said(self) -> list[str]:
        """The kinds of what was said to who wrote, in order."""
        return [each.kind for each in self.answers()]

    def last(self) -> str:
        """The words that were said last."""
        return self.answers()[-1].body

    def suppressed(self, address: str = PHONE) -> str | None:
        """Why the address may not be texted; None where it may."""
        with reading(self.desk.engine) as session:
            (row,) = session.query(Address).where(Address.address == address)
        return row.suppressed_because if row.suppressed_at else None
