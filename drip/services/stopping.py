"""A stop: an address is never messaged again, and what waits for it is cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from drip.core.changes import plan_stopped
from drip.core.delivery import Reason
from drip.core.planner import Plan
from drip.core.schedule import Channel, Weight
from drip.errors import NotFound
from drip.services import plans
from drip.services.changing import CONSENT_WORDING, no_enrollment, open_file
from drip.services.journeys import STOP, address_of
from drip.services.scope import Scope
from drip.store import enrollments, patients, tasks
from drip.store.engine import writing
from drip.store.schema import Patient


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop did: the address, the enrollments it concerns, and each one's difference."""

    channel: Channel
    address: str
    plans: dict[int, Plan]


def stop_address(
    scope: Scope, channel: Channel, address: str, how: str, by: str, now: datetime
) -> Stopped:
    """Stop a phone (E.164) or mailbox, for every patient who has it.

    What waits on the channel is cancelled; a text-only essential step goes by email where that
    may be; with essential steps ahead staff are asked to call.
    """
    with writing(scope.engine) as session:
        return _stop(session, scope, channel, address, how, by, now)


def stop_enrollment(
    scope: Scope, enrollment_id: int, channels: Sequence[Channel], how: str, by: str, now: datetime
) -> list[Stopped]:
    """Stop the addresses of an enrollment's patient on these channels. Raises NotFound."""
    with writing(scope.engine) as session:
        patient = _patient(session, scope, enrollment_id)
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
        return [_stop(session, scope, *each, how, by, now) for each in found]


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


def _patient(session: Session, scope: Scope, enrollment_id: int) -> Patient:
    """An enrollment's patient; nothing is locked, since addresses are locked before enrollments."""
    enrollment = enrollments.get(session, enrollment_id)
    if enrollment is None or enrollment.clinic_id != scope.clinic_id:
        raise no_enrollment(enrollment_id)
    patient = patients.get(session, enrollment.patient_id)
    assert patient is not None
    return patient


def _stop(
    session: Session,
    scope: Scope,
    channel: Channel,
    address: str,
    how: str,
    by: str,
    now: datetime,
) -> Stopped:
    patients.suppress(session, scope.clinic_id, channel, address, STOP, now)
    find = patients.by_phone if channel is Channel.SMS else patients.by_email
    people = find(session, scope.clinic_id, address)
    patients.add_consents(session, [_revoked(who, channel, how, by, now) for who in people])
    made = {
        enrollment.id: _stop_enrollment(session, scope, enrollment.id, channel, now)
        for who in people
        for enrollment in enrollments.of_patient(session, who.id)
    }
    return Stopped(channel, address, made)


def _stop_enrollment(
    session: Session, scope: Scope, enrollment_id: int, channel: Channel, now: datetime
) -> Plan:
    file = open_file(session, scope, enrollment_id)
    made = plan_stopped(channel, Reason.STOPPED, file.journey, file.existing)
    plans.write(session, file.enrollment, made, now)
    ahead = dict.fromkeys(
        row.step
        for row in file.rows
        if row.channel is channel
        and row.weight is Weight.ESSENTIAL
        and any(row.id == id_ for id_, _ in made.cancel)
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


_CALLED = {Channel.SMS: "texts", Channel.EMAIL: "emails"}


def _revoked(
    patient: Patient, channel: Channel, how: str, by: str, now: datetime
) -> dict[str, object]:
    return {
        "clinic_id": patient.clinic_id,
        "patient_id": patient.id,
        "channel": channel,
        "given": False,
        "at": now,
        "how": how,
        "wording_version": CONSENT_WORDING,
        "by_whom": by,
    }
