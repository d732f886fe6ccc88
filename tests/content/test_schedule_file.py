"""A schedule file becomes a schedule, and the same again from the database."""

import json
from collections.abc import Callable
from datetime import time
from pathlib import Path

import jsonschema
import pytest

from drip.content.schedule_file import (
    definition_of,
    json_schema,
    load_schedule,
    schedule_from_definition,
)
from drip.content.sources import ContentDir
from drip.content.yamlfile import read_yaml
from drip.core.schedule import Channel, IfLate, OnReschedule, Weight
from drip.core.when import Anchor, When
from drip.errors import ContentError


def test_the_built_in_schedule_is_the_journey(content: ContentDir) -> None:
    schedule = load_schedule(content, "ketamine-first-session")
    assert [step.name for step in schedule.steps] == [
        "welcome",
        "what-is-ketamine",
        "kinds-of-treatment",
        "what-it-may-help",
        "questions-to-ask",
        "side-effects",
        "arrange-a-ride",
        "day-before",
        "day-of",
        "evening-after",
        "check-in",
        "week-after",
    ]
    ride = schedule.by_name["arrange-a-ride"]
    assert ride.when == When(Anchor.SESSION, days=-3, at=time(10))
    assert ride.until == When(Anchor.SESSION, minutes=-180)
    assert ride.channels == (Channel.SMS, Channel.EMAIL)
    assert (ride.weight, ride.if_late) == (Weight.ESSENTIAL, IfLate.SEND)
    assert (ride.on_reschedule, ride.answered_by) == (OnReschedule.RESEND, "RIDE")
    assert schedule.by_name["day-before"].covers == ("arrange-a-ride",)


def test_a_step_takes_from_defaults_what_it_does_not_say(
    own: ContentDir, write: Callable[[str, str], Path]
) -> None:
    write(
        "schedules/two.yaml",
        "schedule: two\ntitle: Two\nversion: 3\n"
        "defaults:\n  channels: [email]\n  weight: education\n  if_late: send\n"
        "  on_reschedule: resend\n"
        "steps:\n"
        "  - step: a\n    message: welcome\n    when: at booking\n"
        "  - step: b\n    message: welcome\n    when: 1 day after booking\n    channels: [sms]\n"
        "    weight: essential\n    if_late: skip\n    on_reschedule: keep\n",
    )
    first, second = load_schedule(own, "two").steps
    assert first.channels == (Channel.EMAIL,)
    assert (first.weight, first.if_late) == (Weight.EDUCATION, IfLate.SEND)
    assert first.on_reschedule is OnReschedule.RESEND
    assert second.channels == (Channel.SMS,)
    assert (second.weight, second.if_late) == (Weight.ESSENTIAL, IfLate.SKIP)
    assert second.on_reschedule is OnReschedule.KEEP


def test_a_schedule_comes_back_from_json_as_it_was(content: ContentDir) -> None:
    schedule = load_schedule(content, "ketamine-first-session")
    stored = json.loads(json.dumps(definition_of(schedule)))
    assert schedule_from_definition(stored) == schedule


def test_a_stored_schedule_that_cannot_be_read_is_one_line(content: ContentDir) -> None:
    stored = definition_of(load_schedule(content, "ketamine-first-session"))
    stored["steps"][0]["when"] = "some day"
    with pytest.raises(ContentError, match=r"^The stored schedule cannot be read: [^\n]+$"):
        schedule_from_definition(stored)
    with pytest.raises(ContentError, match=r"^The stored schedule cannot be read: [^\n]+$"):
        schedule_from_definition({"schedule": "x"})


def test_a_time_of_day_alone_does_not_make_until_come_too_early(
    own: ContentDir, write: Callable[[str, str], Path]
) -> None:
    write(
        "schedules/one.yaml",
        "schedule: one\ntitle: One\nversion: 1\nsteps:\n"
        "  - step: a\n    message: welcome\n    when: on the day of session at 10:00\n"
        "    channels: [sms]\n    weight: essential\n    until: 1 hour before session\n",
    )
    assert load_schedule(own, "one").steps[0].until == When(Anchor.SESSION, minutes=-60)


def test_the_json_schema_takes_our_schedule_and_refuses_a_slip(content: ContentDir) -> None:
    data = read_yaml(content.schedule("ketamine-first-session")).data
    jsonschema.validate(data, json_schema())
    data["steps"][0]["wieght"] = "essential"
    with pytest.raises(jsonschema.ValidationError, match="wieght"):
        jsonschema.validate(data, json_schema())
