"""What follows from a reply: texts stop or start, a visit is confirmed, a person reads it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from drip.content.answers import Saying
from drip.core.answers import STOP
from drip.core.replies import ReplyClass
from drip.core.schedule import Channel
from drip.services import journeys, plans
from drip.services.bookings import visiting
from drip.services.bookings.visiting import Answered
from drip.services.consent import consenting, stopping
from drip.services.inbound.said import (
    Heard,
    hand_to_person,
    is_near,
    is_stopped,
    open_task,
    say,
    say_received,
    who_said,
)
from drip.services.scope import Scope
from drip.store import replies
from drip.store.schema import Enrollment

REPLY = "reply"
"""The kind of the task that somebody must read a reply."""

NO_RIDE = "no_ride"
"""The kind of the task that a patient has nobody to take them home."""

_PATIENT = "patient"
_CANCEL = "cancel"
"""What the carriers' words for a stop begin with that many send to cancel their visit."""

_URGES = {
    ReplyClass.LATE: "Late for the visit: call",
    ReplyClass.RESCHEDULE: "Another time is wished for: call",
}


_Note = Callable[[Session, Scope, int, str, str, datetime], Answered]
"""What `drip.services.bookings.visiting` offers: it notes what a patient says of a visit."""


def stop(session: Session, heard: Heard) -> None:
    """End all texts to the phone, with one confirmation and no more."""
    sentences: list[Saying] = ["stop"]
    if heard.understood.wrong_number:
        sentences = ["wrong_number"]
    elif _means_visit(heard):
        sentences.append("stop_visit")
    say(session, heard, *sentences, kind=STOP)
    end_texts(session, heard)


def end_texts(session: Session, heard: Heard) -> None:
    """Suppress the phone, cancel what waits for it, and open the tasks that follow from that."""
    wrong = heard.understood.wrong_number
    because = stopping.WRONG_NUMBER if wrong else journeys.STOP
    for scope in (heard.scope, *heard.whose.also):
        stopping.stop_in(
            session,
            scope,
            Channel.SMS,
            heard.address,
            consenting.KEYWORD,
            _PATIENT,
            heard.now,
            because,
        )
    if wrong and heard.whose.people:
        says = f"Check the phone number of {who_said(heard)}: who has it says that it is wrong"
        task = open_task(session, heard, "fix_address", says, urgent=is_near(heard))
        replies.join_task(session, heard.reply_id, task.id)
    elif _means_visit(heard):
        says = f"Call {who_said(heard)}: CANCEL stops the texts; is the visit to be canceled too?"
        urgent = bool(heard.whose.next_visits(heard.now))
        task = open_task(session, heard, plans.CALL, says, urgent=urgent)
        replies.join_task(session, heard.reply_id, task.id)


def _means_visit(heard: Heard) -> bool:
    """Whether a stop was said with a word that may mean the visit: CANCEL, CANCELAR."""
    return heard.asks is ReplyClass.STOP and _CANCEL in (heard.understood.matched or "")


def start(session: Session, heard: Heard) -> None:
    """Text the phone again, unless a provider has refused it; the carrier's answer is enough."""
    for scope in (heard.scope, *heard.whose.also):
        consenting.start_in(
            session,
            scope,
            Channel.SMS,
            heard.address,
            consenting.KEYWORD,
            _PATIENT,
            heard.now,
        )
    if is_stopped(session, heard):
        says = f"Texts are wished for again by {who_said(heard)}, and cannot be sent: call"
        hand_to_person(session, heard, REPLY, says)
    elif not heard.whose.people:
        read_by_person(session, heard)
    elif heard.text.opted is None:
        say(session, replace(heard, stopped=False), "start")


def answer_help(session: Session, heard: Heard) -> None:
    """Say who we are and whom to call, where the carrier has not."""
    if heard.text.opted is None:
        say(session, heard, "help" if heard.whose.people else "unknown_help", kind="help")


def confirm(session: Session, heard: Heard) -> None:
    """Note that the patient comes to the next visit."""
    _note(session, heard, visiting.confirm_visit, "confirmed")


def note_ride(session: Session, heard: Heard) -> None:
    """Note that the patient has a ride home from the next visit."""
    _note(session, heard, visiting.ride_arranged, "ride")


def _note(session: Session, heard: Heard, note: _Note, what: Saying) -> None:
    """Note something of the one visit that is to come; a person looks where there is not one."""
    visits = heard.whose.next_visits(heard.now)
    if len(visits) != 1 or not heard.scope.clinic.hears_replies:
        _which_visit(session, heard, visits)
        return
    visit = visits[0]
    noted = note(session, heard.scope, visit.id, "text", _PATIENT, heard.now)
    if noted in ("noted", "already"):
        say(session, heard, what, visit=visit)
    else:
        _which_visit(session, heard, [])


def _which_visit(session: Session, heard: Heard, visits: list[Enrollment]) -> None:
    """Have a person find out what visit is meant, if any."""
    if not heard.whose.people:
        read_by_person(session, heard)
        return
    said = "A visit is confirmed" if heard.asks is ReplyClass.CONFIRM else "A ride is arranged"
    why = "find out for which visit" if visits else "there is no visit to come"
    if len(visits) == 1:
        why = "note it, since replies are off"
    says = f"{said} by {who_said(heard)}: {why}"
    task_id = hand_to_person(session, heard, REPLY, says, urgent=is_near(heard))
    say_received(session, heard, task_id, "confirmed_unknown")


def read_by_person(session: Session, heard: Heard) -> None:
    """Have a person read it: all that is no keyword, and wishes that only a person can grant."""
    kind, urge = REPLY, "Read the reply of"
    if heard.understood.no_ride:
        _withdraw_ride(session, heard)
    if heard.whose.people and heard.asks in _URGES:
        kind, urge = heard.asks.value, _URGES[heard.asks]
    elif heard.whose.people and heard.understood.no_ride:
        kind, urge = NO_RIDE, "The ride home is lost: call"
    urgent = kind != REPLY and is_near(heard)
    says = f"{urge} {who_said(heard)}"
    task_id = hand_to_person(session, heard, kind, says, urgent=urgent)
    say_received(session, heard, task_id)


def _withdraw_ride(session: Session, heard: Heard) -> None:
    """Take back the ride, if one was noted, of the visit to come, if there is exactly one."""
    visits = heard.whose.next_visits(heard.now)
    if len(visits) == 1:
        visiting.ride_lost(session, heard.scope, visits[0].id, "text", _PATIENT, heard.now)
