"""Unknown outcomes: the provider is asked what became of them; nothing is sent again on a guess."""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from drip.core.outgoing import Accepted, Settlement, Unknown, Unsettled
from drip.core.schedule import Channel, Weight
from drip.providers.protocol import Provider
from drip.services.outbound.recording import Heard, write
from drip.store import attempts, deliveries, tasks
from drip.store.engine import reading, writing
from drip.store.schema import Attempt, Delivery

SETTLE_AFTER = timedelta(minutes=2)
"""How long a provider is given to know of a message before it is asked."""

IN_VAIN = timedelta(days=1)
"""How long a provider is asked about any text before staff hear of it, not the essential alone."""

AT_ONCE = 200
"""How many deliveries of a channel one run asks about: what is left is asked about by the next."""

_TOGETHER = 50
"""How many are asked about before what was learnt is written down."""

_ASKED = (
    (SETTLE_AFTER, timedelta(hours=1)),
    (timedelta(hours=1), IN_VAIN + timedelta(hours=1)),
    (timedelta(days=1), None),
)
"""How often a provider is asked of a delivery, by how long ago that was handed over."""

_UNKNOWN = "unknown_outcome"


class Lost(NamedTuple):
    """A delivery with an unknown outcome, and its last attempt if that has none."""

    delivery: Delivery
    attempt: Attempt | None


def settle_all(engine: Engine, providers: Mapping[Channel, Provider], now: datetime) -> None:
    """Settle what is unknown on every channel, as much as one run may; `now` is aware UTC."""
    for channel, provider in providers.items():
        settle(engine, channel, provider, now)


def settle(engine: Engine, channel: Channel, provider: Provider, now: datetime) -> int:
    """Ask the provider what became of deliveries with an unknown outcome; gives how many.

    What it never had goes out again, from the second time on after a wait; what failed there
    goes the way of a refusal. What it cannot tell stays unknown: an essential one becomes a staff
    task at once, any other text after a day. At most AT_ONCE are asked about, and once the
    provider says nothing at all of some, the rest waits for the next run.
    """
    jitter = random.Random()  # noqa: S311 - spreads tries, no secret
    asked = 0
    for some in _in_portions(engine, channel, now):
        asked += len(some)
        settlements = _ask(provider, some, now)
        with writing(engine) as session:
            _write(session, some, settlements, now, jitter)
        if len(some) == _TOGETHER and all(isinstance(each, Unknown) for each in settlements):
            break
    return asked


def _in_portions(engine: Engine, channel: Channel, now: datetime) -> Iterator[list[Lost]]:
    """What is to be asked about in this run, the newest first, a portion at a time."""
    left = AT_ONCE
    for every, younger_than in _ASKED:
        while left > 0:
            with reading(engine) as session:
                rows = deliveries.unknown(
                    session,
                    before=now - every,
                    limit=min(left, _TOGETHER),
                    channel=channel,
                    sent_after=None if younger_than is None else now - younger_than,
                )
                if not rows:
                    break
                tries = attempts.last_open(session, [row.id for row in rows])
            left -= len(rows)
            yield [Lost(row, tries.get(row.id)) for row in rows]


def _ask(provider: Provider, lost: Sequence[Lost], now: datetime) -> list[Settlement]:
    """Ask for the attempts that were this provider's; of another's it knows nothing."""
    asked = [
        _unsettled(row, attempt)
        for row, attempt in lost
        if attempt is not None and attempt.provider == provider.name
    ]
    settled = zip(asked, provider.settle(asked, now), strict=True) if asked else ()
    answers = {each.attempt_id: settlement for each, settlement in settled}
    other = Unknown("another provider had it")
    return [answers.get(attempt.id, other) if attempt else other for _, attempt in lost]


def _unsettled(row: Delivery, attempt: Attempt) -> Unsettled:
    body = attempt.body if row.channel is Channel.SMS else None
    return Unsettled(row.id, attempt.id, attempt.address, body, attempt.started_at, attempt.sender)


def _write(
    session: Session,
    lost: Sequence[Lost],
    settlements: Sequence[Settlement],
    now: datetime,
    jitter: random.Random,
) -> None:
    """Write down what is known by now; ask staff where it is in vain."""
    found = [each.provider_id for each in settlements if isinstance(each, Accepted)]
    taken = attempts.known_ids(session, found) if found else set()
    heard: list[Heard] = []
    in_vain: list[Delivery] = []
    for (row, attempt), said in zip(lost, settlements, strict=True):
        # The same words to the same number, but an earlier message: not this one's.
        is_anothers = isinstance(said, Accepted) and said.provider_id in taken
        if attempt is None or is_anothers or isinstance(said, Unknown):
            in_vain.append(row)
        else:
            heard.append(Heard(row, attempt.id, attempt.address, attempt.provider, said))
    write(session, heard, now, jitter)
    for each in heard:
        tasks.close_of(session, each.delivery.id, _UNKNOWN, "The provider knows by now.", now)
    deliveries.ask_later(session, [row.id for row in in_vain], now)
    tasks.open_many(session, [_task(row, now) for row in in_vain if _is_for_staff(row, now)])


def _is_for_staff(row: Delivery, now: datetime) -> bool:
    """Whether a person must ask the patient: for essential steps at once, texts after a day."""
    if row.weight is Weight.ESSENTIAL:
        return True
    return row.channel is Channel.SMS and row.sent_at is not None and now - row.sent_at >= IN_VAIN


def _task(row: Delivery, now: datetime) -> dict[str, object]:
    return {
        "clinic_id": row.clinic_id,
        "patient_id": row.patient_id,
        "enrollment_id": row.enrollment_id,
        "delivery_id": row.id,
        "kind": _UNKNOWN,
        "says": f"Ask the patient whether the {row.channel} {row.step} arrived: "
        "no answer came back, and it is not sent again.",
        "urgent": row.weight is Weight.ESSENTIAL and row.session_at > now,
        "key": f"unknown:{row.id}:{row.attempts}",
        "status": "open",
        "opened_at": now,
    }
