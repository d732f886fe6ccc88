"""What follows when a delivery does not go out: staff are told, addresses are marked."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from drip.core.delivery import Reason
from drip.core.history import Existing
from drip.core.outgoing import Answer, Rejected, Settlement
from drip.core.schedule import Weight
from drip.services.journeys import existing_of
from drip.services.plans import open_call_for
from drip.store import deliveries, patients, tasks
from drip.store.claimed import Known

_FIX_ADDRESS = "fix_address"

_NO_CALL = frozenset(
    {
        Reason.PAUSED,
        Reason.CRISIS,
        Reason.SESSION_CANCELLED,
        Reason.SESSION_MOVED,
        Reason.NO_SHOW,
        Reason.ALREADY_TOLD,
        Reason.ANSWERED,
        Reason.NEEDLESS,
        Reason.COVERED,
    }
)
"""Reasons that staff gave themselves, or that leave nothing unsaid."""


def tell_staff(session: Session, delivery: Known, reason: Reason, now: datetime) -> None:
    """Open the task for a delivery that did not go out (T12).

    A broken message is always a task; anything else is where the step is essential and the
    patient has it on no other channel.
    """
    if reason is Reason.BROKEN:
        tasks.open_task(
            session,
            delivery.clinic_id,
            key=f"broken:{delivery.message}:{delivery.channel}:{now:%Y-%m-%d}",
            kind="broken_message",
            says=f"The {delivery.channel} of {delivery.message} cannot be made: run `drip check`.",
            urgent=delivery.weight is Weight.ESSENTIAL,
            patient_id=delivery.patient_id,
            enrollment_id=delivery.enrollment_id,
            delivery_id=delivery.id,
            now=now,
        )
    if reason in _NO_CALL or delivery.weight is not Weight.ESSENTIAL:
        return
    rows = existing_of(deliveries.of_enrollment(session, delivery.enrollment_id))
    if not any(_carries(row, delivery) for row in rows):
        open_call_for(session, delivery, reason, now)


def alert_staff(
    session: Session, clinic_id: int, provider: str, code: str, alert: str, now: datetime
) -> None:
    """Tell staff, once a day, that a provider refuses messages until the set-up is mended."""
    tasks.open_task(
        session,
        clinic_id,
        key=f"provider:{provider}:{code}:{now:%Y-%m-%d}",
        kind="provider_refuses",
        says=f"{provider} refuses messages ({code}): {alert}",
        urgent=True,
        now=now,
    )


def suppress_refused(
    session: Session,
    answered: Iterable[tuple[Known, str, Answer | Settlement]],
    now: datetime,
) -> None:
    """Mark the addresses that must not be messaged again.

    This comes before anything else is written of these answers: whoever stops an address locks
    it before the deliveries to it, and would otherwise wait for us and we for them.
    """
    found = {
        (delivery.clinic_id, delivery.channel, address): answer.code
        for delivery, address, answer in answered
        if isinstance(answer, Rejected) and answer.suppress
    }
    for (clinic_id, channel, address), code in sorted(found.items()):
        patients.suppress(session, clinic_id, channel, address, code, now)


def after_failure(
    session: Session,
    delivery: Known,
    address: str,
    said: Answer | Settlement,
    reason: Reason,
    now: datetime,
) -> None:
    """Tell staff what came to nothing for good, and which address they must mend."""
    if (
        isinstance(said, Rejected)
        and said.address_is_bad
        and not _is_asked_for(session, delivery, address)
    ):
        tasks.open_task(
            session,
            delivery.clinic_id,
            key=f"address:{delivery.id}:{address}",
            kind=_FIX_ADDRESS,
            says=f"Check the patient's {delivery.channel} address: the provider refused it "
            f"({said.code}).",
            patient_id=delivery.patient_id,
            enrollment_id=delivery.enrollment_id,
            delivery_id=delivery.id,
            now=now,
        )
    tell_staff(session, delivery, reason, now)


def _is_asked_for(session: Session, delivery: Known, address: str) -> bool:
    """Whether staff are about to mend this address already."""
    return any(
        task.kind == _FIX_ADDRESS
        and task.patient_id == delivery.patient_id
        and task.key.endswith(f":{address}")
        for task in tasks.list_open(session, delivery.clinic_id)
    )


def _carries(row: Existing, delivery: Known) -> bool:
    """Whether another delivery of the same step reaches, or reached, the patient."""
    return (
        row.id != delivery.id
        and (row.step, row.occurrence) == (delivery.step, delivery.occurrence)
        and (row.waiting or row.reached_patient)
    )
