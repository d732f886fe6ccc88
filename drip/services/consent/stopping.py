"""A stop: an address is never messaged again, and what waits for it is cancelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from drip.core.changes import plan_stopped
from drip.core.delivery import Reason
from drip.core.planner import Plan
from drip.core.schedule import Channel, Weight
from drip.errors import NotFound
from drip.services import plans
from drip.services.bookings.changing import CONSENT_WORDING, no_enrollment, open_file
from drip.services.journeys import STOP, address_of, why_stopped
from drip.services.scope import Scope
from drip.store import enrollments, patients, tasks
from drip.store.engine import writing
from drip.store.schema import Patient

WRONG_NUMBER = "wrong_number"
"""Why a phone is suppressed whose holder says that it is not the patient's."""

CARRIERS_STOP = "21610"
"""Why a phone is suppressed whose patient texted STOP, as only the carrier said."""

NOT_REACHED = frozenset({"30005", "30006"})
"""Why a phone is suppressed that was not in service, or that its carrier could not reach."""

_REPLACES: Mapping[str, frozenset[str]] = {
    STOP: frozenset({CARRIERS_STOP, *NOT_REACHED}),
    WRONG_NUMBER: frozenset({CARRIERS_STOP, STOP, *NOT_REACHED}),
}
"""The reasons of an earlier suppression that a later one says better."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop did: the address, the enrollments it concerns, and each one's difference."""

    channel: Channel
    address: str
    plans: dict[int, Plan]


def stop_address(
    scope: Scope, channel: Channel, address: str, how: str, by: str, now: datetime
) -> Stopped:
    """Stop a phone (E.164) or mailbox, for every patient who has it: see `stop_in`."""
    with writing(scope.engine) as session:
        return stop_in(session, scope, channel, address, how, by, now)


def stop_enrollment(
    scope: Scope, enrollment_id: int, channels: Sequence[Channel], how: str, by: str, now: datetime
) -> list[Stopped]:
    """Stop the addresses of an enrollment's patient on these channels. Raises NotFound."""
    with writing(scope.engine) as session:
        patient = patient_of(session, scope, enrollment_id)
        found = [
            (channel, address)
            for channel in channels
            if (address := address_of(patient, channel)) is not None
        ]
        if not found:
            raise NotFound(
                f"The patient of enrollment {enrollment_id} has no {' or '.join(channels)} "
                "address: name another --channel."
            )
        patients.lock_addresses(session, scope.clinic_id, found)
        return [stop_in(session, scope, *each, how, by, now) for each in found]


def stop_in(
    session: Session,
    scope: Scope,
    channel: Channel,
    address: str,
    how: str,
    by: str,
    now: datetime,
    because: str = STOP,
) -> Stopped:
    """Stop a phone (E.164) or mailbox, for every patient who has it, in the caller's transaction.

    What waits on the channel is cancelled; a text-only essential step goes by email where that
    may be; with essential steps ahead staff are asked to call. The ledger of each patient says
    that consent was taken back, `how` (a consent's) and `by` whom.

    `because` is `WRONG_NUMBER` where somebody else has the phone: that is no word of the
    patient, so the ledger stays as it is, and START does not undo it.

    The address is locked, before anything else of its patients: the caller holds neither their
    enrollments nor their deliveries yet.
    """
    replaces = _REPLACES.get(because, frozenset())
    patients.suppress(session, scope.clinic_id, channel, address, because, now, replaces)
    people = patients.by_address(session, scope.clinic_id, channel, address)
    if because == STOP:
        words = [consent_entry(who, channel, how, by, now, given=False) for who in people]
        patients.add_consents(session, words)
    reason = why_stopped(because)
    made = {
        id_: end_channel(session, scope, id_, channel, reason, now)
        for id_ in enrollments.ids_of(session, (who.id for who in people))
    }
    return Stopped(channel, address, made)


def end_channel(
    session: Session,
    scope: Scope,
    enrollment_id: int,
    channel: Channel,
    reason: Reason,
    now: datetime,
) -> Plan:
    """Cancel what waits on a channel that a patient no longer wants; staff call (rule T12).

    The caller has locked the patient's address.
    """
    file = open_file(session, scope, enrollment_id)
    made = plan_stopped(channel, reason, file.journey, file.existing)
    plans.write(session, file.enrollment, made, now)
    cancelled = {id_ for id_, _ in made.cancel}
    ahead = dict.fromkeys(
        row.step for row in file.rows if row.id in cancelled and row.weight is Weight.ESSENTIAL
    )
    if ahead and not made.unsendable:
        tasks.open_task(
            session,
            scope.clinic_id,
            key=f"stopped:{enrollment_id}:{channel}:{file.enrollment.revision}",
            kind=plans.CALL,
            says=f"Call the patient, who stopped {_CALLED[channel]}: {', '.join(ahead)}",
            urgent=file.enrollment.session_at > now,
            patient_id=file.patient.id,
            enrollment_id=enrollment_id,
            now=now,
        )
    return made


def cut_off(scope: Scope, enrollment_id: int, channel: Channel, now: datetime) -> Plan:
    """Cancel what waits on a channel on which the patient turned out not to be reachable.

    As after a stop, a text-only essential step goes by email where that may be; what has no
    way left becomes a call (T12).
    """
    now = now.replace(microsecond=0)
    with writing(scope.engine) as session:
        file = open_file(session, scope, enrollment_id)
        reason = file.journey.reach[channel]
        if reason is None:
            return Plan()
        made = plan_stopped(channel, reason, file.journey, file.existing)
        plans.write(session, file.enrollment, made, now)
        return made


def patient_of(session: Session, scope: Scope, enrollment_id: int) -> Patient:
    """An enrollment's patient; nothing is locked, since addresses are locked before enrollments.

    Raises NotFound.
    """
    enrollment = enrollments.get(session, enrollment_id)
    if enrollment is None or enrollment.clinic_id != scope.clinic_id:
        raise no_enrollment(enrollment_id)
    patient = patients.get(session, enrollment.patient_id)
    assert patient is not None
    return patient


def consent_entry(
    patient: Patient, channel: Channel, how: str, by: str, now: datetime, *, given: bool
) -> dict[str, object]:
    """What a patient said of a channel, as an entry of the ledger."""
    return {
        "clinic_id": patient.clinic_id,
        "patient_id": patient.id,
        "channel": channel,
        "given": given,
        "at": now,
        "how": how,
        "wording_version": CONSENT_WORDING,
        "by_whom": by,
    }


_CALLED = {Channel.SMS: "texts", Channel.EMAIL: "emails"}
