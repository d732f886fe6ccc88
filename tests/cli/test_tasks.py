"""`drip tasks`: what staff must do."""

from tests.cli.conftest import Drip


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
        (("finish", "1"), 2, "finish"),
    ):
        done = drip("tasks", *args)
        assert (done.status, done.out) == (status, ""), args
        assert said in done.err, args
        assert len(done.err.splitlines()) == 1, args
    assert len(drip("tasks", "--json").json) == 1
