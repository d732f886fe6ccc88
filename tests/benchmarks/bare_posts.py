"""The bare loop: posts the same text again and again with the HTTP client that Drip uses.

`python -m tests.benchmarks.bare_posts URL COUNT FIRST`: nothing is decided, rendered or kept.
"""

import asyncio
import sys
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import urlencode

from drip.providers.connections import Connections

IN_FLIGHT = 64

TARGET = f"/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"
HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Authorization": "Basic " + b64encode(f"AC{'0' * 32}:token".encode()).decode(),
}
BODY = (
    "River Clinic: Hi Pat, your visit is on Thu Nov 26 at 9:15 AM. Please arrange a ride home now:"
    " you cannot drive yourself that day. Questions? Call +1 212 555 0100."
)


def form(n: int) -> bytes:
    """The text with this number, as Twilio is told it."""
    return urlencode(
        {
            "To": f"+1{200 + n // 100:03}55501{n % 100:02}",
            "MessagingServiceSid": "MG" + "0" * 32,
            "Body": BODY,
            "ValidityPeriod": 36000,
            "StatusCallback": f"https://drip.example.com/webhooks/twilio/status/{n}",
        }
    ).encode()


async def post_all(url: str, numbers: Iterator[int]) -> None:
    """Post them, with so many in flight at a time."""
    connections = Connections(url, limit=IN_FLIGHT)

    async def post_what_is_left() -> None:
        for n in numbers:
            answer = await connections.post(TARGET, form(n), HEADERS)
            assert answer.status == 201

    async with asyncio.TaskGroup() as tasks:
        for _ in range(IN_FLIGHT):
            tasks.create_task(post_what_is_left())
    connections.close()


if __name__ == "__main__":
    given, count, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    asyncio.run(post_all(given, iter(range(first, first + count))))
