"""`drip tasks`: what staff must do."""

from datetime import timedelta

import pytest

from drip.app import App
from drip.core.inbound import InboundText
from drip.core.replies import ReplyClass
from drip.services.inbound.hearing import hear
from tests.cli.conftest import Drip
from tests.cli.terminal import at_terminal
from tests.cli.thread import ANA, add_answer, add_reply, add_task

CALL = "Call now: a text says that somebody may come to harm."


def with_a_crisis(drip: Drip) -> None:
    """Enrol two patients with one phone; words of crisis came from it: task 1."""
    drip.enroll()
    drip.enroll("email=ben@example.com", name="Ben Ode", ref="B2", days=12)
    task = add_task(drip, CALL, kind="crisis", urgent=True, patient_id=1, enrollment_id=1)
    reply = add_reply(drip, "I want to end it", ReplyClass.CRISIS, task_id=task, stop=True)
    add_answer(drip, "In danger call 911.", "crisis", reply_id=reply, task_id=task)


def with_a_call(drip: Drip) -> None:
    """Enrol a patient without consent, who must be called: task 1."""
    drip.enroll("consent=", "consent_how=")


def test_without_tasks_nothing_is_to_be_done(drip: Drip) -> None:
    assert drip("tasks").out == "Nothing is to be done.\n"
    assert drip("tasks", "--json").json == []


def test_the_list_says_whom_to_call_on_which_number_and_why(drip: Drip) -> None:
    with_a_call(drip)
    for command in (("tasks",), ("tasks", "list")):
        out = drip(*command).out
        assert "Ana Lopez" in out
        assert "(212) 555-0101" in out
        assert "URGENT Call the patient" in out
        assert "no consent on record" in out
    (task,) = drip("tasks", "--json").json
    assert drip("tasks", "list", "--json").json == [task]
    assert (task["id"], task["urgent"], task["phone"]) == (1, True, "+12125550101")
    assert task["opened_at"] == "2026-12-01T10:00:00-05:00"


def test_a_task_is_shown_with_the_patient_and_the_session(drip: Drip) -> None:
    with_a_call(drip)
    out = drip("tasks", "show", 1).out
    for said in ("Ana Lopez", "(212) 555-0101", "ana@example.com", "Thu 2026-12-10 15:00", "open"):
        assert said in out
    assert drip("tasks", "show", 1, "--json").json["session_at"] == "2026-12-10T15:00:00-05:00"


def test_a_task_that_is_done_leaves_the_list_and_keeps_who_did_it(drip: Drip) -> None:
    with_a_call(drip)
    done = drip("tasks", "done", 1, "--by", "Sam", "--note", "consents on paper")
    assert done.status == 0
    assert done.out.startswith("Task 1 is done.")
    assert drip("tasks", "--json").json == []
    shown = drip("tasks", "show", 1, "--json").json
    assert (shown["status"], shown["done_by"], shown["note"]) == (
        "done",
        "Sam",
        "consents on paper",
    )
    assert shown["done_at"] == "2026-12-01T10:00:00-05:00"
    assert "urgent" not in drip("tasks", "show", 1).out


def test_what_is_done_cannot_be_done_again(drip: Drip) -> None:
    with_a_call(drip)
    drip("tasks", "done", 1, "--by", "Sam")
    again = drip("tasks", "done", 1, "--by", "Kim")
    assert (again.status, again.out) == (1, "")
    assert "done already by Sam" in again.err
    assert drip("tasks", "show", 1, "--json").json["done_by"] == "Sam"


def test_json_answers_a_task_that_was_done(drip: Drip) -> None:
    with_a_call(drip)
    assert drip("tasks", "done", 1, "--by", "Sam", "--json").json["status"] == "done"


