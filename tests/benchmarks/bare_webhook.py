"""The bare handler that webhooks are held against: it checks the signature and inserts one row.

`python -m tests.benchmarks.bare_webhook DATABASE PORT` serves it, in the same kind of server.
"""

import sys
import threading
from typing import Annotated, Any
from urllib.parse import parse_qsl

import psycopg
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

PUBLIC = "https://drip.example.com"
TOKEN = "a token for benchmarks"
TABLE = "CREATE TABLE bare (delivery_id bigint, sid text, status text, at timestamptz)"

_INSERT = "INSERT INTO bare VALUES (%s, %s, %s, now())"


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


def create_bare(database: str) -> FastAPI:
    """An application with this one handler, and a connection for each of its threads."""
    served = FastAPI()
    validator = RequestValidator(TOKEN)
    mine = threading.local()

    @served.post("/webhooks/twilio/status/{delivery_id}")
    def status(
        delivery_id: int, request: Request, form: Annotated[dict[str, str], Depends(_form)]
    ) -> Response:
        signature = request.headers.get("x-twilio-signature", "")
        if not validator.validate(PUBLIC + request.url.path, form, signature):
            raise HTTPException(403)
        if not hasattr(mine, "connection"):
            mine.connection = psycopg.connect(database, autocommit=True)
        connection: psycopg.Connection[Any] = mine.connection
        connection.execute(_INSERT, (delivery_id, form["MessageSid"], form["MessageStatus"]))
        return Response(status_code=204)

    return served


if __name__ == "__main__":
    uvicorn.run(
        create_bare(sys.argv[1]), port=int(sys.argv[2]), access_log=False, log_level="warning"
    )
