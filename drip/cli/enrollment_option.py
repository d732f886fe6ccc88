"""How a command is told which enrollment it is about: its ID, or the clinic's own `--ref`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from drip.errors import InvalidInput

if TYPE_CHECKING:
    from drip.services.scope import Scope

F = TypeVar("F", bound=Callable[..., Any])

_LARGEST = 2**63 - 1


class RowId(click.ParamType[int]):
    """The number of a row: a whole number from 1. `otherwise` is the way out if it is not one."""

    name = "id"

    def __init__(self, what: str, otherwise: str) -> None:
        self._what = what
        self._otherwise = otherwise

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        text = str(value)
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= _LARGEST):
            self.fail(f"{text!r} is not the number of {self._what}: {self._otherwise}", param, ctx)
        return int(text)


def names_enrollment(command: F) -> F:
    """Let a command take `[ID]` and `--ref`, as the arguments `id_` and `ref`.

    `enrollment_id` makes of the two the enrollment that is meant.
    """
    kind = RowId("an enrollment", "`drip list` shows them; the clinic's own id goes with --ref")
    with_ref = click.option("--ref", metavar="REF", help="The clinic's own id, in place of ID.")
    return click.argument("id_", metavar="[ID]", type=kind, required=False)(with_ref(command))


def enrollment_id(scope: "Scope", id_: int | None, ref: str | None) -> int:
    """The enrollment that was named. Raises NotFound, and InvalidInput where it is not clear."""
    if id_ is not None and ref is not None:
        raise InvalidInput("Name the enrollment by its ID or with --ref, not both.")
    if id_ is None and ref is None:
        raise InvalidInput("Which enrollment? Give its ID (`drip list` shows it) or --ref.")
    # Previews take an ID too, and are to start without the database's library.
    from drip.services.staff.looking import find_enrollment

    return find_enrollment(scope, id_, ref)
