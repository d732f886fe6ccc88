"""Wall-clock strings in, wall-clock strings out: what the tables of tests/core are written in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from drip.core.changes import plan_cancelled, plan_no_show, plan_stopped
from drip.core.clinic import Crowding
from drip.core.delivery import Reason, Status, may_move
from drip.core.history import Existing
from drip.core.planner import Journey, Plan, PlannedDelivery, Unsendable, plan
from drip.core.schedule import Channel, IfLate, OnReschedule, Schedule, Step, Weight
from drip.core.timing import Anchors
from drip.core.when import parse_when
from drip.core.window import SendWindow

NEW_YORK = "America/New_York"
NINE_TO_EIGHT = SendWindow.daily(time(9), time(20))
ALL_DAY = SendWindow.daily(time(), time())
BOTH: Mapping[Channel, Reason | None] = {Channel.SMS: None, Channel.EMAIL: None}
SHIPPED = Path(__file__).parents[2] / "schedules" / "ketamine-first-session.yaml"


def at(text: str, zone: str = NEW_YORK) -> datetime:
    """The instant, in UTC, of a wall clock like "2026-11-22 13:00".

    Of a time that comes twice it is the first, with " (2nd)" behind it the second.
    """
    wall, second, _ = text.partition(" (2nd)")
    local = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone), fold=bool(second))
    return local.astimezone(UTC)


def said(moment: datetime, zone: str = NEW_YORK) -> str:
    """An instant as "2026-11-22 13:00" on the wall clock of a zone."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M}{' (2nd)' if local.fold else ''}"


def step(name: str, when: str, **given: Any) -> Step:
    """A step from the words that a schedule file would use."""
    until = given.get("until")
    return Step(
        name=name,
        message=name,
        when=parse_when(when),
        channels=tuple(map(Channel, given.get("channels", ("sms", "email")))),
        weight=Weight(given.get("weight", "essential")),
        if_late=IfLate(given.get("if_late", "send")),
        until=parse_when(until) if until else None,
        on_reschedule=OnReschedule(given.get("on_reschedule", "keep")),
        answered_by=given.get("answered_by"),
        group=given.get("group"),
        start_group=given.get("start_group", False),
        covers=tuple(given.get("covers", ())),
    )


def schedule(*steps: Step) -> Schedule:
    return Schedule("a-schedule", "A schedule", 1, steps)


@cache
def shipped() -> Schedule:
    """The schedule that Drip comes with."""
    raw = YAML(typ="safe").load(SHIPPED)
    steps = [
        step(each["step"], **{**raw["defaults"], **{k: v for k, v in each.items() if k != "step"}})
        for each in raw["steps"]
    ]
    return Schedule(raw["schedule"], raw["title"], raw["version"], tuple(steps))


def journey(
    booked: str, session: str, steps: Schedule | None = None, *, zone: str = NEW_YORK, **more: Any
) -> Journey:
    """An enrollment by its wall clocks; `more` replaces fields of the journey."""
    whole = Journey(
        schedule=steps or shipped(),
        anchors=Anchors(at(booked, zone), at(session, zone)),
        zone=ZoneInfo(zone),
        window=NINE_TO_EIGHT,
        crowding=Crowding(),
        reach=BOTH,
    )
    return replace(whole, **more)


def timeline(rows: Iterable[PlannedDelivery], zone: str = NEW_YORK) -> list[str]:
    """What goes out, a line a step, then what does not and why.

    `2026-11-22 13:00 welcome`, with ` by sms` where it goes on one of its channels only.
    """
    by_step: dict[tuple[str, int], list[PlannedDelivery]] = {}
    for row in rows:
        by_step.setdefault((row.step, row.occurrence), []).append(row)
    goes, stays = [], []
    for (name, occurrence), all_rows in by_step.items():
        again = f" #{occurrence}" if occurrence > 1 else ""
        going = [row for row in all_rows if row.status is not Status.SKIPPED]
        if going:
            by = "" if len(going) == len(all_rows) else f" by {going[0].channel}"
            held = " held" if going[0].status is Status.HELD else ""
            goes.append(f"{said(going[0].due_at, zone)} {name}{again}{by}{held}")
        else:
            stays.append(
                f"- {name}{again}: {', '.join({r.reason: 0 for r in all_rows if r.reason})}"
            )
    return sorted(goes) + stays


def lines(text: str) -> list[str]:
    """The lines of an indented block."""
    return [line.strip() for line in text.strip().splitlines()]


