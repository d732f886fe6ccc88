"""`drip import csv`: many patients from a file."""

import csv
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from drip.clock import system_clock
from tests.cli.conftest import Drip

HEADER = "name,phone,email,session,ref,consent,consent_how"
GOOD = "Ana Lopez,+1 212 555 0101,ana@example.com,2026-12-10T09:00,A1,sms email,paper"
NO_ADDRESS = "Ben Ode,,,2026-12-10T09:00,B2,,"
NO_CONSENT = "Cy Noh,+1 212 555 0103,,2026-12-10T09:00,C3,,"


def write(drip: Drip, *lines: str, name: str = "patients.csv") -> Path:
    path = drip.folder / name
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return path


def many(count: int, session: str) -> list[str]:
    return [
        f"Ana Lopez {chr(97 + n % 26)}{n},,ana{n}@example.com,{session},R{n},email,web"
        for n in range(count)
    ]


def test_lines_that_cannot_be_taken_go_to_a_file_and_the_others_are_enrolled(drip: Drip) -> None:
    done = drip("import", "csv", write(drip, GOOD, NO_ADDRESS, NO_CONSENT))
    assert done.status == 0
    assert done.out.splitlines() == [
        "Imported: 2 enrolled, 1 rejected.",
        "1 patient must be called, since messages cannot tell them all: `drip tasks`.",
    ]
    assert "1 line could not be taken: see" in done.err
    with (drip.folder / "patients.rejects.csv").open(newline="") as file:
        (reject,) = csv.DictReader(file)
    assert (reject["line"], reject["name"], reject["ref"]) == ("3", "Ben Ode", "B2")
    assert "neither a phone nor an email" in reject["reason"]
    assert len(drip("tasks", "--json").json) == 1


def test_a_file_of_which_no_line_can_be_taken_ends_with_status_1(drip: Drip) -> None:
    path = write(drip, NO_ADDRESS, NO_ADDRESS)
    done = drip("import", "csv", path)
    assert (done.status, done.out) == (1, "Imported: 2 rejected.\n")
    assert "2 lines could not be taken: see" in done.err
    assert len((drip.folder / "patients.rejects.csv").read_text().splitlines()) == 3
    again = drip("import", "csv", path, "--json")
    assert (again.status, again.json["rejected"]) == (1, 2)


def test_a_line_that_was_taken_before_is_taken(drip: Drip) -> None:
    drip("import", "csv", write(drip, GOOD))
    assert drip("import", "csv", write(drip, GOOD, NO_ADDRESS)).status == 0


def test_a_mended_file_of_rejects_can_be_imported_as_it_is(drip: Drip) -> None:
    drip("import", "csv", write(drip, GOOD, NO_ADDRESS))
    rejects = drip.folder / "patients.rejects.csv"
    rejects.write_text(rejects.read_text().replace("Ben Ode,,", "Ben Ode,+12125550102,"))
    done = drip("import", "csv", rejects)
    assert done.out.startswith("Imported: 1 enrolled.")
    assert not (drip.folder / "patients.rejects.rejects.csv").exists()


def test_the_same_file_again_changes_nothing(drip: Drip) -> None:
    path = write(drip, GOOD)
    drip("import", "csv", path)
    assert drip("import", "csv", path).out == "Imported: 1 unchanged.\n"


def test_a_file_whose_lines_are_all_taken_leaves_no_rejects_of_an_earlier_try(drip: Drip) -> None:
    drip("import", "csv", write(drip, NO_ADDRESS))
    drip("import", "csv", write(drip, GOOD))
    assert not (drip.folder / "patients.rejects.csv").exists()


def test_the_source_the_taker_and_the_rejects_can_be_named(drip: Drip) -> None:
    rejects = drip.folder / "wrong.csv"
    path = write(drip, GOOD, NO_ADDRESS)
    drip("import", "csv", path, "--source", "ehr", "--by", "Kim", "--rejects", rejects)
    shown = drip("show", 1, "--json").json
    assert shown["enrollment"]["source"] == "ehr"
    assert shown["patient"]["channels"]["sms"]["consent"]["by"] == "Kim"
    assert rejects.exists()


def test_json_has_the_counts(drip: Drip) -> None:
    done = drip("import", "csv", write(drip, GOOD, NO_ADDRESS, NO_CONSENT), "--json")
    assert done.json == {
        "last_line": 4,
        "enrolled": 2,
        "changed": 0,
        "unchanged": 0,
        "rejected": 1,
        "to_call": 1,
        "rejects": str(drip.folder / "patients.rejects.csv"),
    }


