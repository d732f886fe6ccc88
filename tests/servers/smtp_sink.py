"""Takes mails over SMTP as fast as one core can: for figures, not for behaviour.

A process of its own: `python -m tests.servers.smtp_sink` prints two addresses, one for mails and
one (HTTP) to ask it: `GET /_count` gives {"count", "distinct"} by Message-ID, `POST /_reset` makes
it forget.
"""

import argparse
import asyncio
import gc
import json
import re

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_MAIL_END = b"\r\n.\r\n"
_OK = b"250 OK\r\n"


class Mails:
    """The heads of the mails that came."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    def count(self) -> dict[str, int]:
        ids = {found[1] for head in self.heads if (found := _MESSAGE_ID.search(head))}
        return {"count": len(self.heads), "distinct": len(ids)}


class MailConnection(asyncio.Protocol):
    """One client: EHLO, MAIL, RCPT, DATA, RSET, NOOP, QUIT, one after the other."""

    def __init__(self, mails: Mails) -> None:
        self._mails = mails
        self._held = bytearray()
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink.example.com ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._held += data
        while not self._transport.is_closing():
            mark = _MAIL_END if self._in_mail else b"\r\n"
            end = self._held.find(mark)
            if end < 0:
                return
            piece = bytes(self._held[:end])
            del self._held[: end + len(mark)]
            self._take_mail(piece) if self._in_mail else self._obey(piece[:4].upper())

    def _take_mail(self, mail: bytes) -> None:
        self._mails.heads.append(mail.partition(b"\r\n\r\n")[0])
        self._in_mail = False
        self._transport.write(_OK)

    def _obey(self, verb: bytes) -> None:
        match verb:
            case b"EHLO":
                self._transport.write(b"250-sink.example.com\r\n250-8BITMIME\r\n250 SIZE 0\r\n")
            case b"DATA":
                self._in_mail = True
                self._transport.write(b"354 go on\r\n")
            case b"QUIT":
                self._transport.write(b"221 bye\r\n")
                self._transport.close()
            case _:
                self._transport.write(_OK)


async def _answer(mails: Mails, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one question over HTTP."""
    head = await reader.readuntil(b"\r\n\r\n")
    if head.split(b" ", 2)[1] == b"/_reset":
        mails.heads.clear()
    told = json.dumps(mails.count()).encode()
    writer.write(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)
    )
    await writer.drain()
    writer.close()


async def serve(port: int) -> None:
    """Listen until killed; the two addresses are printed."""
    mails = Mails()
    loop = asyncio.get_running_loop()
    post = await loop.create_server(lambda: MailConnection(mails), "127.0.0.1", port)
    asked = await asyncio.start_server(lambda r, w: _answer(mails, r, w), "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (post, asked)]
    print(f"smtp://127.0.0.1:{ports[0]} http://127.0.0.1:{ports[1]}", flush=True)
    await post.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    gc.disable()  # nothing here makes a circle
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
