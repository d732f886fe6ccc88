"""What a clinic would want to know of a simulation: counts, waits, queue, cost."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from drip.core.delivery import HANDED_OVER, REACHED, Reason, Status
from drip.core.enough import Due, enough_pace
from drip.core.schedule import Channel
from drip.core.sms import Encoding, measure
from drip.services.plans import CALL
from drip.services.scope import Scope
from drip.services.trials.simulated_pace import Stretch
from drip.services.trials.simulation import Progress
from drip.store import fates
from drip.store.engine import reading
from drip.store.fates import Fate

TOO_LATE = timedelta(minutes=5)
"""A text that goes out so much after its time is called late."""

WAITS = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60))
"""Up to how long texts waited: the classes in which they are counted, and one beyond."""


_STEPS = tuple(timedelta(seconds=n) for n in (1, 5, 15, 60, 300, 900, 3600, 86400))
_POINTS = 120
"""How closely the curve of a queue is drawn: the first of these steps with no more points."""


class Moment(NamedTuple):
    """One text: when it was to go out, and when it did or was given up (UTC)."""

    due_at: datetime
    left_at: datetime
    priority: int
    sent: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the deliveries of a channel: each is counted once."""

    sent: int
    skipped: Mapping[Reason, int]
    cancelled: Mapping[Reason, int]
    expired: int
    failed: int

    @property
    def planned(self) -> int:
        """All of them."""
        ended = sum(self.skipped.values()) + sum(self.cancelled.values())
        return self.sent + ended + self.expired + self.failed


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long after their time texts went out: half of them, 95 in 100, and the last one.

    `classes` counts them by WAITS, with those beyond the last one at the end.
    """

    half: timedelta
    most: timedelta
    longest: timedelta
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """The longest queue of texts that waited for the pace; moments in UTC.

    `curve` has how many waited from a little before it formed until a little after it drained,
    step by step on the clinic's clock.
    """

    longest: int
    at: datetime
    formed_at: datetime
    drained_at: datetime
    curve: tuple[tuple[datetime, int], ...]

    @property
    def in_seconds(self) -> bool:
        """Whether the curve's steps are shorter than a minute."""
        return self.curve[1][0] - self.curve[0][0] < timedelta(minutes=1)

    @property
    def in_a_day(self) -> bool:
        """Whether the curve begins and ends on one day."""
        return self.curve[0][0].date() == self.curve[-1][0].date()


class Hour(NamedTuple):
    """An hour of the clinic's day: its texts of all days, and the most there were on one day."""

    hour: int
    texts: int
    most: int


class Day(NamedTuple):
    """What went out on one day of the clinic's calendar."""

    day: date
    texts: int
    emails: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was simulated. `price` is that of a part."""

    patients: int
    days: int
    schedule: str
    seed: int
    provider: str
    first_day: date
    price: float


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a simulation. `parts` counts texts by encoding and number of parts.

    `enough` is the least pace, in texts a second, at which none would have been TOO_LATE.
    """

    wanted: Wanted
    clinic: str
    zone: ZoneInfo
    rate: float
    counts: Mapping[Channel, Counts]
    held: int
    to_call: int
    lateness: Lateness
    queue: Queue | None
    hours: tuple[Hour, ...]
    by_day: tuple[Day, ...]
    parts: Mapping[tuple[Encoding, int], int]
    enough: float

    @property
    def all_parts(self) -> int:
        """How many parts the carrier is paid for."""
        return sum(parts * texts for (_, parts), texts in self.parts.items())

    @property
    def cost(self) -> float:
        """What the texts cost at the price of a part."""
        return self.all_parts * self.wanted.price

    @property
    def allowed(self) -> float:
        """How many texts an hour the pace allows."""
        return self.rate * 3600

    @property
    def busiest(self) -> Hour | None:
        """The hour of the day in which most texts go out; None where none did."""
        return max(self.hours, key=lambda hour: hour.texts, default=None)

    def as_json(self) -> dict[str, Any]:
        """The report as `drip simulate --json` prints it; spans in seconds, moments local."""
        wanted, late, queue = self.wanted, self.lateness, self.queue
        return {
            "clinic": self.clinic,
            "timezone": self.zone.key,
            "schedule": wanted.schedule,
            "patients": wanted.patients,
            "days": wanted.days,
            "first_day": wanted.first_day.isoformat(),
            "seed": wanted.seed,
            "provider": wanted.provider,
            "texts_a_second": self.rate,
            "enough_texts_a_second": self.enough,
            "deliveries": {channel.value: _counts_json(of) for channel, of in self.counts.items()},
            "held": self.held,
            "patients_to_call": self.to_call,
            "late_seconds": {
                "p50": late.half.total_seconds(),
                "p95": late.most.total_seconds(),
                "max": late.longest.total_seconds(),
            },
            "longest_queue": None if queue is None else _queue_json(queue, self.zone),
            "hours": [hour._asdict() for hour in self.hours],
            "by_day": [{**day._asdict(), "day": day.day.isoformat()} for day in self.by_day],
            "parts": [
                {"encoding": encoding, "parts": count, "texts": texts}
                for (encoding, count), texts in self.parts.items()
            ],
            "all_parts": self.all_parts,
            "price_per_part": wanted.price,
            "cost": round(self.cost, 2),
        }


