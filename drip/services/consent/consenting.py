"""Consent: a ledger that is only added to, and a patient who wants to be messaged again.

A patient's own stop is taken back the way it was made. After STOP by text the carrier lets no
text through until the patient texts START, whatever staff write down: so their grant is kept, and
texts go on with the START. A stop that staff noted, or that was made on a web page, ends with the
grant that staff note.

A phone that was not in service or not to be reached, and a mailbox that emails came back from, may
work by now: they are tried again after a consent that staff note, and refused again if not. No
consent mends a wrong number, a number that gets no texts, or an email that was marked as spam.

Where messages go on, the tasks that their end had led to are done: the call about what was not
sent, if it is sent now, and the check of an address that is tried again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from drip.core.delivery import WAITING, Reason
from drip.core.email_events import EmailFate
from drip.core.planner import Plan
from drip.core.schedule import Channel
from drip.services import plans
from drip.services.bookings.changing import open_file, plan_anew
from drip.services.consent.stopping import (
    CARRIERS_STOP,
    NOT_REACHED,
    WRONG_NUMBER,
    consent_entry,
    end_channel,
    patient_of,
)
from drip.services.journeys import STOP, address_of, addresses_of, reach_of
from drip.services.scope import Scope
from drip.store import deliveries, enrollments, patients, tasks, wordings
from drip.store.engine import reading, writing
from drip.store.schema import Consent, Patient, Task, WordingChoice

FIX_ADDRESS = "fix_address"
"""The kind of the task to check an address; its key ends with the address that was refused."""

KEYWORD = "keyword"
"""How a patient consents, or stops, who texts START or STOP."""

_GOES_ON = ("active", "paused")
_CALLED = {Channel.SMS: "Texts", Channel.EMAIL: "Emails"}


@dataclass(frozen=True, slots=True)
class Granted:
    """What a consent led to: each enrollment's new plan; `because` is why it is not used yet.

    `because` is the reason of a suppression that stays, None where there is none; `refused` is
    why a provider had refused the address that is tried again now.
    """

    channel: Channel
    address: str | None
    because: str | None
    plans: dict[int, Plan]
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a channel stands: its address, why it cannot be used, and why that is suppressed."""

    channel: Channel
    address: str | None
    reason: Reason | None
    because: str | None


@dataclass(frozen=True, slots=True)
class ConsentFile:
    """A patient's whole ledger, first word to last, and how each channel stands now.

    `wordings` is that of the wording, which is the discreet one where nothing was said.
    """

    patient: Patient
    ledger: list[Consent]
    standing: list[Standing]
    wordings: list[WordingChoice]


def start_in(
    session: Session,
    scope: Scope,
    channel: Channel,
    address: str,
    how: str,
    by: str,
    now: datetime,
) -> bool:
    """Message a phone (E.164) or mailbox again whose patient says START, in this transaction.

    The patient's own stop is lifted, the ledger gets the word, and what is still to come is
    planned again from now. False, and nothing changes, where the address stays suppressed: a
    provider refused it, or it is a wrong number. Where several patients share the address, the
    word counts for each whose consent the stop had ended; nobody consents for the first time, or
    after another word of their own, by somebody else's START.

    The address is locked first: the caller holds none of its patients' enrollments yet.
    """
    pair = (channel, address)
    because = patients.lock_addresses(session, scope.clinic_id, [pair]).get(pair)
    if because not in (None, STOP):
        return False
    since = None
    if because is not None:
        since = patients.lift(session, scope.clinic_id, channel, address)
    people = patients.by_address(session, scope.clinic_id, channel, address)
    ledgers = {who.id: _ledger(session, who, channel) for who in people}
    if len(people) > 1:
        again = [who for who in people if since and _ended(ledgers[who.id], since)]
    else:
        again = [who for who in people if since or not _gives(ledgers[who.id])]
    words = [consent_entry(who, channel, how, by, now, given=True) for who in again]
    patients.add_consents(session, words)
    _plan_again(session, scope, people if since else again, channel, now)
    if since is not None:
        _address_works(session, scope, channel, address, now)
    return True