def test_a_file_without_patients_says_so(drip: Drip) -> None:
    assert drip("import", "csv", write(drip)).out == "Imported: no patients.\n"


def test_progress_is_said_after_every_commit(drip: Drip) -> None:
    done = drip("import", "csv", write(drip, *many(1100, "2026-12-10T09:00")))
    assert done.err.splitlines() == [
        "501 of 1101 lines, 500 enrolled",
        "1001 of 1101 lines, 1000 enrolled",
        "1101 of 1101 lines, 1100 enrolled",
    ]


def test_a_file_that_cannot_be_taken_is_an_error_of_one_line(drip: Drip) -> None:
    binary = drip.folder / "patients.xlsx"
    binary.write_bytes(b"PK\0\0" + bytes(100))
    unknown = drip.folder / "unknown.csv"
    unknown.write_text("name,fone,session\nAna,1,2\n")
    path = write(drip, GOOD)
    for args, said in (
        (("nowhere.csv",), "no file 'nowhere.csv'"),
        ((drip.folder,), "cannot be read"),
        ((binary,), "not a text file"),
        ((unknown,), "Did you mean phone?"),
        ((path, "--rejects", path), "names"),
        ((path, "--rejects", drip.folder), "is not a rejects file"),
        ((), "FILE"),
    ):
        done = drip("import", "csv", *args)
        assert (done.status, done.out) == (2, ""), args
        assert said in done.err, args
        assert len(done.err.splitlines()) == 1, args
    assert path.read_text().endswith(GOOD + "\n")
    assert drip("list", "--json").json["enrollments"] == []


def test_a_schedule_that_is_not_there_is_said_before_anything_is_done(drip: Drip) -> None:
    done = drip("import", "csv", write(drip, GOOD), "--schedule", "ketamine-fist-session")
    assert (done.status, done.out) == (1, "")
    assert 'did you mean "ketamine-first-session"?' in done.err


def far_ahead() -> str:
    """A session to come, by the real clock."""
    return f"{system_clock() + timedelta(days=30):%Y-%m-%d}T09:00"


def command(path: Path) -> list[str]:
    return [sys.executable, "-m", "drip", "import", "csv", str(path)]


def environment(root: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(root), "TERM": "xterm", "COLUMNS": "80"}


def test_an_import_that_is_stopped_says_how_far_it_came_and_goes_on_when_run_again(
    drip: Drip, pytestconfig: pytest.Config
) -> None:
    path = write(drip, *many(4000, far_ahead()))
    environ = environment(pytestconfig.rootpath)
    with subprocess.Popen(
        command(path), env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith("501 of 4001")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert out == ""
    said = err.splitlines()[-1]
    assert said.startswith("drip: Stopped after line ")
    assert said.endswith("run the same command again to go on.")
    done_to = int(said.split("line ")[1].split(":")[0])

    again = subprocess.run(command(path), env=environ, capture_output=True, text=True, check=True)
    counts = dict(part.split(" ")[::-1] for part in again.stdout[10:-2].split(", "))
    assert int(counts["unchanged"]) >= done_to - 1
    assert int(counts["unchanged"]) + int(counts["enrolled"]) == 4000


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_a_progress_bar_is_shown_where_somebody_looks(
    drip: Drip, pytestconfig: pytest.Config
) -> None:
    import pty

    path = write(drip, *many(3, far_ahead()))
    ours, theirs = pty.openpty()
    done = subprocess.run(
        command(path),
        env=environment(pytestconfig.rootpath),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        check=True,
    )
    os.close(theirs)
    shown = b""
    with open(ours, "rb", buffering=0) as screen:  # noqa: PTH123 - a descriptor
        while True:
            try:
                read = screen.read(4096)
            except OSError:
                break
            if not read:
                break
            shown += read
    assert "4 of 4 lines" in shown.decode()
    assert done.stdout == "Imported: 3 enrolled.\n"


def test_a_broken_schedule_is_said_once_and_not_in_every_line(drip: Drip) -> None:
    own = drip.folder / "content" / "schedules"
    own.mkdir(parents=True)
    (own / "ours.yaml").write_text("schedule: ours\nsteps: []\n")
    drip.set(DRIP_CONTENT_DIR="content")
    done = drip("import", "csv", write(drip, GOOD), "--schedule", "ours")
    assert (done.status, done.out) == (1, "")
    assert "content/schedules/ours.yaml:" in done.err
    assert not (drip.folder / "patients.rejects.csv").exists()
