"""What staff ask: which enrollments there are, what one patient got, how all is going."""

from drip.errors import InvalidInput, NotFound
from drip.services.scope import Scope
from drip.store import enrollments
from drip.store.engine import reading


def find_enrollment(scope: Scope, id_: int | None, ref: str | None) -> int:
    """The enrollment of this id, or else of the clinic's own id for it (`ref`).

    Raises NotFound, and InvalidInput where several sources use the same `ref`.
    """
    with reading(scope.engine) as session:
        if id_ is not None:
            enrollment = enrollments.get(session, id_)
            if enrollment is None or enrollment.clinic_id != scope.clinic_id:
                raise NotFound(f"There is no enrollment {id_}: `drip list` shows them.")
            return enrollment.id
        found = enrollments.of_reference(session, scope.clinic_id, (ref or "").strip())
    if not found:
        raise NotFound(f"No enrollment has the ref {ref!r}: `drip list --search` finds patients.")
    if len(found) > 1:
        which = ", ".join(f"{each.id} ({each.source})" for each in found)
        raise InvalidInput(f"The ref {ref!r} is that of several enrollments: {which}. Give the ID.")
    return found[0].id
