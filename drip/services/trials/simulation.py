"""Weeks of a clinic's sending on a fast clock, through the real planner, store and sender.

The clock jumps from one moment at which something is due or done to the next. Where a sender's
pace is short it goes on by what the pace needs, so that no text goes before its token.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter

from drip.content.render import Renderer
from drip.content.values import Facts
from drip.core.delivery import Status
from drip.core.outgoing import EmailContent
from drip.core.schedule import Channel
from drip.errors import DripError, InvalidInput
from drip.providers.nothing import Nothing
from drip.services.bookings import changing
from drip.services.bookings.enrolling import Enrolled, enroll_all
from drip.services.consent import stopping
from drip.services.outbound.sending import Providers, Sender
from drip.services.scope import Scope
from drip.services.trials.simulated_pace import JumpingPace, Stretch, longest_jump
from drip.services.trials.simulated_patients import Change, Event, Simulated
from drip.services.upkeep.housekeeping import keep_house
from drip.store import attempts, claiming, deliveries, fates
from drip.store.engine import reading

_BATCH = 500
"""Deliveries that are sent together: many, so that the clock need not stop often."""
_A_LITTLE = timedelta(seconds=1)
_INSTALLATION = "installation"
"""Whose pace the texts keep to where the clinic has no number of its own."""
_HOUSE_EVERY = timedelta(hours=12)
_SHOW_EVERY = timedelta(hours=6)
_AFTER_ALL = timedelta(days=90)
"""When what was put on hold and never resumed has long expired."""


@dataclass(slots=True)
class Progress:
    """How far a simulation has come: its clock (UTC), and what happened up to then.

    `changes` counts what was done to enrollments, `held` deliveries that were put on hold
    and `paused` the enrollments that they belong to. `stretches` are the times in which texts
    waited for the pace, by their ends.
    """

    now: datetime
    enrolled: int = 0
    claimed: int = 0
    held: int = 0
    paused: set[int] = field(default_factory=set)
    changes: Counter[Change] = field(default_factory=Counter)
    stretches: dict[datetime, Stretch] = field(default_factory=dict)


def simulate(
    scope: Scope,
    providers: Providers,
    patients: Sequence[Simulated],
    start: datetime,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> Progress:
    """Let these patients book and time run from `start` (aware UTC) until nothing is left to send.

    `on_progress` is called every six simulated hours with the same object that is returned.
    """
    return _Run(scope, providers, patients, start, on_progress).play()


class _Counting(Renderer):
    """Writes the texts, whose parts are counted; emails that nobody reads stay empty."""

    def email(self, name: str, facts: Facts, *, test: bool = False) -> EmailContent:
        """An email of the message that says nothing: to write it takes longer than all else."""
        return EmailContent(name, "", "", facts.clinic.public_name, facts.clinic.email)


class _Run:
    """One simulation while it runs."""

    def __init__(
        self,
        scope: Scope,
        providers: Providers,
        patients: Sequence[Simulated],
        start: datetime,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._scope, self._pace = scope, JumpingPace()
        self._sender = Sender(scope.engine, scope.content, providers, self._pace, _BATCH)
        if all(isinstance(provider, Nothing) for provider in providers.values()):
            self._sender.renderer = _Counting(scope.content)
        self._bookings = deque(patients)
        events = sorted((event for each in patients for event in each.events), key=attrgetter("at"))
        self._events = deque(events)
        self._enrollments: dict[int, int] = {}
        self._progress = Progress(start)
        self._on_progress = on_progress
        self._house_due = self._show_due = start

    def play(self) -> Progress:
        """Run to the end."""
        progress = self._progress
        while True:
            self._let_happen(progress.now)
            progress.now = self._wait_for_pace(progress.now)
            claimed = self._send(progress.now)
            if claimed >= _BATCH:
                continue  # more may be due at this very moment
            moment = self._next()
            if moment is None:
                break
            # What is due already and could not be claimed is looked at again a little later.
            earliest = progress.now if claimed else progress.now + _A_LITTLE
            progress.now = max(moment, earliest)
        keep_house(self._scope.engine, self._sender.providers, progress.now + _AFTER_ALL)
        self._on_progress(progress)
        return progress

    def _wait_for_pace(self, now: datetime) -> datetime:
        """Let time pass until the texts that are due have their tokens; not past the next event.

        All of them go out at its end. When each of them had its token, the stretch knows.
        """
        texts, most = self._scope.clinic.texts, longest_jump(now)
        with reading(self._scope.engine) as session:
            waiting = fates.texts_due(session, self._scope.clinic_id, now)
        for at in self._events_at():
            most = min(most, at - now)
        stretch = self._pace.wait(texts.sender or _INSTALLATION, texts.rate, waiting, now, most)
        if stretch.end > now:
            self._progress.stretches[stretch.end] = stretch
        return stretch.end

    def _let_happen(self, now: datetime) -> None:
        """Book and change what was to be booked and changed by now."""
        entered: list[Simulated] = []
        while self._bookings and self._bookings[0].at <= now:
            entered.append(self._bookings.popleft())
        if entered:
            outcomes = enroll_all(self._scope, [each.booking for each in entered], now)
            for each, outcome in zip(entered, outcomes, strict=True):
                if isinstance(outcome, Enrolled):
                    self._enrollments[each.number] = outcome.enrollment_id
                    self._progress.enrolled += 1
        while self._events and self._events[0].at <= now:
            self._change(self._events.popleft(), now)

    def _change(self, event: Event, now: datetime) -> None:
        """Do what staff do when a patient calls. What cannot be done any more is left undone."""
        id_, scope = self._enrollments[event.patient], self._scope
        try:
            match event.change:
                case "reschedule":
                    assert event.session_at is not None, "a reschedule names the new session"
                    changing.reschedule(scope, id_, event.session_at, now)
                case "cancel":
                    changing.cancel(scope, id_, now)
                case "no_show":
                    changing.no_show(scope, id_, now)
                case "pause":
                    changing.pause(scope, id_, now)
                    self._progress.held += self._held(id_)
                    self._progress.paused.add(id_)
                case "resume":
                    changing.resume(scope, id_, now)
                case "stop":
                    stopping.stop_enrollment(scope, id_, [Channel.SMS], "verbal", "staff", now)
        except InvalidInput:
            return  # the new session is past by now
        self._progress.changes[event.change] += 1

    def _held(self, enrollment_id: int) -> int:
        with reading(self._scope.engine) as session:
            rows = deliveries.of_enrollment(session, enrollment_id)
        return sum(row.status is Status.HELD for row in rows)

    def _send(self, now: datetime) -> int:
        """Send a batch and keep house twice a day; gives how many deliveries were claimed."""
        progress = self._progress
        claimed = self._sender.tick(now)
        progress.claimed += claimed
        if now >= self._house_due:
            keep_house(self._scope.engine, self._sender.providers, now)
            self._refuse_failures(now)
            self._house_due = now + _HOUSE_EVERY
        if now >= self._show_due:
            self._on_progress(progress)
            self._show_due = now + _SHOW_EVERY
        return claimed

    def _refuse_failures(self, now: datetime) -> None:
        """Stop where a provider takes nothing: trying again for weeks would show nothing."""
        with reading(self._scope.engine) as session:
            failed = attempts.failures(session, self._scope.clinic_id, now)
        if failed:
            raise DripError("The outbox cannot be written: free some disk space.")

    def _next(self) -> datetime | None:
        """The next moment at which something is due or done, also if that is past."""
        with reading(self._scope.engine) as session:
            due_at = claiming.next_due_at(session)
        moments = [due_at] if due_at is not None else []
        return min(moments + self._events_at(), default=None)

    def _events_at(self) -> list[datetime]:
        """When somebody books next, and when something is changed next."""
        return [queue[0].at for queue in (self._bookings, self._events) if queue]
