"""`drip demo`: where it writes, and where it does not."""

import pytest

from tests.cli.conftest import Drip


@pytest.fixture(autouse=True)
def _one_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's journey: what is looked at is the folder."""
    monkeypatch.setattr("drip.cli.demo.play", lambda *_: [])


def test_an_earlier_demo_is_replaced(empty_drip: Drip) -> None:
    folder = empty_drip.folder / "out"
    folder.mkdir()
    for name in ("index.html", "delivery-1.txt", "delivery-2.eml", "delivery-2.html"):
        (folder / name).touch()
    assert empty_drip("demo", "--out", folder).status == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["thesis.txt", "index.html.bak", "delivery-1.txt/inside"])
def test_a_folder_with_anything_else_in_it_is_left_alone(name: str, empty_drip: Drip) -> None:
    folder = empty_drip.folder / "www"
    path = folder / name
    path.parent.mkdir(parents=True)
    path.write_text("dear")
    (folder / "index.html").write_text("mine")
    done = empty_drip("demo", "--out", folder)
    assert (done.status, done.out) == (2, "")
    assert "holds other things: name another folder" in done.err
    assert (path.read_text(), (folder / "index.html").read_text()) == ("dear", "mine")


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(empty_drip: Drip) -> None:
    (empty_drip.folder / "file").touch()
    for out in ("file", "file/inside"):
        done = empty_drip("demo", "--out", out)
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith(f"drip: {out} cannot be written: ")
        assert len(done.err.splitlines()) == 1
