"""Weeks on a fast clock: all adds up, the pace and the send window hold, and it can be repeated."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from drip.content.clinic_file import sample_clinic
from drip.content.sources import content_dir
from drip.core.clinic import Texts
from drip.core.delivery import NEVER_SENT, Status
from drip.core.pace import burst
from drip.core.schedule import DEFAULT_SCHEDULE, Channel
from drip.errors import DripError
from drip.providers.nothing import Nothing
from drip.providers.outbox import Outbox
from drip.providers.protocol import Provider
from drip.services.scope import Scope, open_scope
from drip.services.trials.simulated_pace import JumpingPace, Stretch, longest_jump
from drip.services.trials.simulated_patients import MOST, Simulated, patients, phone_of
from drip.services.trials.simulation import Progress, simulate
from drip.services.trials.simulation_report import Report, Wanted, moments, report
from drip.store.engine import reading
from drip.store.fates import fates
from drip.store.schema import Delivery, Patient
from drip.store.throw_away import throw_away_engine

MONDAY = date(2026, 12, 7)
RATE = 0.02
"""A text in fifty seconds: short even for so few patients."""
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@dataclass
class Played:
    """A simulation that has run, with what it left."""

    scope: Scope
    people: list[Simulated]
    provider: Provider
    progress: Progress
    made: Report


def people_of(count: int, seed: int = 1, days: int = 5) -> list[Simulated]:
    return patients(
        sample_clinic(),
        content_dir().languages(),
        DEFAULT_SCHEDULE,
        count=count,
        days=days,
        first_day=MONDAY,
        seed=seed,
    )


def play(scope: Scope, provider: Provider, people: list[Simulated], seed: int) -> Played:
    wanted = Wanted(len(people), 5, DEFAULT_SCHEDULE, seed, "none", MONDAY, 0.01)
    midnight = datetime.combine(MONDAY, time(), scope.clinic.zone).astimezone(UTC)
    progress = simulate(scope, dict.fromkeys(Channel, provider), people, midnight)
    return Played(scope, people, provider, progress, report(scope, wanted, progress))


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """Twenty patients in a working week, at a pace that is short."""
    clinic = replace(sample_clinic(), texts=Texts(RATE))
    with throw_away_engine() as engine:
        midnight = datetime.combine(MONDAY, time(), clinic.zone).astimezone(UTC)
        scope = open_scope(engine, content_dir(), clinic, midnight)
        yield play(scope, Nothing(), people_of(20), 1)


def rows_of(played: Played) -> list[tuple[Delivery, Patient]]:
    query = select(Delivery, Patient).join(Patient, Patient.id == Delivery.patient_id)
    with reading(played.scope.engine) as session:
        return [(delivery, patient) for delivery, patient in session.execute(query)]


def test_every_patient_is_enrolled_and_every_delivery_ends_in_one_state(played: Played) -> None:
    rows = [delivery for delivery, _ in rows_of(played)]
    assert played.progress.enrolled == 20
    assert {row.status for row in rows} <= {Status.ACCEPTED, *NEVER_SENT}
    for channel, counts in played.made.counts.items():
        stood = Counter(row.status for row in rows if row.channel is channel)
        assert counts.planned == sum(stood.values())
        assert counts.sent == stood[Status.ACCEPTED]
        assert sum(counts.skipped.values()) == stood[Status.SKIPPED]
        assert sum(counts.cancelled.values()) == stood[Status.CANCELLED]
        assert counts.expired == stood[Status.EXPIRED]


def test_what_the_provider_took_is_what_the_report_counts(played: Played) -> None:
    made = played.made
    assert isinstance(played.provider, Nothing)
    assert played.provider.counts == {each: made.counts[each].sent for each in Channel}
    texts = made.counts[Channel.SMS].sent
    assert texts > 100
    assert sum(made.parts.values()) == texts
    assert sum(hour.texts for hour in made.hours) == texts
    assert sum(day.texts for day in made.by_day) == texts
    assert sum(made.lateness.classes) == texts
    assert made.cost == pytest.approx(made.all_parts * 0.01)


def test_texts_go_out_at_the_pace_and_never_before_their_time(played: Played) -> None:
    with reading(played.scope.engine) as session:
        rows = fates(session, played.scope.clinic_id)
    sent = [text for text in moments(rows, played.progress.stretches, RATE) if text.sent]
    assert all(text.left_at >= text.due_at for text in sent)
    times = [text.left_at for text in sent]
    # From any text on, there were no more than a rested sender's burst and what came since.
    for first in range(len(times)):
        for last in range(first, min(first + 60, len(times))):
            seconds = (times[last] - times[first]).total_seconds()
            assert last - first + 1 <= burst(RATE) + RATE * seconds + 0.01
    assert played.made.lateness.longest > SECOND, "the pace was never short"


def test_nothing_goes_out_outside_the_send_window(played: Played) -> None:
    clinic = played.scope.clinic
    for delivery, patient in rows_of(played):
        if delivery.sent_at is not None:
            zone = ZoneInfo(patient.timezone) if patient.timezone else clinic.zone
            assert clinic.window.contains(delivery.sent_at, zone)


def test_the_longest_queue_forms_and_drains(played: Played) -> None:
    queue = played.made.queue
    assert queue is not None
    assert queue.formed_at <= queue.at < queue.drained_at
    waiting = [count for _, count in queue.curve]
    assert waiting[0] == waiting[-1] == 0
    assert 1 < max(waiting) <= queue.longest


def test_a_pace_that_is_called_enough_is_enough(played: Played) -> None:
    enough = played.made.enough
    assert enough > 0
    clinic = replace(played.scope.clinic, texts=Texts(enough))
    with throw_away_engine() as engine:
        scope = open_scope(engine, content_dir(), clinic, played.progress.now)
        again = play(scope, Nothing(), people_of(20), 1)
    # What waits less may go before something else, which then waits a little more.
    assert again.made.lateness.longest <= timedelta(minutes=6)


def test_the_same_seed_gives_the_same_report_and_another_one_another(played: Played) -> None:
    assert people_of(20) == played.people
    assert people_of(20, seed=2) != played.people
    with throw_away_engine() as engine:
        scope = open_scope(engine, content_dir(), played.scope.clinic, played.progress.now)
        again = play(scope, Nothing(), people_of(20), 1)
    assert again.made.as_json() == played.made.as_json()


def test_patients_are_of_every_kind_and_book_in_working_hours() -> None:
    people = people_of(2000, days=14)
    zone = sample_clinic().zone
    assert {each.booking.language for each in people} == {"en", "es"}
    assert any(each.booking.email is None for each in people)
    assert any(not each.booking.consents for each in people)
    assert any(each.booking.timezone for each in people)
    changes = {event.change for each in people for event in each.events}
    assert changes == {"reschedule", "cancel", "no_show", "stop", "pause", "resume"}
    for each in people:
        booked, session = each.at.astimezone(zone), each.booking.session_at.astimezone(zone)
        assert booked.weekday() < 5
        assert 9 <= booked.hour < 17
        assert session.weekday() < 5
        assert 8 <= session.hour <= 16
        assert timedelta(hours=2) <= session - booked <= 47 * DAY
    leads = sorted(each.booking.session_at - each.at for each in people)
    assert leads[0] < DAY
    assert leads[-1] > 5 * 7 * DAY


def test_every_patient_has_a_number_set_aside_for_nobody() -> None:
    phones = {phone_of(number) for number in range(MOST)}
    assert len(phones) == MOST
    assert all(phone[5:10] == "55501" and len(phone) == 12 for phone in phones)


def test_an_outbox_that_takes_nothing_ends_the_simulation(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    start = datetime(2026, 12, 7, tzinfo=UTC)
    with throw_away_engine() as engine:
        scope = open_scope(engine, content_dir(), sample_clinic(), start)
        with pytest.raises(DripError, match="cannot be written"):
            play(scope, Outbox(tmp_path / "out"), people_of(3), 1)


@pytest.mark.parametrize(
    ("clock", "end"),
    [
        (time(19, 59), time(19, 59, 59)),
        (time(19, 59, 58, 500_000), time(19, 59, 59)),
        (time(19, 59, 59), time(20, 0, 59)),
        (time(19, 59, 59, 500_000), time(20, 0, 59)),
    ],
)
def test_while_texts_wait_the_clock_stops_before_a_window_may_close(clock: time, end: time) -> None:
    now = datetime.combine(MONDAY, clock, UTC)
    assert now + longest_jump(now) == datetime.combine(MONDAY, end, UTC)


def test_what_has_its_token_before_the_window_closes_goes_out() -> None:
    clinic = replace(sample_clinic(), texts=Texts(0.5))
    evening = datetime(2026, 12, 9, 19, 59, tzinfo=clinic.zone).astimezone(UTC)
    # Each visit is at 8:00, so that its last text goes out in the evening's last minute.
    session_at = datetime(2026, 12, 10, 8, tzinfo=clinic.zone)
    booked_at = evening - timedelta(days=2)
    people = [
        replace(
            each,
            at=booked_at,
            booking=replace(each.booking, session_at=session_at, booked_at=booked_at),
            events=(),
        )
        for each in people_of(60)
    ]
    with throw_away_engine() as engine:
        scope = open_scope(engine, content_dir(), clinic, booked_at)
        simulate(scope, dict.fromkeys(Channel, Nothing()), people, booked_at)
        with reading(engine) as session:
            sent = [row.sent_at for row in fates(session, scope.clinic_id) if row.sent_at]
    last_minute = [at for at in sent if evening <= at < evening + timedelta(minutes=1)]
    assert len(last_minute) >= 30, "at half a text a second"


def test_a_stretch_of_waiting_gives_each_text_its_token_in_time() -> None:
    now = datetime(2026, 12, 7, 15, tzinfo=UTC)
    pace = JumpingPace()
    stretch = pace.wait("one", 2.0, 10, now, 30 * SECOND)
    assert stretch == Stretch(now, now + 4 * SECOND, ready=2)
    assert [stretch.token_at(n, 2.0) for n in (1, 2, 3, 10)] == [
        now,
        now,
        now + SECOND / 2,
        now + 4 * SECOND,
    ]
    assert pace.take("one", 2.0, 50, stretch.end) == 10
    assert pace.left("one", 2.0, stretch.end + DAY) == 2
