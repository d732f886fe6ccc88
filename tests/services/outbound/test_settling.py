"""Unknown outcomes: asked about in portions, settled by what is shown, never by a guess."""

from datetime import timedelta

import pytest

from drip.core.delivery import Status
from drip.core.outgoing import Accepted, NotSent, Rejected, Retry, Unknown
from drip.core.retry import RetryKind
from drip.core.schedule import Channel
from drip.services.outbound.settling import AT_ONCE, SETTLE_AFTER, settle
from tests.services.desk import DAY, HOUR, MINUTE, NOW, Desk, at
from tests.services.flight import fly, land, take_off

pytestmark = pytest.mark.both_databases

LATER = NOW + SETTLE_AFTER
LESSON = at("2026-12-02 10:00")


def _lost(desk: Desk, count: int) -> None:
    desk.enroll_many(range(1, count + 1), consent="sms")
    rows = [row for row in desk.rows() if (row.step, row.channel) == ("welcome", "sms")]
    fly(desk, rows, Unknown("lost"), NOW)


def test_many_at_once_are_settled_in_runs_of_a_limited_size(desk: Desk) -> None:
    _lost(desk, AT_ONCE + 100)
    desk.sms.knows = lambda one: Accepted(f"SM{one.attempt_id}")
    assert settle(desk.engine, Channel.SMS, desk.sms, LATER) == AT_ONCE
    assert desk.counts()[Status.UNKNOWN] == 100
    assert settle(desk.engine, Channel.SMS, desk.sms, LATER) == 100
    assert desk.counts()[Status.ACCEPTED] == AT_ONCE + 100
    assert settle(desk.engine, Channel.SMS, desk.sms, LATER) == 0


def test_a_provider_that_says_nothing_is_not_asked_about_the_rest(desk: Desk) -> None:
    _lost(desk, 150)
    desk.sms.knows = lambda _: Unknown("no list")
    assert settle(desk.engine, Channel.SMS, desk.sms, LATER) == 50
    first = {one.attempt_id for _, one in desk.sms.asked}
    assert settle(desk.engine, Channel.SMS, desk.sms, LATER + MINUTE) == 50
    assert first.isdisjoint(one.attempt_id for _, one in desk.sms.asked[50:])


def test_a_text_that_came_to_nothing_there_is_tried_again_as_its_code_says(desk: Desk) -> None:
    _lost(desk, 1)
    desk.sms.knows = lambda _: Retry("30003", kind=RetryKind.RETRY_ONCE)
    settle(desk.engine, Channel.SMS, desk.sms, LATER)
    (row,) = (r for r in desk.rows() if (r.step, r.channel) == ("welcome", "sms"))
    assert (row.status, row.due_at >= LATER + HOUR) == (Status.SCHEDULED, True)


def test_a_text_that_was_refused_there_goes_by_email(desk: Desk) -> None:
    id_ = desk.enroll(session="2026-12-15T11:00").enrollment_id
    due = at("2026-12-15 09:00")
    fly(desk, [desk.row(id_, "day-of")], Unknown("lost"), due)
    desk.sms.knows = lambda _: Rejected("30006", address_is_bad=True)
    settle(desk.engine, Channel.SMS, desk.sms, due + SETTLE_AFTER)
    assert desk.row(id_, "day-of", "email").status is Status.SCHEDULED
    assert desk.tasks("call_patient") == []


@pytest.mark.parametrize(("age", "tasks"), [(DAY - MINUTE, 0), (DAY + MINUTE, 1)])
def test_a_lesson_that_nobody_knows_of_is_a_task_after_a_day(
    desk: Desk, age: timedelta, tasks: int
) -> None:
    id_ = desk.enroll().enrollment_id
    fly(desk, [desk.row(id_, "what-is-ketamine")], Unknown("lost"), LESSON)
    desk.sms.knows = lambda _: Unknown("no list")
    settle(desk.engine, Channel.SMS, desk.sms, LESSON + age)
    found = desk.tasks("unknown_outcome")
    assert len(found) == tasks
    assert not any(task.urgent for task in found)


def test_an_email_lesson_that_nobody_knows_of_is_no_task(desk: Desk) -> None:
    id_ = desk.enroll().enrollment_id
    fly(desk, [desk.row(id_, "what-is-ketamine", "email")], Unknown("lost"), LESSON)
    desk.email.knows = lambda _: Unknown("a mail server cannot be asked")
    settle(desk.engine, Channel.EMAIL, desk.email, LESSON + 2 * DAY)
    assert desk.tasks() == []


def test_what_is_said_of_an_attempt_while_a_later_one_is_lost_changes_nothing(desk: Desk) -> None:
    """Two that ask at once: the slow one must not have the second attempt sent again."""
    _lost(desk, 1)
    slow = {"left": 1}

    def knows(_one: object) -> NotSent:
        if slow["left"]:
            slow["left"] = 0
            settle(desk.engine, Channel.SMS, desk.sms, LATER)
            (row,) = (r for r in desk.rows() if (r.step, r.channel) == ("welcome", "sms"))
            assert row.status is Status.SCHEDULED
            land(desk, [row], take_off(desk, [row], LATER), [Unknown("lost too")], LATER)
        return NotSent()

    desk.sms.name = "texts"
    desk.sms.knows = knows
    settle(desk.engine, Channel.SMS, desk.sms, LATER)
    (row,) = (r for r in desk.rows() if (r.step, r.channel) == ("welcome", "sms"))
    assert (row.status, row.attempts) == (Status.UNKNOWN, 2)