def test_what_is_wrongly_asked_is_an_error_of_one_line(drip: Drip) -> None:
    with_a_call(drip)
    for args, status, said in (
        (("show", "2"), 1, "no task 2"),
        (("done", "2", "--by", "Sam"), 1, "no task 2"),
        (("done", "1"), 2, "--by"),
        (("done", "1", "--by", " "), 2, "--by"),
        (("show",), 2, "ID"),
        (("show", "one"), 2, "not the number of a task"),
        (("--json", "list"), 2, "after the word list"),
        (("ack", "2", "--by", "Sam"), 1, "no task 2"),
        (("ack", "1"), 2, "--by"),
        (("ack", "1", "--by", " "), 2, "--by"),
        (("ack", "1", "--by", "x" * 201), 2, "one line"),
        (("note", "2", "hm", "--by", "Sam"), 1, "no task 2"),
        (("note", "1", " ", "--by", "Sam"), 2, "empty"),
        (("note", "1", "x" * 2001, "--by", "Sam"), 2, "at most 2000"),
        (("note", "1", "--by", "Sam"), 2, "TEXT"),
        (("finish", "1"), 2, "finish"),
    ):
        done = drip("tasks", *args)
        assert (done.status, done.out) == (status, ""), args
        assert said in done.err, args
        assert len(done.err.splitlines()) == 1, args
    assert len(drip("tasks", "--json").json) == 1


def test_the_list_says_how_old_a_task_is_and_puts_first_what_is_urgent_and_not_taken(
    drip: Drip,
) -> None:
    drip.enroll()
    add_task(drip, "Fix a number")
    drip.now += timedelta(days=2)
    add_task(drip, "Urgent and taken", urgent=True)
    drip("tasks", "ack", 2, "--by", "Sam")
    drip.now += timedelta(hours=3)
    add_task(drip, "Urgent and new", urgent=True)
    drip.now += timedelta(minutes=12)
    lines = [" ".join(line.split()) for line in drip("tasks").out.splitlines()[1:]]
    assert lines == [
        "3 12 min URGENT Urgent and new",
        "2 3 h URGENT Urgent and taken (Sam has it)",
        "1 2 days Fix a number",
    ]
    assert [task["id"] for task in drip("tasks", "--json").json] == [3, 2, 1]


def test_a_task_about_replies_names_their_phone_and_everybody_who_has_it(drip: Drip) -> None:
    drip.enroll()
    drip.enroll("email=ben@example.com", name="Ben Ode", ref="B2")
    ours = add_task(drip, "Read the replies and answer")
    add_reply(drip, "can I eat?", task_id=ours)
    strangers = add_task(drip, "Read a reply of nobody enrolled")
    add_reply(drip, "who is this?", task_id=strangers, address="+12125550177")
    out = drip("tasks").out
    assert "Ana Lopez, Ben Ode  (212) 555-0101" in out
    assert "(212) 555-0177" in out
    assert [task["phone"] for task in drip("tasks", "--json").json] == [ANA, "+12125550177"]
    shown = drip("tasks", "show", ours).out
    assert "Ana Lopez (enrollment 1)" in shown
    assert "Ben Ode (enrollment 2)" in shown
    assert "nobody enrolled has this phone" in drip("tasks", "show", strangers).out


def test_a_task_of_a_crisis_shows_what_was_written_what_was_answered_and_whom_to_call(
    drip: Drip,
) -> None:
    with_a_crisis(drip)
    drip.now += timedelta(minutes=16)
    out = drip("tasks", "show", 1).out
    for said in (
        f"Task 1: {CALL}",
        "open, urgent",
        "Tue 2026-12-01 10:00 (16 min)",
        "Same phone  Ben Ode (enrollment 2)",
        "2026-12-01 10:00  reply: words of crisis, stop, task 1",
        '"I want to end it"',
        "answer by drip (crisis), sms: accepted",
        '"In danger call 911."',
        "Call (212) 555-0101.",
        "drip tasks ack 1 --by NAME",
        'drip reply 1 "TEXT" --by NAME',
        "drip show 1",
        "drip tasks done 1 --by NAME",
    ):
        assert said in out
    shown = drip("tasks", "show", 1, "--json").json
    assert [each["name"] for each in shown["patients"]] == ["Ana Lopez", "Ben Ode"]
    (reply,), (answer,) = shown["replies"], shown["answers"]
    assert (reply["class"], reply["stop"], reply["body"]) == ("crisis", True, "I want to end it")
    assert (answer["kind"], answer["by"], answer["status"]) == ("crisis", "drip", "accepted")