def _counts_json(counts: Counts) -> dict[str, Any]:
    return {
        "planned": counts.planned,
        "sent": counts.sent,
        "skipped": {reason.value: n for reason, n in counts.skipped.items()},
        "cancelled": {reason.value: n for reason, n in counts.cancelled.items()},
        "expired": counts.expired,
        "failed": counts.failed,
    }


def _queue_json(queue: Queue, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "texts": queue.longest,
        "at": queue.at.astimezone(zone),
        "formed_at": queue.formed_at.astimezone(zone),
        "drained_at": queue.drained_at.astimezone(zone),
    }


def report(scope: Scope, wanted: Wanted, progress: Progress) -> Report:
    """Look at all that a simulation left in its database."""
    with reading(scope.engine) as session:
        rows = fates.fates(session, scope.clinic_id)
        parts = _parts(fates.texts_handed_over(session, scope.clinic_id))
        to_call = fates.patients_with_task(session, scope.clinic_id, [CALL])
    zone = scope.clinic.zone
    # What was on hold when it expired did not wait for the pace.
    waited = [
        row
        for row in rows
        if row.status is not Status.EXPIRED or row.enrollment_id not in progress.paused
    ]
    texts = moments(waited, progress.stretches, scope.clinic.texts.rate)
    sent = [text for text in texts if text.sent]
    return Report(
        wanted=wanted,
        clinic=scope.clinic.name,
        zone=zone,
        rate=scope.clinic.texts.rate,
        counts={each: _counts(row for row in rows if row.channel is each) for each in Channel},
        held=progress.held,
        to_call=to_call,
        lateness=_lateness(sent),
        queue=_queue(texts, zone),
        hours=_hours(sent, zone),
        by_day=_days(sent, rows, zone),
        parts=parts,
        enough=_enough(texts),
    )


def moments(
    rows: Iterable[Fate], stretches: Mapping[datetime, Stretch], rate: float
) -> list[Moment]:
    """Every text that went out or was given up while it waited, in the order in which they left.

    What went out at the end of a stretch of waiting is given the moments of its tokens.
    """
    together: defaultdict[datetime, list[Fate]] = defaultdict(list)
    found = []
    for row in rows:
        if row.channel is not Channel.SMS:
            continue
        if row.status in HANDED_OVER and row.sent_at is not None:
            together[row.sent_at].append(row)
        elif row.status is Status.EXPIRED:
            found.append(Moment(row.due_at, row.until, row.priority, sent=False))
    for end, group in together.items():
        stretch = stretches.get(end, Stretch(end, end))
        group.sort(key=lambda row: (row.priority, row.due_at, row.id))
        for number, row in enumerate(group, 1):
            left_at = max(stretch.token_at(number, rate), min(row.due_at, end))
            found.append(Moment(row.due_at, left_at, row.priority, sent=True))
    return sorted(found, key=lambda text: text.left_at)


def _counts(rows: Iterable[Fate]) -> Counts:
    by: Counter[tuple[Status, Reason | None]] = Counter((row.status, row.reason) for row in rows)

    def of(wanted: Status) -> dict[Reason, int]:
        found = {r: n for (s, r), n in by.items() if s is wanted and r is not None}
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    sent = sum(n for (status, _), n in by.items() if status in REACHED)
    return Counts(
        sent=sent,
        skipped=of(Status.SKIPPED),
        cancelled=of(Status.CANCELLED),
        expired=sum(of(Status.EXPIRED).values()),
        failed=sum(of(Status.FAILED).values()),
    )


