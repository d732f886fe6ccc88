"""How sending goes for a clinic: what waits, what was answered, what failed, what is to be done."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from drip.core.delivery import Status
from drip.providers.redis_queues import Broker, Queued
from drip.services.scope import Scope
from drip.store import attempts, deliveries, figures
from drip.store.attempts import Failures
from drip.store.engine import reading
from drip.store.figures import Backlog, Sends

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ClinicStatus:
    """How a clinic's deliveries stand at `now` (UTC).

    `counts` are all deliveries by status, None where nobody asked for them. `sends` are answers
    of the last hour and day, `failures` those of the last day that were no acceptance, most
    frequent first. `queued` is None where Redis is away or not used: see `uses_redis`.
    """

    now: datetime
    backlog: Backlog
    retrying: int
    sends: tuple[Sends, ...]
    failures: tuple[Failures, ...]
    open_tasks: int
    urgent_tasks: int
    counts: dict[Status, int] | None
    uses_redis: bool
    queued: Queued | None

    @property
    def lag(self) -> timedelta:
        """How long the oldest due delivery has waited; zero where none waits."""
        return self.backlog.lag(self.now)

    def as_json(self) -> dict[str, Any]:
        """The status as `drip status --json` prints it; moments in UTC."""
        backlog, counts = self.backlog, self.counts
        return {
            "now": self.now,
            "deliveries": counts
            if counts is None
            else {status.value: counts.get(status, 0) for status in Status},
            "next_due_at": backlog.next_due_at,
            "lag_seconds": round(self.lag.total_seconds()),
            "due": backlog.due,
            "claimed": backlog.claimed,
            "sending": backlog.sending,
            "retrying": self.retrying,
            "held": backlog.held,
            "unknown": backlog.unknown,
            "oldest_unknown_at": backlog.oldest_unknown,
            "answers": [asdict(each) for each in self.sends],
            "failures": [{**asdict(each), "says": meaning_of(each)} for each in self.failures],
            "tasks": {"open": self.open_tasks, "urgent": self.urgent_tasks},
            "redis": self._redis_as_json(),
        }

    def _redis_as_json(self) -> dict[str, Any] | None:
        if not self.uses_redis:
            return None
        if self.queued is None:
            return {"up": False, "last_tick_at": None, "queues": None}
        return {"up": True, "last_tick_at": self.queued.last_tick, "queues": self.queued.depths}


def clinic_status(
    scope: Scope, now: datetime, broker: Broker | None = None, *, count_all: bool = True
) -> ClinicStatus:
    """How the clinic's deliveries stand at `now` (UTC).

    `count_all` counts those that are done with and far ahead too, which takes longer the more
    there are.
    """
    clinic_id = scope.clinic_id
    with reading(scope.engine) as session:
        open_tasks, urgent_tasks = figures.open_tasks(session, clinic_id)
        return ClinicStatus(
            now=now,
            backlog=figures.backlog(session, now, clinic_id),
            retrying=figures.retrying(session, now, clinic_id),
            sends=tuple(figures.sends(session, clinic_id, now - _HOUR, now - _DAY)),
            failures=tuple(attempts.failures(session, clinic_id, now - _DAY)),
            open_tasks=open_tasks,
            urgent_tasks=urgent_tasks,
            counts=deliveries.counts(session, clinic_id) if count_all else None,
            uses_redis=broker is not None,
            queued=broker.look() if broker is not None else None,
        )


def meaning_of(failures: Failures) -> str:
    """What a provider's code means, in a sentence for staff; "" where nobody wrote one."""
    if failures.provider != "twilio" or not failures.code.isdigit():
        return ""
    from drip.providers import twilio_codes

    return twilio_codes.meaning_of(failures.code).says
