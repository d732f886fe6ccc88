"""Many bookings from a file: each line taken whole or said why not, and nobody twice."""

import csv
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drip.core.delivery import Status
from drip.errors import InvalidInput, StoreError
from drip.intake.csv_file import CsvFile
from drip.services.bookings import importing
from drip.services.bookings.importing import Imported, import_csv
from drip.store import deliveries
from drip.store.schema import Consent, Enrollment, Patient
from tests.services.desk import NOW, Desk

pytestmark = pytest.mark.both_databases

HEADER = "name,phone,email,session,consent,consent_how,ref"


def _line(number: int, **changed: str) -> str:
    fields = {
        "name": f"Patient {chr(65 + number % 26)}{chr(97 + number // 26 % 26)}",
        "phone": f"+1 {202 + number // 100} 555 {100 + number % 100:04}",
        "email": f"p{number}@example.com",
        "session": "2026-12-15 09:00",
        "consent": "sms+email",
        "consent_how": "paper",
        "ref": f"R{number}",
        **changed,
    }
    return ",".join(fields.values())


def _file(folder: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    path = folder / "patients.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding=encoding)
    return path


def _import(desk: Desk, path: Path, **more: object) -> Imported:
    with closing(CsvFile(path, desk.defaults)) as file:
        rejects = path.with_name("rejects.csv")
        return import_csv(desk.scope, file, rejects, NOW, **more)  # type: ignore[arg-type]


def _rejected(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_what_cannot_be_taken_goes_to_another_file_with_line_and_reason(
    desk: Desk, tmp_path: Path
) -> None:
    path = _file(
        tmp_path,
        _line(1),
        _line(2, phone="12"),
        _line(3, session="2026-11-01 09:00"),
        "too,few",
        _line(4),
    )
    done = _import(desk, path)
    assert done.counts == Counter(enrolled=2, rejected=3)
    header, *lines = _rejected(tmp_path / "rejects.csv")
    assert header == ["line", "reason", *HEADER.split(",")]
    assert [line[0] for line in lines] == ["3", "4", "5"]
    assert ["phone" in lines[0][1], "past" in lines[1][1], "values: 2" in lines[2][1]] == [True] * 3
    assert desk.count_of(Patient) == 2


def test_a_mended_file_of_rejects_can_be_imported(desk: Desk, tmp_path: Path) -> None:
    path = _file(tmp_path, _line(1), _line(2, phone="12"))
    _import(desk, path)
    rejects = tmp_path / "rejects.csv"
    mended = rejects.read_text(encoding="utf-8").replace(",12,", ",+1 212 555 0102,")
    path.write_text(mended, encoding="utf-8")
    assert _import(desk, path).counts == Counter(enrolled=1)
    assert not rejects.exists()
    assert desk.count_of(Enrollment) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_names_keep_their_accents_however_the_file_was_saved(
    desk: Desk, tmp_path: Path, encoding: str
) -> None:
    path = _file(tmp_path, _line(1, name="Zoë Núñez"), encoding=encoding)
    assert _import(desk, path).counts == Counter(enrolled=1)
    assert desk.patient(1).name == "Zoë Núñez"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_file_may_use_semicolons_or_tabs(desk: Desk, tmp_path: Path, delimiter: str) -> None:
    lines = [_line(1).replace(",", delimiter), _line(2).replace(",", delimiter)]
    path = _file(tmp_path, *lines, header=HEADER.replace(",", delimiter))
    assert _import(desk, path).counts == Counter(enrolled=2)


def test_a_line_that_is_there_twice_is_taken_once(desk: Desk, tmp_path: Path) -> None:
    without_ref = _line(3, ref="")
    path = _file(tmp_path, _line(1), _line(2), _line(1), without_ref, without_ref)
    assert _import(desk, path).counts == Counter(enrolled=3, unchanged=2)
    assert (desk.count_of(Patient), desk.count_of(Consent)) == (3, 6)


def test_running_it_again_takes_only_what_is_new(desk: Desk, tmp_path: Path) -> None:
    path = _file(tmp_path, *(_line(number, ref="") for number in range(30)))
    assert _import(desk, path).counts == Counter(enrolled=30)
    again = _file(
        tmp_path,
        *(_line(number, ref="") for number in range(31)),
    )
    assert _import(desk, again).counts == Counter(enrolled=1, unchanged=30)
    assert desk.count_of(Enrollment) == 31


def test_many_lines_are_taken_over_several_commits_and_nobody_twice(
    desk: Desk, tmp_path: Path
) -> None:
    path = _file(tmp_path, *(_line(number) for number in range(1_200)))
    reached: list[int] = []
    done = _import(desk, path, on_progress=lambda shown: reached.append(shown.last_line))
    assert reached == [501, 1_001, 1_201]
    assert done.counts == Counter(enrolled=1_200)
    assert desk.count_of(Enrollment) == desk.count_of(Patient) == 1_200
    assert desk.counts() == Counter({Status.SCHEDULED: 1_200 * 20})


def test_an_import_that_is_interrupted_goes_on_where_it_ended(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "AT_ONCE", 40)
    path = _file(tmp_path, *(_line(number, ref="") for number in range(100)))

    def interrupt(progress: Imported) -> None:
        if progress.last_line > 80:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _import(desk, path, on_progress=interrupt)
    assert desk.count_of(Enrollment) == 80
    assert _import(desk, path).counts == Counter(enrolled=20, unchanged=80)
    assert desk.count_of(Enrollment) == desk.count_of(Patient) == 100
    assert desk.counts() == Counter({Status.SCHEDULED: 100 * 20})


def test_an_import_that_fails_in_the_middle_of_a_commit_leaves_nothing_of_it(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "AT_ONCE", 40)
    path = _file(tmp_path, *(_line(number) for number in range(60)))
    insert, calls = deliveries.insert, []

    def fail_the_second_time(session: Any, rows: Any) -> None:
        calls.append(rows)
        if len(calls) == 2:
            raise StoreError("The disk is full")
        insert(session, rows)

    with monkeypatch.context() as patched:
        patched.setattr("drip.store.deliveries.insert", fail_the_second_time)
        with pytest.raises(StoreError):
            _import(desk, path)
    assert desk.count_of(Patient) == desk.count_of(Enrollment) == 40
    assert _import(desk, path).counts == Counter(enrolled=20, unchanged=40)
    assert desk.counts() == Counter({Status.SCHEDULED: 60 * 20})


def test_rejects_that_cannot_be_written_stop_the_import_before_it_begins(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "rejects.csv").mkdir()
    path = _file(tmp_path, _line(1))
    with pytest.raises(InvalidInput, match="is not a rejects file"):
        _import(desk, path)
    assert desk.count_of(Patient) == 0


@pytest.mark.parametrize("there", ["name,phone\nAnn,1\n", None])
def test_nothing_but_an_earlier_rejects_file_is_taken_away(
    desk: Desk, tmp_path: Path, there: str | None
) -> None:
    path, rejects = _file(tmp_path, _line(1)), tmp_path / "rejects.csv"
    if there is None:
        rejects.symlink_to("/dev/null")
    else:
        rejects.write_text(there)
    with pytest.raises(InvalidInput, match="is not a rejects file"):
        _import(desk, path)
    assert rejects.exists()
    assert path.exists()