def grant(
    scope: Scope, enrollment_id: int, channel: Channel, how: str, by: str, now: datetime
) -> Granted:
    """Note that an enrollment's patient consents to a channel. Raises NotFound.

    It is written down in any case; whether it ends a stop, or a refusal, is said above.
    """
    with writing(scope.engine) as session:
        patient = patient_of(session, scope, enrollment_id)
        address = address_of(patient, channel)
        pairs = [] if address is None else [(channel, address)]
        found = patients.lock_addresses(session, scope.clinic_id, pairs)
        because = next(iter(found.values()), None)
        ledger = _ledger(session, patient, channel)
        word = consent_entry(patient, channel, how, by, now, given=True)
        patients.add_consents(session, [word])
        people, refused = [patient], None
        if address is not None and because is not None:
            is_tried_again = _may_work_by_now(because, channel)
            if is_tried_again or ends_stop(because, channel, how, ledger):
                patients.lift(session, scope.clinic_id, channel, address)
                people = patients.by_address(session, scope.clinic_id, channel, address)
                refused, because = because if is_tried_again else None, None
                _address_works(session, scope, channel, address, now)
        is_of_use = address is not None and because is None
        made = _plan_again(session, scope, people, channel, now) if is_of_use else {}
        return Granted(channel, address, because, made, refused)


def revoke(
    scope: Scope, enrollment_id: int, channel: Channel, how: str, by: str, now: datetime
) -> dict[int, Plan]:
    """Note that an enrollment's patient takes a consent back; gives what each enrollment loses.

    What waits is cancelled as by a stop, for this patient only: others on the same address keep
    theirs, and the address is not suppressed. Raises NotFound.
    """
    with writing(scope.engine) as session:
        patient = patient_of(session, scope, enrollment_id)
        # Who sends holds the address while it looks at the ledger.
        patients.lock_addresses(session, scope.clinic_id, addresses_of([patient]))
        word = consent_entry(patient, channel, how, by, now, given=False)
        patients.add_consents(session, [word])
        return {
            id_: end_channel(session, scope, id_, channel, Reason.NO_CONSENT, now)
            for id_ in enrollments.ids_of(session, [patient.id])
        }


def show(scope: Scope, enrollment_id: int) -> ConsentFile:
    """The ledger of an enrollment's patient, and how each channel stands. Raises NotFound."""
    with reading(scope.engine) as session:
        patient = patient_of(session, scope, enrollment_id)
        ledger = patients.ledger_of(session, patient.id)
        chosen = wordings.of_patient(session, patient.id)
        suppressed = patients.suppressed(session, scope.clinic_id, addresses_of([patient]))
    given = {entry.channel: entry.given for entry in ledger}
    standing = []
    for channel, reason in reach_of(patient, given, suppressed).items():
        address = address_of(patient, channel)
        because = suppressed.get((channel, address)) if address is not None else None
        standing.append(Standing(channel, address, reason, because))
    return ConsentFile(patient, ledger, standing, chosen)


def why_blocked(because: str, channel: Channel, sender: str | None = None) -> str:
    """Why an address stays suppressed, for staff; `sender` is the number that texts come from."""
    if because in (STOP, CARRIERS_STOP):
        to = sender or "the number that the texts come from"
        return (
            "The patient stopped texts by STOP, and the carrier blocks every text until they "
            f"text START to {to}."
        )
    if because == WRONG_NUMBER:
        return "Somebody else has this phone: enter the patient's own number."
    if because.startswith(EmailFate.COMPLAINED):
        return (
            "The patient marked an email as spam, so none may go there again: call, or enter "
            "another mailbox that they give you."
        )
    if _may_work_by_now(because, channel):
        what = "Texts did not reach this phone" if channel is Channel.SMS else "Emails came back"
        return (
            f"{what} ({because}). If the patient says that it works now, note their consent with "
            "`drip consent grant`; else enter another one."
        )
    return f"The provider refused this address ({because}): enter another one."