class Enrollment:
    """One enrollment and its deliveries, kept as the services would: plans are applied to it.

    Everything due is sent at its time and accepted. Every plan is checked against the table of
    a delivery's life and the unique key; `calls` collects what staff were asked to phone about.
    """

    def __init__(self, whole: Journey) -> None:
        self.journey = whole
        self.rows: dict[int, Existing] = {}
        self.reasons: dict[int, Reason | None] = {}
        self.calls: list[Unsendable] = []
        self.new_calls: tuple[Unsendable, ...] = ()

    @property
    def existing(self) -> list[Existing]:
        return list(self.rows.values())

    @property
    def zone(self) -> str:
        return self.journey.zone.key

    def clock(self, when: str | datetime) -> datetime:
        return at(when, self.zone) if isinstance(when, str) else when

    def plan(self, now: str | datetime, elsewhere: Sequence[datetime] = ()) -> Plan:
        return self.apply(plan(self.journey, self.clock(now), self.existing, elsewhere))

    def send_until(self, moment: str | datetime) -> None:
        """Let time pass: whatever is scheduled before the moment goes out when it is due."""
        for row in self.existing:
            if row.status is Status.SCHEDULED and row.due_at < self.clock(moment):
                self.become(row, Status.ACCEPTED, row.due_at)

    def mark(self, name: str, channel: str, status: Status, sent: str | None = None) -> None:
        """Put a step's latest delivery on a channel into a status."""
        row = [r for r in self.existing if (r.step, r.channel) == (name, Channel(channel))][-1]
        self.become(row, status, self.clock(sent) if sent else row.sent_at)

    def become(self, row: Existing, status: Status, sent_at: datetime | None = None) -> None:
        self.rows[row.id] = replace(row, status=status, sent_at=sent_at)

    def reschedule(self, session: str | datetime, now: str | datetime, **more: Any) -> Plan:
        self.send_until(now)
        anchors = Anchors(self.journey.anchors.booking, self.clock(session))
        self._revise(anchors=anchors, **more)
        return self.plan(now)

    def pause(self, now: str | datetime) -> None:
        self.send_until(now)
        self.journey = replace(self.journey, paused=True)
        for row in self.existing:
            if row.status in (Status.SCHEDULED, Status.CLAIMED):
                self.become(row, Status.HELD, row.sent_at)

    def pause_education(self, now: str | datetime) -> None:
        """A crisis: education is held, and nothing else."""
        self.send_until(now)
        self.journey = replace(self.journey, education_paused=True)
        for row in self.existing:
            moves = row.status in (Status.SCHEDULED, Status.CLAIMED)
            if moves and row.weight is Weight.EDUCATION:
                self.become(row, Status.HELD, row.sent_at)
                self.reasons[row.id] = Reason.CRISIS

    def resume(self, now: str | datetime) -> Plan:
        self._revise(paused=False, education_paused=False)
        return self.plan(now)

    def cancel(self, now: str | datetime) -> Plan:
        self.send_until(now)
        return self.apply(plan_cancelled(self.journey, self.clock(now), self.existing))

    def no_show(self, now: str | datetime) -> Plan:
        self.send_until(now)
        return self.apply(plan_no_show(self.journey.anchors.session, self.existing))

    def stop(self, channel: str, now: str | datetime, reason: Reason = Reason.STOPPED) -> Plan:
        self.send_until(now)
        stopped = Channel(channel)
        self.journey = replace(self.journey, reach={**self.journey.reach, stopped: reason})
        return self.apply(plan_stopped(stopped, reason, self.journey, self.existing))

    def apply(self, planned: Plan) -> Plan:
        changed = {id_ for id_, _ in planned.change}
        assert not changed & {id_ for id_, _ in planned.cancel}, "changed and cancelled at once"
        for id_, reason in planned.cancel:
            assert self.rows[id_].waiting, "only what waits is cancelled"
            self.become(self.rows[id_], Status.CANCELLED, self.rows[id_].sent_at)
            self.reasons[id_] = reason
        for id_, row in planned.change:
            before = self.rows[id_]
            assert not before.handed_over, "what was handed over stays so"
            assert may_move(before.status, Status.SCHEDULED) or before.status is Status.SCHEDULED
            assert _key(before) == _key(row)
            self._put(id_, row)
        for row in planned.add:
            assert _key(row) not in {_key(each) for each in self.existing}, "unique"
            self._put(len(self.rows) + 1, row)
        self.calls += planned.unsendable
        self.new_calls = planned.unsendable
        return planned

    def ahead(self, *only: str) -> list[str]:
        """What still waits, a line a step."""
        rows = [row for row in self.existing if row.waiting and (not only or row.step in only)]
        return sorted({f"{said(row.due_at, self.zone)} {_named(row)}" for row in rows})

    def sent(self, *only: str) -> list[str]:
        """What went out, a line a step."""
        rows = [r for r in self.existing if r.handed_over and (not only or r.step in only)]
        return sorted({f"{said(row.went_at, self.zone)} {_named(row)}" for row in rows})

    def why(self, name: str) -> list[str]:
        """The statuses and reasons of a step's deliveries, each once."""
        rows = [row for row in self.existing if row.step == name]
        words = [f"{row.status} {self.reasons[row.id] or ''}".strip() for row in rows]
        return list(dict.fromkeys(words))

    def _revise(self, **more: Any) -> None:
        self.journey = replace(self.journey, revision=self.journey.revision + 1, **more)

    def _put(self, id_: int, row: PlannedDelivery) -> None:
        self.rows[id_] = Existing(
            id=id_,
            step=row.step,
            channel=row.channel,
            occurrence=row.occurrence,
            weight=row.weight,
            status=row.status,
            planned_at=row.planned_at,
            due_at=row.due_at,
            until=row.until,
            session_at=row.session_at,
            revision=row.revision,
            sent_at=None,
        )
        self.reasons[id_] = row.reason


def _key(row: Existing | PlannedDelivery) -> tuple[str, Channel, int]:
    return row.step, row.channel, row.occurrence


def _named(row: Existing) -> str:
    return row.step if row.occurrence == 1 else f"{row.step} #{row.occurrence}"


def booked(whole: Journey, now: str | datetime | None = None) -> Enrollment:
    """An enrollment that was planned, when it was booked unless `now` says otherwise."""
    enrollment = Enrollment(whole)
    enrollment.plan(whole.anchors.booking if now is None else now)
    return enrollment
