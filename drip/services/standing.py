"""How the whole clinic stands: counts, how far behind, what failed, what is to be done."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from drip.core.delivery import Status
from drip.services.scope import Scope
from drip.store import attempts, deliveries, tasks
from drip.store.attempts import Failures
from drip.store.engine import reading

FAILURES_OF = timedelta(days=1)
"""How far back failures are counted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How deliveries stand at `now` (UTC).

    `next_due_at` is when the next delivery is due, past where sending is behind; None where
    none is scheduled. `failures` are those of the last day, most frequent first.
    """

    now: datetime
    counts: dict[Status, int]
    next_due_at: datetime | None
    failures: tuple[Failures, ...]
    open_tasks: int
    urgent_tasks: int

    @property
    def lag(self) -> timedelta:
        """How long the oldest due delivery has waited; zero where none waits."""
        if self.next_due_at is None:
            return timedelta(0)
        return max(self.now - self.next_due_at, timedelta(0))

    @property
    def unknown(self) -> int:
        """How many deliveries have an outcome that nobody knows."""
        return self.counts.get(Status.UNKNOWN, 0)

    def as_json(self) -> dict[str, Any]:
        """The standing as `drip status --json` prints it; moments in UTC."""
        return {
            "now": self.now,
            "deliveries": {status.value: self.counts.get(status, 0) for status in Status},
            "next_due_at": self.next_due_at,
            "lag_seconds": round(self.lag.total_seconds()),
            "unknown": self.unknown,
            "failures": [
                {
                    "provider": each.provider,
                    "outcome": each.outcome,
                    "code": each.code,
                    "count": each.count,
                    "says": said_of(each),
                }
                for each in self.failures
            ],
            "tasks": {"open": self.open_tasks, "urgent": self.urgent_tasks},
        }


def standing(scope: Scope, now: datetime) -> Standing:
    """How the clinic's deliveries stand at `now` (UTC)."""
    with reading(scope.engine) as session:
        to_do = tasks.list_open(session, scope.clinic_id)
        return Standing(
            now=now,
            counts=deliveries.counts(session, scope.clinic_id),
            next_due_at=deliveries.next_due_at(session),
            failures=tuple(attempts.failures(session, scope.clinic_id, now - FAILURES_OF)),
            open_tasks=len(to_do),
            urgent_tasks=sum(task.urgent for task in to_do),
        )


def said_of(failures: Failures) -> str:
    """What a provider's code means, in a sentence for staff; "" where nobody wrote one."""
    if failures.provider != "twilio" or not failures.code.isdigit():
        return ""
    from drip.providers.twilio_codes import meaning_of

    return meaning_of(failures.code).says