def test_a_crisis_that_is_heard_is_on_the_list_at_once_and_holds_what_can_wait(drip: Drip) -> None:
    drip.enroll()
    app = App.from_environment()
    text = InboundText("twilio", "SM1", ANA, "+12125550190", "I don't want to live")
    hear(app.scope.engine, app.content, text, drip.now)
    drip.close()
    assert "URGENT Call now" in drip("tasks").out
    out = drip("tasks", "show", 1).out
    assert "I don't want to live" in out
    assert "Education steps are on hold until `drip resume 1`" in out
    assert "On hold   education steps, since Tue 2026-12-01 10:00" in drip("show", 1).out
    drip("resume", 1)
    assert "on hold" not in drip("tasks", "show", 1).out


def test_the_end_of_a_pause_in_a_crisis_says_that_education_is_still_on_hold(drip: Drip) -> None:
    drip.enroll()
    app = App.from_environment()
    text = InboundText("twilio", "SM1", ANA, "+12125550190", "I don't want to live")
    hear(app.scope.engine, app.content, text, drip.now)
    drip.close()
    drip("pause", 1)
    says = "Education stays on hold: a crisis is open. `drip resume 1` again ends that."
    assert says in drip("resume", 1).err
    done = drip("resume", 1)
    assert (done.status, done.err) == (0, "")
    drip.enroll("email=ana2@example.com", ref="A2", name="Ana B. Lopez", days=12)
    out = drip("tasks", "show", 1).out
    assert "Education of enrollment 2 is on hold too, until `drip resume 2`." in out


def test_a_crisis_whose_patient_stopped_reads_as_one_case_at_80_columns(drip: Drip) -> None:
    drip.enroll()
    app = App.from_environment()
    for number, body in enumerate(("I don't want to live", "STOP")):
        text = InboundText("twilio", f"SM{number}", ANA, "+12125550190", body)
        hear(app.scope.engine, app.content, text, drip.now)
    drip.close()
    status, lines = at_terminal(drip, "tasks")
    assert (status, max(map(len, lines)) <= 80) == (0, True)
    listed = " ".join(" ".join(lines).split())
    assert listed.count("URGENT") == 1
    status, lines = at_terminal(drip, "tasks", "show", "1")
    assert (status, max(map(len, lines)) <= 80) == (0, True)
    shown = " ".join(" ".join(lines).split())
    for said in (
        "Texts were stopped, too: only a call is left.",
        "Drip: Call the patient, who stopped texts: welcome, arrange-a-ride, day-before",
        "Call (212) 555-0101: no text can be sent.",
    ):
        assert said in shown


def test_where_no_text_can_go_the_task_says_to_call(drip: Drip) -> None:
    with_a_crisis(drip)
    drip("stop", ANA)
    out = drip("tasks", "show", 1).out
    assert "cannot be sent: the patient stopped these messages" in out
    assert "Call (212) 555-0101: no text can be sent." in out
    assert "drip reply" not in out


def test_a_task_that_somebody_took_says_who_and_cannot_be_taken_again(drip: Drip) -> None:
    with_a_crisis(drip)
    taken = drip("tasks", "ack", 1, "--by", "Sam")
    assert (taken.status, taken.out) == (0, f"Task 1 is Sam's now. {CALL}\n")
    again = drip("tasks", "ack", 1, "--by", "Kim")
    assert (again.status, again.out) == (1, "")
    assert "taken already by Sam" in again.err
    out = drip("tasks", "show", 1).out
    assert "Taken       Tue 2026-12-01 10:00 by Sam" in out
    assert "tasks ack" not in out
    shown = drip("tasks", "show", 1, "--json").json
    assert (shown["status"], shown["acked_by"]) == ("open", "Sam")
    drip("tasks", "done", 1, "--by", "Sam")
    late = drip("tasks", "ack", 1, "--by", "Kim")
    assert (late.status, late.out) == (1, "")
    assert "done already" in late.err