def ends_stop(because: str, channel: Channel, how: str, ledger: Iterable[Consent]) -> bool:
    """Whether consent to a channel, said in this way, ends the suppression of an address.

    `because` is the reason of the suppression, `ledger` what the patient said before. The rule
    is at the top of this module.
    """
    if channel is Channel.EMAIL:
        return because == STOP
    if how == KEYWORD:
        return because in (STOP, CARRIERS_STOP)
    said = [word for word in ledger if word.channel is channel]
    by_text = [word.given for word in said if word.how == KEYWORD]
    noted = any(not word.given and word.how != KEYWORD for word in said)
    # With no stop in the ledger it was made before this patient was enrolled, perhaps by text.
    return because == STOP and noted and by_text[-1:] != [False]


def _may_work_by_now(because: str, channel: Channel) -> bool:
    """Whether an address was refused for what may have changed: a new phone, a mended fault."""
    if channel is Channel.SMS:
        return because in NOT_REACHED
    return because != STOP and not because.startswith(EmailFate.COMPLAINED)


def _ledger(session: Session, patient: Patient, channel: Channel) -> list[Consent]:
    """What a patient said of a channel, first to last."""
    return [word for word in patients.ledger_of(session, patient.id) if word.channel is channel]


def _gives(ledger: Sequence[Consent]) -> bool:
    return bool(ledger) and ledger[-1].given


def _ended(ledger: Sequence[Consent], since: datetime) -> bool:
    """Whether a stop of that time (UTC) keeps from a patient what they consented to."""
    before = [word for word in ledger if word.at < since]
    return _gives(before) or any(word.given for word in ledger if word.at >= since)


def _plan_again(
    session: Session, scope: Scope, people: Sequence[Patient], channel: Channel, now: datetime
) -> dict[int, Plan]:
    """Plan what these patients still have to come from now on, as after a pause.

    The calls that the end of this channel asked for are done where it can be used again.
    """
    made, now = {}, now.replace(microsecond=0)
    for id_ in enrollments.ids_of(session, (who.id for who in people)):
        file = open_file(session, scope, id_)
        if file.enrollment.status in _GOES_ON:
            made[id_] = plan_anew(session, scope, file, now)
            if file.journey.reach[channel] is None:
                _no_call(session, scope, id_, channel, now)
    return made


def _no_call(
    session: Session, scope: Scope, enrollment_id: int, channel: Channel, now: datetime
) -> None:
    """End the calls about what waited when a channel ended, and waits again."""
    rows = deliveries.of_enrollment(session, enrollment_id)
    waiting = {row.step for row in rows if row.status in WAITING}
    for task in tasks.open_of(session, enrollment_id):
        if task.kind != plans.CALL:
            continue
        has_stopped = task.key.startswith(f"stopped:{enrollment_id}:{channel}:")
        is_call = task.key.startswith(f"call:{enrollment_id}:")
        if has_stopped or (is_call and plans.steps_called(task.says) <= waiting):
            _finish(session, scope, task, channel, now)


def _address_works(
    session: Session, scope: Scope, channel: Channel, address: str, now: datetime
) -> None:
    """End the tasks to check an address that a provider refused."""
    for task in tasks.list_open(session, scope.clinic_id):
        if task.kind == FIX_ADDRESS and task.key.endswith(f":{address}"):
            _finish(session, scope, task, channel, now)


def _finish(session: Session, scope: Scope, task: Task, channel: Channel, now: datetime) -> None:
    since = f"{now.astimezone(scope.clinic.zone):%Y-%m-%d %H:%M}"
    tasks.finish(session, task.id, "drip", f"{_CALLED[channel]} go on since {since}.", now)
