"""What every row of every table is, and the words that some columns hold."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from drip.core.delivery import Reason, Status
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel, Weight
from drip.store.types import UtcDateTime, Words

EnrollmentStatus = Literal["active", "paused", "cancelled", "finished"]
Wording = Literal["discreet", "plain"]
TaskStatus = Literal["open", "done"]
AnswerStatus = Literal[
    "waiting",
    "sending",
    "accepted",
    "delivered",
    "undelivered",
    "failed",
    "unknown",
    "withheld",
]
Outcome = Literal["accepted", "retry", "rejected", "unknown", "not_sent"]


BIG = BigInteger().with_variant(Integer(), "sqlite")


class Row(MappedAsDataclass, DeclarativeBase, kw_only=True, eq=False, repr=False):
    """A row of any table. Its `repr` shows no patient's data."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pk",
            "fk": "%(table_name)s_%(column_0_name)s_fk",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s",
            "ck": "%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - declared so by SQLAlchemy
        str: Text(),
        int: Integer(),
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        Status: Words(Status),
        Reason: Words(Reason),
        Channel: Words(Channel),
        Weight: Words(Weight),
        EnrollmentStatus: Words(EnrollmentStatus),
        Wording: Words(Wording),
        TaskStatus: Words(TaskStatus),
        Outcome: Words(Outcome),
        AnswerStatus: Words(AnswerStatus),
        ReplyClass: Words(ReplyClass),
    }

    id: Mapped[int] = mapped_column(BIG, primary_key=True, init=False, sort_order=-1)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('id')}>"
