"""What became of an enrollment so far, and what that leaves to be planned: rule T8."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from drip.core.delivery import HANDED_OVER, REACHED, WAITING, Reason, Status
from drip.core.schedule import CANCELLED, NOTICES, Channel, OnReschedule, Step, Weight


@dataclass(frozen=True, slots=True)
class Existing:
    """A delivery that is there already; all times in UTC.

    `sent_at` is when it was last handed over, None if it never was.
    """

    id: int
    step: str
    channel: Channel
    occurrence: int
    weight: Weight
    status: Status
    planned_at: datetime
    due_at: datetime
    until: datetime
    session_at: datetime
    revision: int
    sent_at: datetime | None

    @property
    def handed_over(self) -> bool:
        """Whether a provider has, or may have, seen it."""
        return self.status in HANDED_OVER

    @property
    def waiting(self) -> bool:
        """Whether it is still meant to be sent."""
        return self.status in WAITING

    @property
    def reached_patient(self) -> bool:
        """Whether the patient has, or may have, read it."""
        return self.status in REACHED

    @property
    def went_at(self) -> datetime:
        """When it went out, or is to."""
        return self.sent_at if self.handed_over and self.sent_at else self.due_at


class History:
    """The deliveries of one enrollment, asked from its present session and revision."""

    def __init__(self, rows: Sequence[Existing], session_at: datetime, revision: int) -> None:
        self._session_at = session_at
        self._revision = revision
        self._by_step: dict[str, list[Existing]] = {}
        for row in rows:
            self._by_step.setdefault(row.step, []).append(row)
        self.by_key = {(row.step, row.channel, row.occurrence): row for row in rows}
        self._telling = [r for r in rows if r.weight is Weight.ESSENTIAL and r.reached_patient]
        self.last_told = max(self._telling, key=lambda row: row.went_at, default=None)
        """The delivery from which the patient knows of a session, None if of none."""

    def is_settled(self, step: str) -> bool:
        """Whether a step was planned under the present revision already."""
        return any(row.revision == self._revision for row in self._by_step.get(step, ()))

    def occurrence_of(self, step: Step) -> int | None:
        """The occurrence under which a step is to be planned now, None where it is not."""
        rows = self._by_step.get(step.name)
        if rows is None:
            return 1
        if self.is_settled(step.name):
            return None
        sent = [row for row in rows if row.handed_over]
        if not sent:
            return max(row.occurrence for row in rows)
        last = max(row.occurrence for row in sent)
        if step.on_reschedule is OnReschedule.RESEND and not self._stands(sent, last):
            return last + 1
        unfinished = any(row.occurrence == last and row.waiting for row in rows)
        return last if unfinished else None

    def next_occurrence(self, step: str) -> int:
        """The occurrence after the last one that was handed over."""
        sent = [r.occurrence for r in self._by_step.get(step, ()) if r.handed_over]
        return max(sent, default=0) + 1

    def has_begun(self, step: str, occurrence: int) -> bool:
        """Whether an occurrence has reached the patient on a channel."""
        rows = self._by_step.get(step)
        return rows is not None and any(
            row.occurrence == occurrence and row.reached_patient for row in rows
        )

    def failed_on(self, step: str, occurrence: int) -> set[Channel]:
        """The channels on which an occurrence was handed over and did not reach the patient."""
        rows = self._by_step.get(step, ())
        return {
            row.channel
            for row in rows
            if row.occurrence == occurrence and row.handed_over and not row.reached_patient
        }

    def still_waits(self, step: str, planned_at: datetime) -> bool:
        """Whether a step was not late before, has not moved since, and is not on hold."""
        return any(
            row.waiting and row.status is not Status.HELD and row.planned_at == planned_at
            for row in self._by_step.get(step, ())
        )

    def knows_session(self) -> bool:
        """Whether the patient was told last of the present session."""
        return self.last_told is not None and not self._says_otherwise(self.last_told)

    def out(self) -> dict[str, datetime]:
        """The steps that need no planning because they speak of the present session, by time."""
        return {
            name: min(row.went_at for row in current)
            for name, rows in self._by_step.items()
            if (current := [row for row in rows if self._is_out(row)])
        }

    def taken(self) -> list[datetime]:
        """The times (UTC) that steps have taken: what went out, and what stays planned.

        The channels of a step count once.
        """
        times: dict[tuple[str, int], datetime] = {}
        for row in self._rows():
            if row.reached_patient or self._stays(row):
                key = (row.step, row.occurrence)
                times[key] = min(times.get(key, row.went_at), row.went_at)
        return list(times.values())

    def loose(self) -> Iterator[Existing]:
        """The rows that wait under an older revision."""
        return (r for r in self._rows() if r.waiting and r.revision != self._revision)

    def why_dropped(self, row: Existing) -> Reason:
        """Why a waiting row is not planned again.

        A step about the present session stood in for another channel, which can be used again.
        """
        if self.knows_session():
            return Reason.ALREADY_TOLD
        moved = row.session_at != self._session_at or row.step in NOTICES
        return Reason.SESSION_MOVED if moved else Reason.NEEDLESS

    def _stands(self, sent: Sequence[Existing], occurrence: int) -> bool:
        """Whether what was sent last is about the present session, and was not contradicted."""
        went_at = max(row.went_at for row in sent if row.occurrence == occurrence)
        about_it = all(
            row.session_at == self._session_at for row in sent if row.occurrence == occurrence
        )
        return about_it and not any(
            self._says_otherwise(other) and other.went_at > went_at for other in self._telling
        )

    def _says_otherwise(self, row: Existing) -> bool:
        """Whether a delivery speaks of another session than the present, or of none."""
        return row.session_at != self._session_at or row.step == CANCELLED

    def _is_out(self, row: Existing) -> bool:
        speaks_of_it = row.reached_patient and row.session_at == self._session_at
        return speaks_of_it or self._stays(row)

    def _stays(self, row: Existing) -> bool:
        return row.waiting and row.revision == self._revision

    def _rows(self) -> Iterator[Existing]:
        return (row for rows in self._by_step.values() for row in rows)
