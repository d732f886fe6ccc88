"""CSV files as clinics have them: encodings, delimiters, broken quotes, wrong columns."""

import os
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from drip.errors import InvalidInput
from drip.intake.booking import Defaults
from drip.intake.csv_file import CsvFile, Line

HEADER = "name,email,session"
ANA = "Ana Diaz,ana@example.com,2026-12-10T09:00"
BEN = "Ben Ode,ben@example.com,2026-12-11T09:00"
CY = "Cy Noh,cy@example.com,2026-12-12T09:00"


def read(path: Path, defaults: Defaults) -> list[Line]:
    with closing(CsvFile(path, defaults)) as file:
        return list(file)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "patients.csv"


def names(lines: list[Line]) -> list[str | None]:
    return [line.booking.name if line.booking else None for line in lines]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_is_read_as_excel_wrote_it(
    encoding: str, delimiter: str, end: str, path: Path, defaults: Defaults
) -> None:
    text = end.join((HEADER, ANA.replace("Ana", "José"), "", BEN)).replace(",", delimiter)
    path.write_bytes(text.encode(encoding))
    lines = read(path, defaults)
    assert names(lines) == ["José Diaz", "Ben Ode"]
    assert [line.number for line in lines] == [2, 4]


@pytest.mark.parametrize(
    "data",
    [b"PK\0\0" + bytes(40), b"\x89PNG\r\n\x1a\n\0", b"name\x81", b"\xff\xfen\0a"],
    ids=["xlsx", "png", "no encoding", "half of UTF-16"],
)
def test_what_is_no_text_is_refused(data: bytes, path: Path, defaults: Defaults) -> None:
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=r"save it as CSV \(UTF-8\)"):
        read(path, defaults)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "there is nothing here"),
        ("\n", "there is nothing here"),
        (",,", "there is nothing here"),
        ("name,fone,session", "Did you mean phone?"),
        ("name,email,session,colour", "leave out the rest"),
        ("name,email,Email,session", "email is there twice"),
        ("name", "a column is missing: session, phone or email"),
        ('name,"email,session', "A quote is opened and not closed"),
    ],
)
def test_columns_that_are_not_understood_are_told(
    header: str, said: str, path: Path, defaults: Defaults
) -> None:
    path.write_text(header)
    with pytest.raises(InvalidInput) as refused:
        read(path, defaults)
    assert f"{path}:1: " in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "spoiled",
    ['"Ben Ode,ben@example.com,2026-12-11T09:00', '"Ben"x,ben@example.com,2026-12-11T09:00'],
)
def test_a_broken_quote_spoils_its_own_line_and_not_those_below(
    spoiled: str, path: Path, defaults: Defaults
) -> None:
    path.write_text("\n".join((HEADER, ANA, spoiled, *[CY] * 30)))
    lines = read(path, defaults)
    assert names(lines) == ["Ana Diaz", None, *["Cy Noh"] * 30]
    assert [line.number for line in lines] == list(range(2, 34))
    assert "not valid CSV" in str(lines[1].error)
    assert lines[1].raw == tuple(spoiled.split(","))


def test_a_value_may_have_a_line_break_in_quotes(path: Path, defaults: Defaults) -> None:
    path.write_text(f'{HEADER}\n"Ana Diaz\n",ana@example.com,2026-12-10T09:00\n{BEN}\n')
    lines = read(path, defaults)
    assert names(lines) == ["Ana Diaz", "Ben Ode"]
    assert [line.number for line in lines] == [3, 4]


def test_a_line_with_too_many_or_too_few_values_is_told(path: Path, defaults: Defaults) -> None:
    path.write_text(f"{HEADER}\n{ANA},extra\nBen\n")
    assert [line.error for line in read(path, defaults)] == [
        "The line does not fit: 3 columns, but its values: 4.",
        "The line does not fit: 3 columns, but its values: 1.",
    ]


def test_a_value_that_is_far_too_long_spoils_its_line_alone(path: Path, defaults: Defaults) -> None:
    path.write_text(f"{HEADER}\n{'x' * 200_000},a@example.com,2026-12-10T09:00\n{BEN}\n")
    assert names(read(path, defaults)) == [None, "Ben Ode"]


def test_what_is_not_a_file_is_refused_and_never_waited_for(
    tmp_path: Path, defaults: Defaults
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, said in ((pipe, "not a file"), (tmp_path, "not a file"), (tmp_path / "x", "no file")):
        with pytest.raises(InvalidInput, match=said):
            read(path, defaults)


def test_memory_does_not_grow_with_the_file(path: Path, defaults: Defaults) -> None:
    path.write_text("\n".join((HEADER, *[ANA] * 5_000)))
    with closing(CsvFile(path, defaults)) as file:
        lines = iter(file)
        next(lines)
        tracemalloc.start()
        count = sum(1 for _ in lines)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 4_999
    assert most < 500_000
