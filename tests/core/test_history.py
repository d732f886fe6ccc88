"""What became of an enrollment so far, and what that leaves to be planned: T8, row by row."""

from dataclasses import replace

import pytest

from drip.core.delivery import HANDED_OVER, Status
from drip.core.history import Existing, History
from drip.core.schedule import Channel, Weight
from tests.core.journeys import at, said, step

SESSIONS = {"A": at("2026-12-10 09:00"), "B": at("2026-12-17 09:00")}


def rows(text: str) -> list[Existing]:
    """Deliveries, a line each: step, channel, occurrence, status, when, session, revision.

    The time is when it was handed over, or else when it is due. A step in capitals is education.
    """
    return [_row(number, *line.split()) for number, line in enumerate(text.strip().splitlines())]


def _row(
    number: int,
    name: str,
    channel: str,
    occurrence: str,
    status: str,
    day: str,
    hour: str,
    session: str,
    revision: str,
) -> Existing:
    moment = at(f"2026-{day} {hour}")
    sent = Status(status) in HANDED_OVER
    return Existing(
        id=number,
        step=name.lower(),
        channel=Channel(channel),
        occurrence=int(occurrence.removeprefix("#")),
        weight=Weight.EDUCATION if name.isupper() else Weight.ESSENTIAL,
        status=Status(status),
        planned_at=at("2026-12-07 10:00"),
        due_at=at("2026-12-07 10:00") if sent else moment,
        until=SESSIONS[session],
        session_at=SESSIONS[session],
        revision=int(revision.removeprefix("r")),
        sent_at=moment if sent else None,
    )


def history(text: str) -> History:
    """These deliveries, asked from session A and revision 2."""
    return History(rows(text), SESSIONS["A"], 2)


OCCURRENCES = [
    # what, on_reschedule, rows, the occurrence to plan
    ("never planned", "keep", "other sms #1 accepted 12-07 10:00 A r1", 1),
    ("planned under this revision", "resend", "ride sms #1 scheduled 12-07 10:00 A r2", None),
    ("planned under the last one", "keep", "ride sms #1 scheduled 12-07 10:00 A r1", 1),
    ("skipped under the last one", "keep", "ride sms #1 skipped 12-07 10:00 A r1", 1),
    ("sent, and kept", "keep", "ride sms #1 accepted 12-07 10:00 B r1", None),
    ("sent about another session", "resend", "ride sms #1 accepted 12-07 10:00 B r1", 2),
    ("sent about this one", "resend", "ride sms #1 accepted 12-07 10:00 A r1", None),
    (
        "its second occurrence was not sent",
        "resend",
        """ride sms #1 accepted 12-07 10:00 B r1
           ride sms #2 cancelled 12-08 10:00 B r1""",
        2,
    ),
    (
        "its second occurrence was sent",
        "resend",
        """ride sms #1 accepted 12-05 10:00 A r1
           ride sms #2 accepted 12-08 10:00 B r1""",
        3,
    ),
    (
        "the first was about this session and the second about another",
        "resend",
        """ride sms #2 accepted 12-05 10:00 B r1
           ride sms #1 accepted 12-08 10:00 A r1""",
        3,
    ),
    (
        "the first was about another session and the second about this",
        "resend",
        """ride sms #1 accepted 12-05 10:00 B r1
           ride sms #2 accepted 12-08 10:00 A r1""",
        None,
    ),
    (
        "one channel went out about each session",
        "resend",
        """ride sms #1 accepted 12-05 10:00 B r1
           ride email #1 accepted 12-08 10:00 A r1""",
        2,
    ),
    (
        "sent on one channel, waiting on the other",
        "keep",
        """ride sms #1 accepted 12-07 10:00 B r1
           ride email #1 scheduled 12-07 11:00 B r1""",
        1,
    ),
    (
        "sent on one channel, skipped on the other",
        "keep",
        """ride sms #1 accepted 12-07 10:00 B r1
           ride email #1 skipped 12-07 11:00 B r1""",
        None,
    ),
    (
        "sent, and what waits is a later occurrence that is not needed any more",
        "resend",
        """ride sms #1 accepted 12-07 10:00 A r1
           ride sms #2 scheduled 12-08 10:00 B r1""",
        None,
    ),
    ("on its way", "keep", "ride sms #1 sending 12-07 10:00 B r1", None),
    ("failed", "keep", "ride sms #1 failed 12-07 10:00 B r1", None),
    (
        "contradicted since",
        "resend",
        """ride sms #1 accepted 12-07 10:00 A r1
           rescheduled sms #1 accepted 12-08 10:00 B r1""",
        2,
    ),
    (
        "contradicted before",
        "resend",
        """rescheduled sms #1 accepted 12-06 10:00 B r1
           ride sms #1 accepted 12-07 10:00 A r1""",
        None,
    ),
    (
        "confirmed since",
        "resend",
        """ride sms #1 accepted 12-07 10:00 A r1
           rescheduled sms #1 accepted 12-08 10:00 A r1""",
        None,
    ),
    (
        "contradicted between its channels, the last word being right",
        "resend",
        """ride sms #1 accepted 12-07 10:00 A r1
           rescheduled sms #1 accepted 12-07 12:00 B r1
           ride email #1 accepted 12-08 10:00 A r1""",
        None,
    ),
    (
        "contradicted by a message that did not arrive",
        "resend",
        """ride sms #1 accepted 12-07 10:00 A r1
           rescheduled sms #1 undelivered 12-08 10:00 B r1""",
        None,
    ),
    (
        "contradicted by a lesson, which tells of no session",
        "resend",
        """ride sms #1 accepted 12-07 10:00 A r1
           LESSON sms #1 accepted 12-08 10:00 B r1""",
        None,
    ),
    (
        "contradicted since, though its first occurrence was finished later",
        "resend",
        """ride sms #2 accepted 12-06 10:00 A r1
           rescheduled sms #1 accepted 12-07 10:00 B r1
           ride email #1 accepted 12-08 10:00 A r1""",
        3,
    ),
    (
        "cancelled since",
        "resend",
        """ride sms #1 accepted 12-07 10:00 A r1
           cancelled sms #1 accepted 12-08 10:00 A r1""",
        2,
    ),
]


