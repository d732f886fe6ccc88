"""Content that tests write, over the built-in one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from drip.content.clinic_file import SAMPLE, sample_clinic
from drip.content.render import Renderer
from drip.content.sources import ContentDir, built_in, content_dir
from drip.content.values import Facts
from drip.core.clinic import Clinic

Write = Callable[[str, str], Path]

FRONT = """\
subject: About your visit
sources:
  - What is Ketamine?
sms: "River Clinic: see you soon."
"""


@pytest.fixture
def content() -> ContentDir:
    """The built-in content."""
    return content_dir()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file of a clinic's own content; problems name it relative to the folder."""
    monkeypatch.chdir(tmp_path)

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def own(tmp_path: Path, write: Write) -> ContentDir:
    """The clinic's own folder over the built-in content."""
    return ContentDir((tmp_path, built_in()))


@pytest.fixture
def change(own: ContentDir, write: Write) -> Callable[..., Path]:
    """Take a built-in file into the clinic's own folder with some words replaced."""

    def change_file(name: str, *replacements: tuple[str, str]) -> Path:
        source = SAMPLE if name == "clinic.yaml" else built_in() / name
        text = source.read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text, f"{old!r} is not in {name}"
            text = text.replace(old, new, 1)
        return write(name, text)

    return change_file


@pytest.fixture
def place_of(tmp_path: Path) -> Callable[[str, str], str]:
    """Where some words first stand in a file of the clinic's own folder: "line:column"."""

    def find(name: str, words: str) -> str:
        before = (tmp_path / name).read_text(encoding="utf-8").partition(words)[0]
        return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"

    return find


@pytest.fixture
def clinic() -> Clinic:
    """River Clinic in New York."""
    return sample_clinic()


@pytest.fixture
def facts(clinic: Clinic) -> Facts:
    """Ana, whose session is on Thursday, December 10 at 9:00 AM, three days before it."""
    session_at = datetime(2026, 12, 10, 14, tzinfo=UTC)
    return Facts(
        first_name="Ana",
        language="en",
        zone=ZoneInfo("America/New_York"),
        clinic=clinic,
        session_at=session_at,
        now=session_at - timedelta(days=3),
        enrollment="7",
    )


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    """A renderer of the built-in content, the same for all tests: it only reads."""
    return Renderer(content_dir())


@pytest.fixture
def message(own: ContentDir, write: Write) -> Callable[..., Renderer]:
    """Write one message called "note" and give a renderer that knows it."""

    def write_message(body: str = "Hello.\n", front: str = FRONT, **fields: str) -> Renderer:
        for name, value in fields.items():
            lines = [line for line in front.splitlines() if not line.startswith(f"{name}:")]
            front = "\n".join([*lines, f"{name}: '{value}'"]) + "\n"
        write("messages/note/en.md", f"---\n{front}---\n{body}")
        return Renderer(own)

    return write_message
