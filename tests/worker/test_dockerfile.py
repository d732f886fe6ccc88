"""The Dockerfile can be read, is safe, and its commands work. No image is built here: that would
need an engine.

`make test` leaves out what is marked `packaging`, since it installs everything anew; `.ci/run`
runs it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
KNOWN = {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "ENTRYPOINT", "CMD"}


@dataclass
class Stage:
    """One FROM and what follows it, as pairs of an instruction and its value."""

    image: str
    name: str | None
    steps: list[tuple[str, str]] = field(default_factory=list)

    def values(self, instruction: str) -> list[str]:
        """What the stage says with one instruction, in order."""
        return [value for each, value in self.steps if each == instruction]


def read_stages() -> list[Stage]:
    """The stages of the Dockerfile, without its comments."""
    with (ROOT / "Dockerfile").open("rb") as file:
        structure = DockerfileParser(fileobj=file).structure
    stages: list[Stage] = []
    for step in structure:
        instruction, value = step["instruction"], step["value"]
        if instruction == "FROM":
            found = re.fullmatch(r"(\S+)(?: AS (\S+))?", value)
            assert found is not None, value
            stages.append(Stage(found[1], found[2]))
        elif instruction != "COMMENT":
            stages[-1].steps.append((instruction, value))
    return stages


BUILD, IMAGE = read_stages()


def copies(stage: Stage) -> list[tuple[list[str], str]]:
    """What a stage copies out of the repository: the sources, and where to."""
    plain = [value.split() for value in stage.values("COPY") if not value.startswith("--from")]
    return [(words[:-1], words[-1]) for words in plain]


def environment(stage: Stage) -> list[tuple[str, str]]:
    """The variables that a stage sets, in order."""
    return [
        (name, value)
        for line in stage.values("ENV")
        for name, _, value in (word.partition("=") for word in line.split())
    ]


# --- what it says --------------------------------------------------------------------------------


def test_it_has_no_instruction_but_those_that_are_looked_at_here() -> None:
    for stage in (BUILD, IMAGE):
        assert {instruction for instruction, _ in stage.steps} <= KNOWN


def test_both_stages_begin_with_one_python_that_has_a_version_and_that_the_package_allows() -> None:
    assert BUILD.image == IMAGE.image
    found = re.fullmatch(r"python:3\.(\d+)-slim-[a-z]+", BUILD.image)
    assert found is not None
    assert int(found[1]) >= 11


def test_it_runs_as_a_user_of_its_own_that_may_write_in_the_outbox() -> None:
    (user,) = IMAGE.values("USER")
    (made,) = IMAGE.values("RUN")
    assert user != "root"
    assert re.search(rf"useradd .*--uid \d{{5}} .*{user}", made)
    assert re.search(rf"--owner {user} .*/clinic/outbox", made)
    last = [instruction for instruction, _ in IMAGE.steps][-3:]
    assert last == ["USER", "ENTRYPOINT", "CMD"], "nothing is done as root after USER"


def test_it_starts_drip_itself_so_that_signals_reach_it() -> None:
    (entry,), (command,) = IMAGE.values("ENTRYPOINT"), IMAGE.values("CMD")
    assert json.loads(entry) == ["drip"]
    assert json.loads(command) == ["run"]


def test_it_carries_no_secret() -> None:
    names = [name for stage in (BUILD, IMAGE) for name, _ in environment(stage)]
    assert names
    assert not [name for name in names if re.search("PASSWORD|SECRET|TOKEN|KEY|DRIP_", name)]
    for sources, _ in copies(BUILD):
        assert not [source for source in sources if source.startswith((".", "/"))]


def test_what_it_copies_is_there_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*", "nothing comes along that is not named"
    sources = [source for sources, _ in copies(BUILD) for source in sources]
    assert {f"!{source}" for source in sources} == {line for line in ignored if line[0] == "!"}
    for source in sources:
        assert (ROOT / source).exists(), source
    assert copies(IMAGE) == []
    assert IMAGE.values("COPY") == [f"--from={BUILD.name} /opt/drip /opt/drip"]


def test_everything_that_is_installed_is_pinned_by_its_hash() -> None:
    installed = [line for line in BUILD.values("RUN") if "pip install" in line]
    assert installed == [
        "pip install --require-hashes -r requirements.lock",
        "pip install --no-deps .",
    ]


# --- what its commands do ------------------------------------------------------------------------


class Container:
    """A folder that stands for the root of a container's file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.at = root
        (root / "bin").mkdir()
        (root / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        # How to reach the package index on this machine; nothing else of it comes along.
        self.variables = {n: v for n, v in os.environ.items() if n.startswith(("PIP_", "SSL_"))}
        self.variables |= {"PATH": f"{root}/bin:/usr/bin:/bin", "HOME": str(root)}

    def follow(self, stage: Stage) -> None:
        """Do what a stage says; what it does as root to the system is left out."""
        for instruction, value in stage.steps:
            if instruction == "ENV":
                for name, text in (word.split("=", 1) for word in value.split()):
                    path = text.replace("$PATH", self.variables["PATH"])
                    self.variables[name] = self.moved(path) if name == "PATH" else text
            elif instruction == "WORKDIR":
                self.at = self.root / value.lstrip("/")
                self.at.mkdir(parents=True, exist_ok=True)
            elif instruction == "COPY" and not value.startswith("--from"):
                self.copy(*value.split())
            elif instruction == "RUN" and "useradd" not in value:
                done = self.run(["/bin/sh", "-c", self.moved(value)])
                assert done.returncode == 0, f"{value}: {done.stdout}{done.stderr}"

    def moved(self, text: str) -> str:
        """Absolute folders of the image, moved into this one."""
        return text.replace("/opt/drip", f"{self.root}/opt/drip")

    def copy(self, *words: str) -> None:
        """Copy what Docker would, without what .dockerignore names."""
        *sources, to = words
        patterns = (ROOT / ".dockerignore").read_text().split()
        unwanted = [line.removeprefix("**/") for line in patterns if line.startswith("**/")]
        for source in sources:
            if (ROOT / source).is_dir():
                ignore = shutil.ignore_patterns(*unwanted)
                shutil.copytree(ROOT / source, self.at / to, ignore=ignore)
            else:
                assert not any(fnmatch(source, pattern) for pattern in unwanted)
                shutil.copy(ROOT / source, self.at / to)

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in the environment that was set so far, and in no other."""
        return subprocess.run(
            words, cwd=self.at, env=self.variables, capture_output=True, text=True, timeout=600
        )


@pytest.mark.slow
@pytest.mark.packaging
def test_its_commands_make_a_drip_that_works_without_the_repository(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.follow(BUILD)
    shutil.rmtree(tmp_path / "src")
    container.follow(IMAGE)
    assert container.at == tmp_path / "clinic"
    (program,) = json.loads(IMAGE.values("ENTRYPOINT")[0])
    found = shutil.which(program, path=container.variables["PATH"])
    assert found == f"{tmp_path}/opt/drip/bin/drip"
    for words in (["--version"], ["check"], ["init", "--database-only"], ["worker", "--help"]):
        done = container.run([found, *words])
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    (start,) = json.loads(IMAGE.values("CMD")[0])
    refused = container.run([found, start])
    assert refused.returncode == 1
    assert "no clinic.yaml here" in refused.stderr