@pytest.mark.parametrize(
    ("on_reschedule", "text", "expected"),
    [row[1:] for row in OCCURRENCES],
    ids=[row[0] for row in OCCURRENCES],
)
def test_which_occurrence_is_to_be_planned(
    on_reschedule: str, text: str, expected: int | None
) -> None:
    ride = step("ride", "3 days before session at 10:00", on_reschedule=on_reschedule)
    assert history(text).occurrence_of(ride) == expected


TOLD = [
    ("of nothing yet", "ride sms #1 scheduled 12-07 10:00 A r1", None, False),
    ("of this session", "ride sms #1 accepted 12-07 10:00 A r1", 0, True),
    ("of another session", "ride sms #1 accepted 12-07 10:00 B r1", 0, False),
    ("perhaps", "ride sms #1 unknown 12-07 10:00 A r1", 0, True),
    ("in vain", "ride sms #1 undelivered 12-07 10:00 A r1", None, False),
    ("by a lesson, which does not count", "LESSON sms #1 accepted 12-07 10:00 A r1", None, False),
    ("that it is cancelled", "cancelled sms #1 accepted 12-07 10:00 A r1", 0, False),
    (
        "twice: what went out last counts",
        """ride sms #1 accepted 12-08 10:00 A r1
           welcome sms #1 accepted 12-05 10:00 B r1""",
        0,
        True,
    ),
]


@pytest.mark.parametrize(
    ("text", "last", "knows"), [row[1:] for row in TOLD], ids=[row[0] for row in TOLD]
)
def test_what_the_patient_was_told(text: str, last: int | None, knows: bool) -> None:
    found = history(text)
    assert (found.last_told.id if found.last_told else None) == last
    assert found.knows_session() is knows


