"""Message files: front matter in YAML, then the body of the email in Markdown with Jinja2."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import field_validator, model_validator

from drip.content.problems import BrokenContent, Problem, Severity, shown
from drip.content.sources import ContentDir
from drip.content.strict import Strict, validated
from drip.content.yamlfile import YamlFile, parse_yaml, read_text
from drip.core.schedule import NOTICES

_FENCE = "---"


class FrontMatter(Strict):
    """What stands above the body of a message.

    `sms` is the discreet text and `sms_plain` the one for patients who chose plain wording.
    `title` and `in_short` make the section that a short-notice welcome carries. `calendar` says
    that the email carries the visit as a calendar file, or takes it back.
    """

    subject: str
    sources: list[str]
    sms: str
    sms_plain: str | None = None
    title: str | None = None
    in_short: str | None = None
    calendar: Literal["request", "cancel"] | None = None

    @field_validator("subject", "sms", "sms_plain", "title")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        if value is not None and (not value.strip() or "\n" in value.strip()):
            raise ValueError("this must be one line of text")
        return value

    @model_validator(mode="after")
    def _section_has_heading(self) -> "FrontMatter":
        if self.in_short is not None and self.title is None:
            raise ValueError("in_short is a section with a heading; add title")
        return self


@dataclass(frozen=True, slots=True)
class Message:
    """The content of a step in one language. The body begins on line `body_line` of the file."""

    name: str
    language: str
    front: FrontMatter
    body: str
    body_line: int
    file: YamlFile

    def problem(
        self, field: str, line: int, column: int, what: str, severity: Severity = Severity.ERROR
    ) -> Problem:
        """A problem at a line and column (from 1) of a field's text; "body" is a field too."""
        if field == "body":
            path = shown(self.file.path)
            return Problem(path, self.body_line + line - 1, column, what, severity)
        place = self.file.problem((field,), what, offset=column - 1, severity=severity)
        if line == 1:
            return place
        # A block scalar (`|`): its first line stands below the key.
        return Problem(place.path, place.line + line, column + 2, what, severity)

    def text_of(self, field: str) -> str | None:
        """The template in a field of the front matter, or the body; None where there is none."""
        text: str | None = self.body if field == "body" else getattr(self.front, field)
        return text


def load_message(content: ContentDir, name: str, language: str) -> Message:
    """Read a message in a language. Raises ContentError where it is missing or broken."""
    return read_message(content.message(name, language), name, language)


def read_message(path: Path, name: str, language: str) -> Message:
    """Read a message from a file. Raises BrokenContent with every problem of its front matter."""
    text = read_text(path)
    lines = text.split("\n")
    end = _end_of_front(lines)
    if end is None:
        what = 'a message begins with its front matter between two lines of "---"'
        raise BrokenContent([Problem(shown(path), 1, 1, what)])
    file = parse_yaml("\n".join(lines[1:end]) + "\n", path, first_line=2)
    front = validated(FrontMatter, file)
    first = next((i for i in range(end + 1, len(lines)) if lines[i].strip()), None)
    if first is None:
        what = "there is no email below the front matter; write it there"
        raise BrokenContent([Problem(shown(path), end + 1, 1, what)])
    if not front.sources and name not in NOTICES:
        what = "sources is empty; name the headings of the article that this message draws on"
        raise BrokenContent([file.problem(("sources",), what)])
    return Message(name, language, front, "\n".join(lines[first:]), first + 1, file)


def _end_of_front(lines: list[str]) -> int | None:
    if lines[0].rstrip() != _FENCE:
        return None
    return next((i for i in range(1, len(lines)) if lines[i].rstrip() == _FENCE), None)
