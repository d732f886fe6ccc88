"""Whether the service lives, whether it can work, and what it counts."""

from fastapi import APIRouter, Response, status

from drip.errors import StoreError
from drip.services import metrics
from drip.store.migrate import is_current
from drip.web.desk import Desk

_METRICS = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "It cannot work."}})
def ready(desk: Desk, response: Response) -> dict[str, str]:
    """The database answers and is of this version; 503 where it is not."""
    try:
        current = is_current(desk.engine)
    except StoreError:
        current = False
    if current:
        return {"status": "ok"}
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return {"status": "the database is away or of another version"}


@router.get("/metrics", include_in_schema=False)
def counted() -> Response:
    """What this process counted, for Prometheus; nothing of patients, and no names."""
    return Response(metrics.page(), media_type=_METRICS)