TAKEN = [
    # what, rows, times taken, times of steps that are out
    ("sent: when it went", "ride sms #1 accepted 12-07 10:45 A r1",
     ["2026-12-07 10:45"], {"ride": "2026-12-07 10:45"}),
    ("sent about another session", "ride sms #1 accepted 12-07 10:45 B r1",
     ["2026-12-07 10:45"], {}),
    ("sent in vain", "ride sms #1 failed 12-07 10:45 A r1", [], {}),
    ("planned under this revision", "ride sms #1 scheduled 12-08 10:00 A r2",
     ["2026-12-08 10:00"], {"ride": "2026-12-08 10:00"}),
    ("planned under the last one", "ride sms #1 scheduled 12-08 10:00 A r1", [], {}),
    ("skipped under this one", "ride sms #1 skipped 12-08 10:00 A r2", [], {}),
    ("two channels count once, the first of them",
     """ride sms #1 scheduled 12-08 12:00 A r2
        ride email #1 accepted 12-08 10:00 A r2""",
     ["2026-12-08 10:00"], {"ride": "2026-12-08 10:00"}),
    ("two occurrences count twice",
     """ride sms #1 accepted 12-05 10:00 B r1
        ride sms #2 accepted 12-08 10:00 A r1""",
     ["2026-12-05 10:00", "2026-12-08 10:00"], {"ride": "2026-12-08 10:00"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "taken", "out"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN]
)
def test_what_took_a_slot_and_what_is_out(text: str, taken: list[str], out: dict[str, str]) -> None:
    found = history(text)
    assert [said(moment) for moment in found.taken()] == taken
    assert {name: said(moment) for name, moment in found.out().items()} == out


def test_the_next_occurrence_follows_the_last_that_was_handed_over() -> None:
    found = history(
        """rescheduled sms #1 accepted 12-05 10:00 B r1
           rescheduled sms #2 failed 12-06 10:00 B r1
           rescheduled sms #3 cancelled 12-07 10:00 B r1"""
    )
    assert found.next_occurrence("rescheduled") == 3
    assert found.next_occurrence("cancelled") == 1


WAITS = [
    ("waiting for its slot", "LESSON email #1 scheduled 12-07 14:00 A r1", True),
    ("in the hands of a worker", "LESSON email #1 claimed 12-07 14:00 A r1", True),
    ("on hold", "LESSON email #1 held 12-07 14:00 A r1", False),
    ("skipped", "LESSON email #1 skipped 12-07 14:00 A r1", False),
]


@pytest.mark.parametrize(("text", "waits"), [r[1:] for r in WAITS], ids=[r[0] for r in WAITS])
def test_whether_a_step_still_waits(text: str, waits: bool) -> None:
    assert history(text).still_waits("lesson", at("2026-12-07 10:00")) is waits
    assert not history(text).still_waits("lesson", at("2026-12-08 10:00"))


def test_a_step_has_begun_once_a_channel_reached_the_patient() -> None:
    found = history(
        """ride sms #1 accepted 12-05 10:00 A r1
           ride sms #2 failed 12-06 10:00 A r1
           ride email #2 scheduled 12-06 10:00 A r1"""
    )
    assert found.has_begun("ride", 1)
    assert not found.has_begun("ride", 2)
    assert not found.has_begun("food", 1)


def test_when_a_delivery_went_out_or_is_to() -> None:
    sent, waits = rows(
        """ride sms #1 accepted 12-07 10:45 A r1
           ride email #1 scheduled 12-07 11:00 A r1"""
    )
    assert said(sent.went_at) == "2026-12-07 10:45"
    assert said(waits.went_at) == "2026-12-07 11:00"


def test_a_delivery_that_came_back_goes_out_when_it_is_due_again() -> None:
    [row] = rows("ride sms #1 scheduled 12-07 12:00 A r1")
    tried = replace(row, sent_at=at("2026-12-07 10:00"))
    assert said(tried.went_at) == "2026-12-07 12:00"
    unknown = replace(row, status=Status.SENDING)
    assert said(unknown.went_at) == "2026-12-07 12:00"
