"""The kinds of answers: who still gets them, and for which of them somebody waits."""

from datetime import datetime, timedelta
from typing import Final

from drip.core.receipts import says

STOP: Final = "stop"
CRISIS: Final = "crisis"
CRISIS_STOP: Final = "crisis_stop"
STAFF: Final = "staff"
ALERT: Final = "alert"
"""The kinds that are treated in a way of their own; any other word is an answer like "help"."""

AFTER_STOP = frozenset({STOP, CRISIS_STOP})
"""What a stopped address still gets: one of them, which says that texts have stopped."""

IN_CRISIS = frozenset({CRISIS, CRISIS_STOP})

AWAITED = IN_CRISIS | {STAFF}
"""Staff must know where one of these does not arrive: they call then."""

FIRST = (CRISIS, CRISIS_STOP, ALERT)
"""What goes before other answers."""

OF_USE = timedelta(hours=12)
"""How long an answer is of use, where nothing else is said."""

LEASE = timedelta(minutes=3)
"""How long an answer may be under way before it is asked after: longer than any hand-over takes,
and long enough for Twilio's list to show it."""

ASKED_FOR = timedelta(hours=3)
"""How long a provider is asked what became of an answer; then a person asks the patient."""

FINAL = frozenset({"delivered", "undelivered", "failed", "withheld"})


def after_receipt(status: str, said: str) -> str | None:
    """Where an answer goes that has `status` when a provider says `said`; None where it stays.

    Receipts come in any order and twice: what is final stays, and so does what is known already.
    """
    new = says(said)
    return None if new is None or new == status or status in FINAL else new.value


def ask_again_at(sent_at: datetime, now: datetime) -> datetime | None:
    """When a provider is asked again of an answer that was handed over at `sent_at` (UTC).

    Each wait is as long as all before it together. None once it has been asked long enough.
    """
    last = sent_at + ASKED_FOR
    return None if now >= last else min(now + max(now - sent_at, LEASE), last)
