"""The send window: the hours on a patient's clock in which messages may go out."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Hours = tuple[int, int]
"""Minutes since midnight, [open, close); close may be 1440."""

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_FURTHEST = 15
"""Days looked at for an opening: two weeks, since a zone may skip the one open day of the first."""


@dataclass(frozen=True, slots=True)
class SendWindow:
    """Opening hours for each weekday, Monday first; None is a day without any.

    Raises ValueError where hours are not 0 <= open < close <= 1440 or no day has any.
    """

    days: tuple[Hours | None, ...]

    def __post_init__(self) -> None:
        if len(self.days) != 7 or not any(self.days):
            raise ValueError("a send window needs seven days, one of them open at least")
        for hours in self.days:
            if hours is not None and not 0 <= hours[0] < hours[1] <= 1440:
                raise ValueError("a send window must open before it closes, within a day")

    @classmethod
    def daily(cls, opens: time, closes: time) -> "SendWindow":
        """The same hours every day. A close at 00:00 is the end of the day."""
        start, end = opens.hour * 60 + opens.minute, closes.hour * 60 + closes.minute
        return cls(((start, end or 1440),) * 7)

    def contains(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Whether the moment's wall clock in the zone is inside the window."""
        local = moment.astimezone(zone)
        hours = self.days[local.weekday()]
        return hours is not None and hours[0] <= local.hour * 60 + local.minute < hours[1]

    def next_opening(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """The first opening at or after the moment, in UTC."""
        day = moment.astimezone(zone).date()
        for ahead in range(_FURTHEST):
            hours = self.days[(day.weekday() + ahead) % 7]
            if hours is None:
                continue
            opening = self._opening(day + ahead * _DAY, hours, zone)
            if opening is not None and opening >= moment:
                return opening
        return None

    def closing(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The end of the window that the moment is in, in UTC."""
        local = moment.astimezone(zone)
        hours = self.days[local.weekday()]
        close = hours[1] if hours is not None else local.hour * 60 + local.minute
        return _instant(local.date(), close, zone, fold=local.fold)

    def last_minute_before(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """The last minute, before the moment, before the window closed; in UTC."""
        day = moment.astimezone(zone).date()
        for back in range(_FURTHEST):
            hours = self.days[(day.weekday() - back) % 7]
            if hours is None:
                continue
            last = self._last_minute(day - back * _DAY, hours, zone)
            if last is not None and last < moment:
                return last
        return None

    def _opening(self, day: date, hours: Hours, zone: ZoneInfo) -> datetime | None:
        opens = _instant(day, hours[0], zone)
        # A clock change may skip the whole window, or even the day.
        is_there = opens.astimezone(zone).date() == day and self.contains(opens, zone)
        return opens if is_there else None

    def _last_minute(self, day: date, hours: Hours, zone: ZoneInfo) -> datetime | None:
        opens = _instant(day, hours[0], zone)
        last = _instant(day, hours[1] - 1, zone)
        # Where a clock change skips the closing time, the last minute lands behind it.
        while last >= opens and not self.contains(last, zone):
            last -= _MINUTE
        return last if last >= opens else None


def _instant(day: date, minutes: int, zone: ZoneInfo, fold: int = 0) -> datetime:
    """A wall-clock minute of a day as an instant in UTC; 1440 is the next midnight.

    Of a time that comes twice it is the first, or with `fold` 1 the second.
    """
    days, minute = divmod(minutes, 1440)
    clock = time(*divmod(minute, 60), fold=fold)
    return datetime.combine(day + days * _DAY, clock, zone).astimezone(UTC)
