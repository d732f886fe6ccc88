"""What an enrolled patient gets: the deliveries as they stand, with their words."""

from zoneinfo import ZoneInfo

from drip.content.render import Renderer
from drip.content.values import Facts
from drip.core.delivery import HANDED_OVER, WAITING
from drip.core.schedule import Channel
from drip.core.sms import measure
from drip.errors import NotFound
from drip.services.journeys import zone_of
from drip.services.outbound.deciding import first_name, left_out
from drip.services.scope import Scope
from drip.services.trials.previewing import Preview, Previewed, Said, say
from drip.store import attempts, deliveries, enrollments, patients
from drip.store.engine import reading
from drip.store.schema import Attempt, Delivery


def preview_enrollment(
    scope: Scope, enrollment_id: int, *, page_url: str | None = None, whole: bool = False
) -> Preview:
    """Show every delivery of an enrollment: what went out as it was said, what waits as it will
    be, what does not go out with its reason. Raises NotFound.

    `page_url` stands for the links to pages: with the real ones, who looks could answer.
    """
    with reading(scope.engine) as session:
        enrollment = enrollments.get(session, enrollment_id)
        if enrollment is None or enrollment.clinic_id != scope.clinic_id:
            raise NotFound(f"There is no enrollment {enrollment_id}: `drip list` shows them.")
        patient = patients.get(session, enrollment.patient_id)
        assert patient is not None, "an enrollment is a patient's"
        rows = deliveries.of_enrollment(session, enrollment_id)
        tries = attempts.of_deliveries(session, [row.id for row in rows])
    zone = zone_of(patient, scope.clinic)
    renderer = Renderer(scope.content)

    def words(row: Delivery) -> Said:
        if row.status in HANDED_OVER and row.id in tries:
            return _as_sent(tries[row.id][-1], row.channel)
        if row.status not in WAITING:
            return Said()
        facts = Facts(
            first_name=first_name(patient.name),
            language=patient.language,
            zone=zone,
            clinic=scope.clinic,
            session_at=row.session_at,
            now=row.due_at,
            plain_wording=patient.wording == "plain",
            route=enrollment.route or "",
            skipped=left_out(enrollment_id, rows),
            enrollment=str(enrollment_id),
            sequence=enrollment.sequence,
            page_url=page_url,
        )
        return say(renderer, row.message, row.channel, facts, whole=whole)

    return Preview(
        schedule=enrollment.schedule,
        version=enrollment.schedule_version,
        zone=zone,
        booked_at=enrollment.booked_at.astimezone(zone),
        session_at=enrollment.session_at.astimezone(zone),
        deliveries=tuple(_previewed(row, words(row), zone) for row in rows),
        unsendable=(),
    )


def _as_sent(attempt: Attempt, channel: Channel) -> Said:
    parts = measure(attempt.body) if channel is Channel.SMS else None
    return Said(attempt.subject, attempt.body, parts)


def _previewed(row: Delivery, said: Said, zone: ZoneInfo) -> Previewed:
    return Previewed(
        step=row.step,
        message=row.message,
        channel=row.channel,
        due_at=row.due_at.astimezone(zone),
        status="planned" if row.status in WAITING else row.status.value,
        reason=row.reason,
        until=row.until.astimezone(zone),
        said=said,
    )
