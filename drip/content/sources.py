"""Where the words and the timing lie: a clinic's own folder over the built-in one."""

import re
from dataclasses import dataclass
from pathlib import Path

from drip.content.problems import nearest, shown
from drip.errors import ContentError

_PLAIN = re.compile(r"\w[\w.-]*")
"""A file or folder in place: nothing that could lead out of the content."""


@dataclass(frozen=True, slots=True)
class ContentDir:
    """Folders that hold `messages/` and `schedules/`; a file in an earlier one hides later ones."""

    roots: tuple[Path, ...]

    def message(self, name: str, language: str) -> Path:
        """The file of a message in a language; ContentError says what there is instead."""
        if found := self._find("messages", name, f"{language}.md"):
            return found
        languages = self.messages().get(name)
        if languages is not None and not _PLAIN.fullmatch(name):
            raise ContentError(
                f'"{name}" cannot name a message: use letters, digits and hyphens for its folder.'
            )
        if languages is None:
            raise ContentError(f'No message "{name}": {nearest(name, self.messages())}.')
        raise ContentError(
            f'Message "{name}" is not there in "{language}": write '
            f"messages/{name}/{language}.md beside {', '.join(sorted(languages))}."
        )

    def messages(self) -> dict[str, dict[str, Path]]:
        """Every message: its name to its files by language."""
        found: dict[str, dict[str, Path]] = {}
        for root in reversed(self.roots):
            for path in sorted(root.glob("messages/*/*.md")):
                if not path.parent.name.startswith("_"):
                    found.setdefault(path.parent.name, {})[path.stem] = path
        return found

    def has_message(self, name: str) -> bool:
        """Whether a message of that name is there, in whatever language."""
        return bool(_PLAIN.fullmatch(name)) and any(
            any((root / "messages" / name).glob("*.md")) for root in self.roots
        )

    def language(self, language: str) -> Path:
        """The file of a language's own words; ContentError names the languages that are there."""
        if found := self._find("messages", "_language", f"{language}.yaml"):
            return found
        raise ContentError(f'No language "{language}": {nearest(language, self.languages())}.')

    def languages(self) -> tuple[str, ...]:
        """The languages that have a file of words."""
        return tuple(sorted({p.stem for p in self._all("messages/_language", "*.yaml")}))

    def schedule(self, name: str) -> Path:
        """The file of a schedule; ContentError names the schedules that are there."""
        if found := self._find("schedules", f"{name}.yaml"):
            return found
        raise ContentError(f'No schedule "{name}": {nearest(name, self.schedules())}.')

    def schedules(self) -> tuple[str, ...]:
        """The names of the schedules that are there."""
        return tuple(sorted({p.stem for p in self._all("schedules", "*.yaml")}))

    def layout(self, file: str) -> Path:
        """A file of the layout that stands round every email."""
        return self._needed("messages", "_layout", file)

    def crisis_lines(self) -> Path:
        """The file of emergency and crisis lines by country."""
        return self._needed("messages", "_crisis_lines.yaml")

    def page_words(self, language: str) -> Path:
        """The file of what patients' pages say in a language; ContentError if there is none."""
        if found := self._find("messages", "_pages", f"{language}.yaml"):
            return found
        there = ", ".join(sorted({p.stem for p in self._all("messages/_pages", "*.yaml")}))
        raise ContentError(
            f'Patients\' pages have no words in "{language}": write '
            f"messages/_pages/{language}.yaml beside {there or 'the messages'}."
        )

    def _all(self, folder: str, pattern: str) -> list[Path]:
        return [path for root in self.roots for path in (root / folder).glob(pattern)]

    def _needed(self, *parts: str) -> Path:
        if found := self._find(*parts):
            return found
        wanted = self.roots[-1].joinpath(*parts)
        raise ContentError(f"{shown(wanted)} is missing: install Drip again or restore the file.")

    def _find(self, *parts: str) -> Path | None:
        if not all(_PLAIN.fullmatch(part) for part in parts):
            return None
        paths = (root.joinpath(*parts) for root in self.roots)
        return next((path for path in paths if path.is_file()), None)


def built_in() -> Path:
    """The folder of the content that comes with Drip, in a checkout or an installed wheel."""
    package = Path(__file__).resolve().parent.parent
    carried = package / "_content"
    return carried if carried.is_dir() else package.parent


def content_dir(overlay: Path | None = None) -> ContentDir:
    """The content to use: the clinic's own folder (`DRIP_CONTENT_DIR`), if any, over the built-in.

    Raises ContentError if the overlay is not a folder.
    """
    if overlay is None:
        return ContentDir((built_in(),))
    if not overlay.is_dir():
        raise ContentError(
            f"{shown(overlay)} is not a folder: make it, or leave DRIP_CONTENT_DIR out."
        )
    return ContentDir((overlay, built_in()))
