"""How requests are taken: the socket behind `drip serve`."""

import socket

from drip.web.serving import listen


def test_no_answer_waits_for_the_word_that_its_head_has_arrived() -> None:
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
