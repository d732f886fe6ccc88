"""`drip reply`: a member of staff answers in a patient's thread."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from drip.app import App
from drip.clock import system_clock
from drip.core.replies import ReplyClass
from drip.services.answers.answering import send_waiting
from tests.cli.conftest import Drip
from tests.cli.terminal import at_terminal
from tests.cli.thread import ANA, OURS, add_reply, add_task, answers

NIGHT = timedelta(hours=12)
"""From 10 in the morning to 10 at night."""


def test_an_answer_waits_in_the_patients_thread_with_who_wrote_it(drip: Drip) -> None:
    drip.enroll()
    done = drip("reply", 1, "The side door is open.", "--by", "Sam")
    assert (done.status, done.out) == (0, "On its way to (212) 555-0101 by Sam: 1 part.\n")
    assert "`drip show 1`" in done.err
    (answer,) = answers(drip)
    assert (answer.kind, answer.by_whom, answer.channel, answer.address, answer.body) == (
        "staff",
        "Sam",
        "sms",
        ANA,
        "The side door is open.",
    )
    assert (answer.status, answer.due_at, answer.sender) == ("waiting", drip.now, None)
    out = drip("show", 1).out
    assert 'answer by Sam, sms: waiting\n                    "The side door is open."' in out


def test_without_by_it_is_the_user_who_is_logged_in(
    drip: Drip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "kim")
    drip.enroll()
    assert drip("reply", 1, "Yes.", "--json").json["by"] == "kim"
    monkeypatch.setenv("LOGNAME", "root")
    done = drip("reply", 1, "Yes.")
    assert (done.status, done.out) == (2, "")
    assert "Say who answers: --by NAME" in done.err


def test_the_patient_is_named_by_the_clinics_own_ref_too(drip: Drip) -> None:
    drip.enroll()
    sent = drip("reply", "--ref", "A1", "Yes.", "--by", "Sam", "--json").json
    assert (sent["enrollment_id"], sent["phone"], sent["body"]) == (1, ANA, "Yes.")
    assert (sent["parts"], sent["encoding"]) == (1, "GSM-7")


def test_an_answer_belongs_to_the_reply_and_to_the_task_that_is_open(drip: Drip) -> None:
    drip.enroll()
    add_reply(drip, "hello?", at=drip.now - timedelta(minutes=9))
    task = add_task(drip, "Read a reply")
    reply = add_reply(drip, "can I eat?", task_id=task, at=drip.now - timedelta(minutes=5))
    done = drip("reply", 1, "Yes.", "--by", "Sam")
    assert f"Task {task} stays open" in done.err
    (answer,) = answers(drip)
    assert (answer.reply_id, answer.task_id, answer.sender) == (reply, task, OURS)
    drip("tasks", "done", task, "--by", "Sam")
    drip("reply", 1, "And bring your card.", "--by", "Sam")
    assert answers(drip)[1].task_id is None


def test_while_a_crisis_is_open_an_answer_belongs_to_its_task_whatever_came_after(
    drip: Drip,
) -> None:
    drip.enroll()
    case = add_task(drip, "Call now", kind="crisis", urgent=True, enrollment_id=1)
    add_reply(drip, "I want to end it", ReplyClass.CRISIS, task_id=case)
    add_reply(drip, "sorry", at=drip.now + timedelta(seconds=1))
    assert drip("reply", 1, "I will call you now.", "--by", "Sam").status == 0
    assert answers(drip)[0].task_id == case


def hand_over(drip: Drip) -> None:
    """Hand over the answers that wait, as `drip run` does."""
    app = App.from_environment()
    providers = app.providers()
    send_waiting(app.engine, providers, drip.now)
    for provider in providers.values():
        provider.close()
    drip.close()


def test_what_became_of_an_answer_is_shown(drip: Drip) -> None:
    drip.enroll()
    drip("reply", 1, "The side door is open.", "--by", "Sam")
    hand_over(drip)
    assert "answer by Sam, sms: accepted" in drip("show", 1).out
    (written,) = (drip.folder / "outbox").glob("*.txt")
    assert "The side door is open." in written.read_text()


def test_an_answer_to_who_stops_before_it_goes_out_is_withheld_and_shown_so(drip: Drip) -> None:
    drip.enroll()
    drip("reply", 1, "Yes.", "--by", "Sam")
    drip("stop", 1)
    hand_over(drip)
    assert "answer by Sam, sms: withheld" in drip("show", 1).out
    assert "was not sent, since this number has stopped: call" in drip("tasks").out


# --- When -------------------------------------------------------------------------------------


def test_at_night_a_text_of_its_own_is_refused_unless_now_is_said(drip: Drip) -> None:
    drip.enroll()
    drip.now += NIGHT
    done = drip("reply", 1, "Yes.", "--by", "Sam")
    assert (done.status, done.out) == (1, "")
    assert "It is Tue 22:00 for the patient" in done.err
    assert "begin Wed 09:00. Add --now" in done.err
    assert len(done.err.splitlines()) == 1
    assert answers(drip) == []
    assert drip("reply", 1, "Yes.", "--by", "Sam", "--now").status == 0
    assert answers(drip)[0].due_at == drip.now


def test_the_hours_are_those_of_the_patients_clock(drip: Drip) -> None:
    drip.enroll("timezone=America/Los_Angeles")
    done = drip("reply", 1, "Yes.", "--by", "Sam")
    assert "It is Tue 07:00 for the patient" in done.err


@pytest.mark.parametrize(("hours", "status"), [(4, 0), (5, 1)])
def test_an_answer_to_a_text_of_the_last_four_hours_goes_at_any_hour(
    drip: Drip, hours: int, status: int
) -> None:
    drip.enroll()
    drip.now += NIGHT
    add_reply(drip, "are you there?", at=drip.now - timedelta(hours=hours))
    assert drip("reply", 1, "Yes.", "--by", "Sam").status == status


def test_in_an_open_crisis_a_text_goes_at_any_hour(drip: Drip) -> None:
    drip.enroll()
    case = add_task(drip, "Call now", kind="crisis", urgent=True, enrollment_id=1)
    add_reply(drip, "I want to end it", ReplyClass.CRISIS, task_id=case)
    drip.now += NIGHT
    assert drip("reply", 1, "I am here.", "--by", "Sam").status == 0
    assert answers(drip)[0].until == drip.now + timedelta(hours=4)


def test_a_text_of_its_own_cannot_slip_into_the_night(drip: Drip) -> None:
    drip.enroll()
    drip.now += timedelta(hours=9, minutes=50)
    drip("reply", 1, "Yes.", "--by", "Sam")
    assert answers(drip)[0].until == drip.now + timedelta(minutes=10)
    add_reply(drip, "and you?")
    drip("reply", 1, "Me too.", "--by", "Sam")
    assert answers(drip)[1].until == drip.now + timedelta(hours=4)


def test_who_is_at_a_terminal_at_night_is_asked(drip: Drip) -> None:
    hour = system_clock().astimezone(ZoneInfo("America/New_York")).hour
    far = "22:00-23:00" if hour < 12 else "01:00-02:00"
    path = drip.folder / "clinic.yaml"
    path.write_text(path.read_text().replace('"09:00-20:00"\n\n', f'"{far}"\n\n'))
    drip.enroll()
    status, lines = at_terminal(drip, "reply", 1, "Yes.", "--by", "Sam", answer="n\n")
    assert status == 130
    assert "Send it now? [y/N]:" in " ".join(lines)
    assert answers(drip) == []
    status, _ = at_terminal(drip, "reply", 1, "Yes.", "--by", "Sam", answer="y\n")
    assert status == 0
    assert len(answers(drip)) == 1


# --- What ---------------------------------------------------------------------------------------


def test_the_parts_are_told_and_more_than_three_are_warned_of(drip: Drip) -> None:
    drip.enroll()
    three = drip("reply", 1, "x" * 459, "--by", "Sam")
    assert "3 parts" in three.out
    assert "each is paid for" not in three.err
    four = drip("reply", 1, "x" * 460, "--by", "Sam")
    assert "4 parts" in four.out
    assert "each is paid for" in four.err
    assert drip("reply", 1, "x" * 1530, "--by", "Sam").status == 0
    assert "2 parts, more because of 🙂" in drip("reply", 1, f"{'x' * 69}🙂", "--by", "Sam").out


def test_typed_quotes_and_dashes_become_plain_and_cost_nothing(drip: Drip) -> None:
    drip.enroll()
    sent = drip("reply", 1, "\u201cYes\u201d \u2014 it\u2019s open\u2026 ", "--by", "Sam", "--json")
    assert (sent.json["body"], sent.json["encoding"]) == ('"Yes" - it\'s open...', "GSM-7")


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 2, "The text is empty"),
        (" \n ", 2, "The text is empty"),
        ("\u200b", 2, "The text is empty"),
        ("hello\x07", 2, "cannot be shown (U+0007)"),
        ("hello\u202e", 2, "cannot be shown (U+202E)"),
        ("x" * 1531, 2, "takes 11 parts, and at most 10"),
        ("ы" * 671, 2, "takes 11 parts, and at most 10"),
        ("Your ketamine visit is fine", 1, '"ketamine" can be read on a locked phone'),
        ("The psychiatrist will call", 1, '"psychiatrist" can be read on a locked phone'),
    ],
)
def test_what_cannot_be_said_is_refused_in_one_line(
    drip: Drip, text: str, status: int, said: str
) -> None:
    drip.enroll()
    done = drip("reply", 1, text, "--by", "Sam")
    assert (done.status, done.out) == (status, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert answers(drip) == []


def test_two_lines_and_an_emoji_of_several_characters_may_be_sent(drip: Drip) -> None:
    drip.enroll()
    text = "Yes.\nSee you \N{WOMAN}\u200d\N{PERSONAL COMPUTER}"
    assert drip("reply", 1, text, "--by", "Sam", "--json").json["body"] == text


def test_who_chose_plain_wording_may_be_told_plainly(drip: Drip) -> None:
    drip.enroll("wording=plain")
    assert drip("reply", 1, "Your ketamine visit is fine", "--by", "Sam").status == 0


# --- To whom ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (("consent=", "consent_how="), "Ana Lopez has not consented to texts: call instead."),
        (("consent=email",), "Ana Lopez has not consented to texts: call instead."),
        (("phone=",), "Ana Lopez has no phone on record"),
    ],
)
def test_who_may_not_be_texted_is_not(drip: Drip, extra: tuple[str, ...], said: str) -> None:
    drip.enroll(*extra)
    done = drip("reply", 1, "Yes.", "--by", "Sam", "--now")
    assert (done.status, done.out) == (1, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert answers(drip) == []


def test_who_stopped_is_called_not_texted_even_in_answer(drip: Drip) -> None:
    drip.enroll()
    add_reply(drip, "STOP", ReplyClass.STOP, stop=True)
    drip("stop", 1)
    done = drip("reply", 1, "Yes.", "--by", "Sam", "--now")
    assert (done.status, done.out) == (1, "")
    assert "Ana Lopez stopped texts: call instead." in done.err


def test_what_is_wrongly_asked_is_an_error_of_one_line(
    drip: Drip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "kim")
    drip.enroll()
    for args, status, said in (
        ((), 2, "whom to answer"),
        (("Yes.",), 2, "whom to answer"),
        (("--ref", "A1"), 2, "whom to answer"),
        (("1", "Yes", "please"), 2, "in quotes"),
        (("--ref", "A1", "1", "Yes"), 2, "in quotes"),
        (("one", "Yes"), 2, "not the number of an enrollment"),
        (("9", "Yes"), 1, "no enrollment 9"),
        (("--ref", "Z9", "Yes"), 1, "'Z9'"),
        (("1", "Yes", "--by", " "), 2, "--by NAME"),
        (("1", "Yes", "--by", "S\nam"), 2, "one line"),
    ):
        done = drip("reply", *args)
        assert (done.status, done.out) == (status, ""), args
        assert said in done.err, args
        assert len(done.err.splitlines()) == 1, args
    assert answers(drip) == []
