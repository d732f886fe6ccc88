"""How close a patient's steps may come to one another: rule T7."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from drip.core.clinic import Crowding
from drip.core.window import SendWindow

_DAY = timedelta(days=1)
_ONE_DATE = timedelta(hours=26)
"""Longer than any calendar day, one with a clock change included."""


class Slots:
    """The times that a patient's steps have taken, and the free ones between them.

    All times are instants in UTC; days are counted on the wall clock in `zone`.
    """

    def __init__(
        self, crowding: Crowding, window: SendWindow, zone: ZoneInfo, taken: Iterable[datetime] = ()
    ) -> None:
        self._crowding = crowding
        self._window = window
        self._zone = zone
        self._taken = list(taken)
        self._reach = max(crowding.spacing, _ONE_DATE)

    def take(self, moment: datetime) -> None:
        """Count a step that goes, or went, out at this moment."""
        self._taken.append(moment)

    def is_free(self, moment: datetime) -> bool:
        """Whether a step at this moment would crowd no other one."""
        return self._next_try(moment) is None

    def next_free(self, moment: datetime, before: datetime) -> datetime | None:
        """The first free moment inside the window at or after this one, if before `before`."""
        while moment < before:
            later = self._next_try(moment)
            if later is None:
                if self._window.contains(moment, self._zone):
                    return moment
                later = self._window.next_opening(moment, self._zone)
                if later is None:
                    return None
            moment = later
        return None

    def _next_try(self, moment: datetime) -> datetime | None:
        """When to try again if this moment is taken, None if it is free."""
        earliest, latest = moment - self._reach, moment + self._reach
        near = [taken for taken in self._taken if earliest < taken < latest]
        if not near and self._crowding.steps_per_day > 0:
            return None
        local = moment.astimezone(self._zone)
        if self._count_on(local.date(), near) >= self._crowding.steps_per_day:
            return _midnight_after(local)
        spacing = self._crowding.spacing
        clashes = [taken for taken in near if moment - spacing < taken < moment + spacing]
        return max(clashes) + spacing if clashes else None

    def _count_on(self, day: date, near: Iterable[datetime]) -> int:
        return sum(taken.astimezone(self._zone).date() == day for taken in near)


def _midnight_after(local: datetime) -> datetime:
    """The next midnight on the same wall clock, in UTC.

    Where clocks go back over midnight it comes twice; the second follows the second evening.
    """
    midnight = time(fold=local.fold)
    return datetime.combine(local.date() + _DAY, midnight, local.tzinfo).astimezone(UTC)
