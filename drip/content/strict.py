"""Checks parsed YAML against a model and says what is wrong in words, with the place."""

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from drip.content.problems import BrokenContent, Problem, nearest
from drip.content.yamlfile import YamlFile


class Strict(BaseModel):
    """A mapping whose keys are all known and whose values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


NAME = r"^[a-z][a-z0-9-]{0,59}$"
WORD = r"^[A-Z0-9]{1,20}$"
COUNTRY = r"^[A-Z]{2}$"
MAILBOX = r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+\.[^\s@<>,;\"]+$"
LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$"
LINE = r"^[^\r\n]*\S[^\r\n]*$"

M = TypeVar("M", bound=Strict)

_PATTERNS = {
    NAME: "use small letters, digits and hyphens, beginning with a letter",
    WORD: "use one word in capitals, like RIDE",
    COUNTRY: "use the two capital letters of the country, like US",
    MAILBOX: "write it like care@river.example.com",
    LANGUAGE: "use the two letters of the language, like en",
    LINE: "write one line of text",
}

_LONGEST_QUOTE = 60

_SAID = {
    "string_type": "this must be text; put it between quotes",
    "int_type": "this must be a whole number",
    "int_from_float": "this must be a whole number",
    "list_type": "this must be a list: [a, b], or one item a line after a dash",
    "dict_type": "this must be a mapping: key: value",
    "model_type": "this must be a mapping: key: value",
    "bool_type": "this must be true or false",
    "greater_than_equal": "this must be {ge} or more",
    "less_than_equal": "this must be {le} or less",
    "string_too_short": "there is nothing here; write it, or leave the key out",
    "string_too_long": "this must have {max_length} characters or less",
    "too_short": "this list needs {min_length} or more",
    "too_long": "this list can have {max_length} or less",
}


def validated(model: type[M], file: YamlFile, at: tuple[str, ...] = ()) -> M:
    """Check the file's data, or the part of it that lies at `at`, against a model.

    Raises BrokenContent with every problem in it.
    """
    data = file.data
    for part in at:
        data = data[part]
    if not isinstance(data, dict):
        what = f"a mapping is expected here, with the keys {', '.join(model.model_fields)}"
        raise BrokenContent([file.problem(at, what)])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = _without_slips(error.errors(include_url=False))
    raise BrokenContent(sorted(_problem(model, file, at, detail) for detail in details))


def _without_slips(details: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Leave out keys that are missing only because they are written wrong beside it."""
    unknown = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]
    for detail in details:
        *above, key = detail["loc"] or ("",)
        beside = [str(loc[-1]) for loc in unknown if list(loc[:-1]) == above]
        if detail["type"] != "missing" or not difflib.get_close_matches(str(key), beside, 1):
            yield detail


def _problem(
    model: type[BaseModel], file: YamlFile, at: tuple[str, ...], detail: ErrorDetails
) -> Problem:
    kind, given = detail["type"], detail["input"]
    is_key = detail["loc"][-1:] == ("[key]",)
    inside = detail["loc"][:-1] if is_key else detail["loc"]
    loc = (*at, *inside)
    if kind == "extra_forbidden":
        what = f'unknown key "{loc[-1]}"; {nearest(str(loc[-1]), _keys(model, inside[:-1]))}'
        return file.problem(loc, what, key=True)
    if kind == "missing":
        return file.problem(loc, f'"{loc[-1]}" is missing here; add it')
    if given is None:
        return file.problem(loc, f'"{loc[-1]}" is left blank; write it after the colon', key=True)
    if kind == "literal_error":
        allowed = re.findall("'([^']*)'", detail["ctx"]["expected"])
        what = f"{_quoted(given)} is not allowed here; {nearest(str(given), allowed)}"
        return file.problem(loc, what, key=is_key)
    if kind == "string_pattern_mismatch":
        what = f"{_quoted(given)} does not look right here; {_pattern_said(detail)}"
        return file.problem(loc, what)
    what = detail["msg"].removeprefix("Value error, ")
    said = _SAID.get(kind, what).format(**detail.get("ctx", {}))
    return file.problem(loc, said, key=is_key)


def _quoted(given: object) -> str:
    """A value as a complaint repeats it: on one line, and shortened if it is long."""
    words = " ".join(str(given).split())
    return f'"{words}"' if len(words) <= _LONGEST_QUOTE else f'"{words[:_LONGEST_QUOTE]}..."'


def _pattern_said(detail: ErrorDetails) -> str:
    pattern = detail["ctx"]["pattern"]
    return _PATTERNS.get(pattern, f"it must match {pattern}")


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> Iterable[str]:
    """The keys that may stand in the mapping to which the way leads."""
    annotation: Any = model
    for part in loc:
        annotation = _plain(annotation)
        is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        annotation = (
            annotation.model_fields[str(part)].annotation if is_model else get_args(annotation)[-1]
        )
    keys: dict[str, Any] = _plain(annotation).model_fields
    return keys


def _plain(annotation: Any) -> Any:
    """`X | None` as X."""
    args = get_args(annotation)
    rest = [arg for arg in args if arg is not type(None)]
    return rest[0] if len(rest) == 1 and len(rest) < len(args) else annotation
