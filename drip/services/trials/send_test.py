"""A message to oneself: made as a patient would get it, marked as a test, kept nowhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from drip.content.problems import nearest
from drip.content.render import Renderer
from drip.content.sample_patients import at_its_time, ordinary
from drip.content.schedule_file import load_schedule
from drip.content.sources import ContentDir
from drip.core.clinic import Clinic
from drip.core.outgoing import Outgoing
from drip.core.schedule import NOTICES, Channel, Schedule, Step
from drip.errors import InvalidInput, NotAllowed, NotFound
from drip.intake.booking import read_email, read_phone
from drip.intake.fields import one_of
from drip.services.scope import Scope
from drip.store import patients
from drip.store.engine import reading

_GIVE_UP_AFTER = timedelta(hours=1)
_A_WEEK = timedelta(days=7)

_CALLED = {Channel.SMS: "text", Channel.EMAIL: "email"}


@dataclass(frozen=True, slots=True)
class SendTest:
    """What is to be sent to whom: a step of a schedule, on the channel that the address has.

    `channel` is given where a step is to be seen on a channel that it does not use. `page_url`
    stands for the link to the message's page.
    """

    schedule: str
    step: str
    to: str
    language: str | None = None
    channel: Channel | None = None
    page_url: str | None = None


def make_test_message(
    content: ContentDir, clinic: Clinic, wanted: SendTest, now: datetime
) -> Outgoing:
    """The message of a step as the sample patient would get it, for one's own address.

    It says of today and tomorrow what it will say when it is due. Raises NotFound for a step
    that is not there, InvalidInput for an address or a language that is not one, ContentError
    where the message is broken. `now` is UTC.
    """
    schedule = load_schedule(content, wanted.schedule)
    step = _step(schedule, wanted.step)
    address, channel = _address(wanted, clinic)
    if wanted.channel is None and channel not in step.channels:
        said, other = _CALLED[channel], _CALLED[step.channels[0]]
        raise InvalidInput(
            f"{step.name} goes out by {other} only: give an address for that, or add "
            f"--channel {channel} to see its {said} all the same."
        )
    asked = (wanted.language or clinic.language).lower()
    language = one_of("language", asked, content.languages())
    facts = at_its_time(ordinary(clinic, language, _soon(clinic, now), wanted.page_url), step)
    renderer = Renderer(content)
    make = renderer.sms if channel is Channel.SMS else renderer.email
    return Outgoing(
        # No delivery has a number below zero, and no two tests the same Message-ID.
        delivery_id=-int(now.timestamp()),
        attempt_id=0,
        channel=channel,
        to=address,
        content=make(step.message, facts, test=True),
        give_up_at=now + _GIVE_UP_AFTER,
    )


def _soon(clinic: Clinic, now: datetime) -> datetime:
    """A visit that is a week away, at nine on the clinic's clock; in UTC."""
    local = (now + _A_WEEK).astimezone(clinic.zone)
    return local.replace(hour=9, minute=0, second=0, microsecond=0).astimezone(UTC)


def refuse_stopped(scope: Scope, outgoing: Outgoing) -> None:
    """Raise NotAllowed where the address must not be messaged, not even by its owner."""
    pair = (outgoing.channel, outgoing.to)
    with reading(scope.engine) as session:
        if patients.suppressed(session, scope.clinic_id, [pair]):
            raise NotAllowed(f"{outgoing.to} was stopped and is never messaged: use another.")


def _step(schedule: Schedule, name: str) -> Step:
    steps = {**schedule.by_name, **NOTICES}
    if name not in steps:
        raise NotFound(f'{schedule.name} has no step "{name}": {nearest(name, steps)}.')
    return steps[name]


def _address(wanted: SendTest, clinic: Clinic) -> tuple[str, Channel]:
    channel = Channel.EMAIL if "@" in wanted.to else Channel.SMS
    if wanted.channel not in (None, channel):
        raise InvalidInput(f"{wanted.to!r} is no address for --channel {wanted.channel}.")
    if channel is Channel.EMAIL:
        return read_email(wanted.to), channel
    return read_phone(wanted.to, clinic.country), channel