def _lateness(sent: Sequence[Moment]) -> Lateness:
    waits = sorted(max(text.left_at - text.due_at, timedelta(0)) for text in sent)
    if not waits:
        return Lateness(timedelta(0), timedelta(0), timedelta(0), (0,) * (len(WAITS) + 1))
    ends = [bisect_right(waits, wait) for wait in WAITS] + [len(waits)]
    classes = tuple(end - start for start, end in zip([0, *ends], ends, strict=False))
    half, most = (waits[(len(waits) * share - 1) // 100] for share in (50, 95))
    return Lateness(half, most, waits[-1], classes)


def _queue(texts: Sequence[Moment], zone: ZoneInfo) -> Queue | None:
    """The longest queue: whoever waits less than a second is not in one."""
    waited = [t for t in texts if t.left_at - t.due_at >= timedelta(seconds=1)]
    steps = sorted([(t.due_at, 1) for t in waited] + [(t.left_at, -1) for t in waited])
    if not steps:
        return None
    lengths = list(accumulate(change for _, change in steps))
    top = max(range(len(lengths)), key=lengths.__getitem__)
    first = next((n + 1 for n in range(top - 1, -1, -1) if lengths[n] == 0), 0)
    last = next(n for n in range(top, len(lengths)) if lengths[n] == 0)
    formed_at, drained_at = steps[first][0], steps[last][0]
    return Queue(
        longest=lengths[top],
        at=steps[top][0],
        formed_at=formed_at,
        drained_at=drained_at,
        curve=_curve([at for at, _ in steps], lengths, formed_at, drained_at, zone),
    )


def _curve(
    times: Sequence[datetime],
    lengths: Sequence[int],
    formed_at: datetime,
    drained_at: datetime,
    zone: ZoneInfo,
) -> tuple[tuple[datetime, int], ...]:
    took = drained_at - formed_at
    step = next((s for s in _STEPS if took / s <= _POINTS), _STEPS[-1])
    at = formed_at.replace(second=0, microsecond=0) - 10 * step
    curve = []
    while at <= drained_at + 10 * step:
        place = bisect_right(times, at) - 1
        curve.append((at.astimezone(zone), lengths[place] if place >= 0 else 0))
        at += step
    return tuple(curve)


def _hours(sent: Iterable[Moment], zone: ZoneInfo) -> tuple[Hour, ...]:
    local = (text.left_at.astimezone(zone) for text in sent)
    by_day = Counter((at.hour, at.date()) for at in local)
    most: Counter[int] = Counter()
    for (hour, _), count in by_day.items():
        most[hour] = max(most[hour], count)
    total: Counter[int] = Counter()
    for (hour, _), count in by_day.items():
        total[hour] += count
    if not total:
        return ()
    return tuple(Hour(h, total[h], most[h]) for h in range(min(total), max(total) + 1))


def _days(sent: Iterable[Moment], rows: Iterable[Fate], zone: ZoneInfo) -> tuple[Day, ...]:
    texts = Counter(text.left_at.astimezone(zone).date() for text in sent)
    emails = Counter(
        row.sent_at.astimezone(zone).date()
        for row in rows
        if row.channel is Channel.EMAIL and row.status in HANDED_OVER and row.sent_at is not None
    )
    both = texts.keys() | emails.keys()
    if not both:
        return ()
    first = min(both)
    days = (first + timedelta(days=n) for n in range((max(both) - first).days + 1))
    return tuple(Day(day, texts[day], emails[day]) for day in days)


def _parts(said: Mapping[str, int]) -> dict[tuple[Encoding, int], int]:
    found: Counter[tuple[Encoding, int]] = Counter()
    for body, count in said.items():
        parts = measure(body)
        found[parts.encoding, parts.count] += count
    return dict(sorted(found.items()))


def _enough(texts: Sequence[Moment]) -> float:
    due = [Due(text.due_at.timestamp(), text.priority) for text in texts]
    return enough_pace(due, TOO_LATE.total_seconds())
