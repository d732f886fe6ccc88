"""What must be so after every fault: nothing lost, nothing twice, nothing where it may not go."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from drip.core.delivery import Status
from drip.services.journeys import zone_of
from drip.store.schema import Attempt, Delivery
from tests.faults.station import MOVING, Everything, Station
from tests.servers.twilio_process import Text

_ARRIVED = frozenset({Status.ACCEPTED, Status.DELIVERED})


def nothing_was_lost_or_doubled(station: Station, texts: Sequence[Text] | None = None) -> None:
    """Settle the accounts of a station against the texts that its provider has.

    Every delivery stands at an end that says why, or waits with a time to come. What was
    accepted is at the provider once, and what has no answer is a task. Nothing else is there,
    nothing that was begun after a STOP, and nothing outside the window of the patient.
    """
    if texts is None:
        assert station.twilio is not None
        texts = station.twilio.texts
    found = station.all()
    wrong = [
        *_missing(station, found),
        *_wrong_at_the_provider(found, texts),
        *_wrong_ends(station, found),
        *_after_stop(station, found.attempts),
        *_outside_the_window(station, found),
    ]
    said = "\n".join([f"{len(wrong)} are wrong", *wrong[:10], str(station.standing())])
    assert wrong == [], f"{said}\n{station.last_words()}"


def _missing(station: Station, found: Everything) -> Iterator[str]:
    there = {found.patients[row.patient_id].phone for row in found.due}
    for number in set(station.numbers) - there:
        yield f"{number} has no welcome"


def _wrong_at_the_provider(found: Everything, texts: Sequence[Text]) -> Iterator[str]:
    there: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in texts:
        there[one.to, one.body].append(one.sid)
    said: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
    for attempt in found.attempts:
        said[attempt.delivery_id].add((attempt.address, attempt.body))
    tasks = {task.delivery_id for task in found.tasks}
    for row in found.deliveries:
        sids = [sid for key in said[row.id] for sid in there.pop(key, [])]
        if row.status in _ARRIVED:
            well = sids == [row.provider_id]
        elif row.status is Status.UNKNOWN:
            well = len(sids) <= 1 and row.id in tasks
        else:
            well = not sids
        if not well:
            yield f"{_name(row)} is {len(sids)} times at the provider"
    for (to, _), sids in there.items():
        yield f"{len(sids)} texts to {to} are nobody's"


def _wrong_ends(station: Station, found: Everything) -> Iterator[str]:
    now = station.now()
    for row in found.deliveries:
        if row.status in MOVING:
            yield f"{_name(row)} stands still"
        elif row.status is Status.SCHEDULED and row.due_at <= now:
            yield f"{_name(row)} has been due since {row.due_at}"
        elif row.status not in _ARRIVED | {Status.SCHEDULED} and row.reason is None:
            yield f"{_name(row)} does not say why"


def _after_stop(station: Station, attempts: Sequence[Attempt]) -> Iterator[str]:
    for attempt in attempts:
        stopped_at = station.stopped.get(attempt.address)
        if stopped_at is not None and attempt.started_at > stopped_at:
            yield f"delivery {attempt.delivery_id} was handed over after its STOP"


def _outside_the_window(station: Station, found: Everything) -> Iterator[str]:
    clinic = station.scope.clinic
    patients = {row.id: found.patients[row.patient_id] for row in found.deliveries}
    for attempt in found.attempts:
        there = attempt.started_at.astimezone(zone_of(patients[attempt.delivery_id], clinic))
        if not 9 <= there.hour < 20:
            yield f"delivery {attempt.delivery_id} was handed over at {there:%H:%M}"


def _name(row: Delivery) -> str:
    reason = f" {row.reason}" if row.reason else ""
    return f"{row.step} {row.id}, {row.status}{reason},"
