"""How the figures of a simulation are said: in the terminal and on the page alike."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from drip.core.delivery import SAID
from drip.core.pace import RATES
from drip.core.schedule import Channel
from drip.core.sms import Encoding
from drip.services.trials.simulation_report import TOO_LATE, WAITS, Counts, Queue, Report

Line = tuple[str, str, str]
"""What is counted, and how many texts and emails that is."""

_SENDERS = {"long-code": "long code", "toll-free": "toll-free number", "short-code": "short code"}
_LETTERS: dict[Encoding, str] = {"GSM-7": "plain letters", "UCS-2": "special letters"}


def number(count: float) -> str:
    """A whole number with commas, another with as many digits as it needs: 12,345 or 2.5."""
    return f"{count:,.0f}" if count == int(count) else f"{count:,.6g}"


def money(amount: float) -> str:
    """An amount in dollars."""
    return f"${amount:,.2f}"


def span(wait: timedelta) -> str:
    """A span of time as a person says it: 40 s, 12 min, 3 h 5 min, 2 days."""
    seconds = round(wait.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{round(seconds / 60)} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(hours / 24)} days"


def texts_a_second(rate: float) -> str:
    """A pace, as in "1 text a second"."""
    return f"{number(rate)} text{'' if rate == 1 else 's'} a second"


def hour_said(hour: int) -> str:
    """An hour of the day, as in "10:00-11:00"."""
    return f"{hour:02}:00-{hour + 1:02}:00"


def moment_said(moment: datetime, zone: ZoneInfo) -> str:
    """A moment on the clinic's clock, as in "Mon Dec 7, 10:00"."""
    return f"{moment.astimezone(zone):%a %b %-d, %H:%M}"


def wait_classes() -> list[str]:
    """The names of the classes in which waits are counted."""
    ends = [span(wait) for wait in WAITS]
    return [f"up to {ends[0]}", *map(" to ".join, pairwise(ends)), f"over {ends[-1]}"]


def summary(made: Report) -> list[str]:
    """The simulation in a few sentences, the answer first."""
    late, queue = made.lateness, made.queue
    is_enough = late.longest <= TOO_LATE
    verdict = "is enough: no text went out more than" if is_enough else "is short: texts were up to"
    said = [f"A pace of {texts_a_second(made.rate)} {verdict} {span(late.longest)} late."]
    if made.enough:
        said.append(
            f"{texts_a_second(made.enough).capitalize()} would have kept every text within "
            f"{span(TOO_LATE)}{'' if is_enough else _who(made.enough)}."
        )
    if queue is not None and queue.longest > 1:
        took, at = span(queue.drained_at - queue.formed_at), moment_said(queue.at, made.zone)
        said.append(
            f"The longest queue was {number(queue.longest)} texts, on {at}; it drained in {took}."
        )
    calls = "nobody" if not made.to_call else patients_said(made.to_call)
    cost, price = money(made.cost), number(made.wanted.price)
    said.append(f"Staff had to call {calls}. The texts cost {cost} at ${price} a part.")
    return said


def patients_said(count: int) -> str:
    """So many patients, in words: "1 patient", "1,000 patients"."""
    return f"{number(count)} patient{'' if count == 1 else 's'}"


def days_said(count: int) -> str:
    """So many days, in words: "1 day", "60 days"."""
    return f"{number(count)} day{'' if count == 1 else 's'}"


def busiest_said(made: Report) -> str:
    """When most texts go out, and whether the pace has room for them."""
    busiest = made.busiest
    if busiest is None:
        return ""
    most, allowed = number(busiest.most), number(made.allowed)
    said = f"Most go out at {hour_said(busiest.hour)}: up to {most} on one day."
    if busiest.most > made.allowed:
        return f"{said} The pace allows {allowed} an hour: the rest waits."
    if made.lateness.longest > TOO_LATE:
        said += " Many of them are due at the very same minute, and wait for their turn."
    return f"{said} The pace allows {allowed} an hour."


def queue_said(found: Queue, rate: float, zone: ZoneInfo) -> str:
    """How the longest queue came and went."""

    def said(at: datetime) -> str:
        return f"{at.astimezone(zone):%H:%M}" if found.in_a_day else moment_said(at, zone)

    return (
        f"It formed at {said(found.formed_at)} and had drained at {said(found.drained_at)}, "
        f"at {texts_a_second(rate)}. At most {number(found.longest)} texts were due and waited."
    )


def _who(rate: float) -> str:
    """Which kind of sender has such a pace."""
    fits = [said for name, said in _SENDERS.items() if RATES[name] >= rate]
    return f": a {fits[0]} has that" if fits else ""


def fates(counts: dict[Channel, Counts]) -> list[Line]:
    """What became of the deliveries: each in one line, the reasons in words beneath."""
    texts, emails = counts[Channel.SMS], counts[Channel.EMAIL]
    return [_line(what, *pair) for what, *pair in _fates(texts, emails)]


def _fates(texts: Counts, emails: Counts) -> Iterator[tuple[str, int, int]]:
    yield "Went out", texts.sent, emails.sent
    for name in ("skipped", "cancelled"):
        mine, theirs = getattr(texts, name), getattr(emails, name)
        if not mine and not theirs:
            continue
        yield name.capitalize(), sum(mine.values()), sum(theirs.values())
        reasons = sorted({*mine, *theirs}, key=lambda r: -mine.get(r, 0) - theirs.get(r, 0))
        for reason in reasons:
            yield f"  {SAID[reason]}", mine.get(reason, 0), theirs.get(reason, 0)
    yield "Expired: could not be sent in time", texts.expired, emails.expired
    if texts.failed or emails.failed:
        yield "Failed: the provider refused them", texts.failed, emails.failed
    yield "All planned", texts.planned, emails.planned


def _line(what: str, texts: int, emails: int) -> Line:
    return what, number(texts), number(emails)


def parts(made: Report) -> list[Sequence[str]]:
    """What the texts cost, by their number of parts."""
    price = made.wanted.price
    rows: list[Sequence[str]] = [
        (
            f"{count} part{'' if count == 1 else 's'}, {_LETTERS[encoding]}",
            number(texts),
            number(count * texts),
            money(count * texts * price),
        )
        for (encoding, count), texts in made.parts.items()
    ]
    texts = sum(made.parts.values())
    return [*rows, ("All texts", number(texts), number(made.all_parts), money(made.cost))]