def test_notes_are_kept_one_below_the_other_with_who_and_when(drip: Drip) -> None:
    with_a_crisis(drip)
    drip("tasks", "note", 1, "no answer,\nagain at 3", "--by", "Sam")
    drip.now += timedelta(hours=5)
    noted = drip("tasks", "note", 1, "reached her sister", "--by", "Kim", "--json").json
    assert noted["note"].splitlines() == [
        "2026-12-01 10:00 Sam: no answer, again at 3",
        "2026-12-01 15:00 Kim: reached her sister",
    ]
    out = drip("tasks", "show", 1).out
    assert "  Note        2026-12-01 10:00 Sam: no answer, again at 3\n" in out
    assert "              2026-12-01 15:00 Kim: reached her sister\n" in out


def test_what_a_patient_wrote_cannot_command_the_terminal(drip: Drip) -> None:
    drip.enroll()
    task = add_task(drip, "Read a reply")
    add_reply(drip, "hi \x1b[2J\x07\u202e\nTask 9: all is well", task_id=task)
    out = drip("tasks", "show", task).out
    assert '"hi ?[2J?? Task 9: all is well"' in out


@pytest.mark.parametrize(
    ("address", "said"),
    [("+442071838750", "020 7183 8750"), ("+999123456789", "+999123456789"), ("32665", "32665")],
)
def test_a_reply_may_come_from_any_phone_or_from_none(drip: Drip, address: str, said: str) -> None:
    drip.enroll()
    task = add_task(drip, "Read a reply of a number that no patient has")
    add_reply(drip, "who is this?", task_id=task, address=address)
    assert said in drip("tasks").out
    assert f"Call {said}." in drip("tasks", "show", task).out


def test_in_a_terminal_of_80_columns_nothing_is_cut_and_no_line_is_wider(drip: Drip) -> None:
    with_a_crisis(drip)
    words = "can I eat before the visit, and what about coffee? " * 5
    add_reply(drip, words, task_id=1, media=2)
    for command in (("tasks",), ("tasks", "show", 1)):
        status, lines = at_terminal(drip, *command)
        assert status == 0
        assert max(map(len, lines)) <= 80
        assert "may come to harm" in " ".join(" ".join(lines).split())
    assert "and what about coffee?" in " ".join(" ".join(lines).split())


def test_after_a_phone_is_changed_a_crisis_still_names_the_one_that_wrote(drip: Drip) -> None:
    drip.enroll()
    drip.send_for(timedelta(minutes=10))
    app = App.from_environment()
    text = InboundText("twilio", "SM1", ANA, "+12125550190", "I don't want to live")
    hear(app.scope.engine, app.content, text, drip.now)
    drip.close()
    change_phone(drip)
    out = drip("tasks", "show", 1).out
    assert "Phone       wrote from (212) 555-0101, now has (212) 555-0143" in out
    assert "Call (212) 555-0101, which wrote, or (212) 555-0143" in out
    assert "(212) 555-0101, now (212) 555-0143" in drip("tasks").out
    for shown in (drip("tasks", "show", 1, "--json").json, *drip("tasks", "--json").json):
        assert (shown["phone"], shown["wrote_from"]) == ("+12125550143", ANA)
    drip.enroll("email=ben@example.com", name="Ben Ode", ref="B2", days=12)
    assert "Has it now  Ben Ode (enrollment 2)" in drip("tasks", "show", 1).out
    for command in (("tasks",), ("tasks", "show", 1)):
        _, lines = at_terminal(drip, *command)
        assert max(map(len, lines)) <= 80


def change_phone(drip: Drip) -> None:
    """Import the last patient again with another phone."""
    path = drip.folder / "one.csv"
    path.write_text(path.read_text().replace("555 0101", "555 0143"))
    assert drip("import", "csv", path).status == 0
