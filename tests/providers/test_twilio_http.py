"""Texts to Twilio side by side: many threads, slow answers, an early end."""

import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.outgoing import Accepted, Outgoing, Retry, Unknown
from drip.providers.twilio_http import form_of
from tests.providers.rigs import NOW, Make, text_to, unsettled
from tests.servers.twilio_server import Behaviour, TwilioServer

SLOW = "+12025550199"


def texts(count: int, first: int = 1000) -> list[Outgoing]:
    return [
        text_to(f"+1202555{number:04}", f"Text {number}", number)
        for number in range(first, first + count)
    ]


def test_many_threads_share_the_connections_and_each_has_its_own_answers(
    twilio_server: TwilioServer, make: Make
) -> None:
    provider = make(connections=10, timeout=30.0)
    batches = [texts(30, first) for first in range(1000, 9000, 1000)]
    with ThreadPoolExecutor(len(batches)) as threads:
        answers = list(threads.map(lambda batch: provider.send(batch, NOW), batches))
    sids = {message["body"]: message["sid"] for message in twilio_server.messages}
    assert answers == [
        [Accepted(sids[f"Text {one.delivery_id}"]) for one in batch] for batch in batches
    ]
    assert set(Counter(twilio_server.posts).values()) == {1}
    assert len(twilio_server.messages) == 240
    assert twilio_server.connections == twilio_server.most_at_once == 10


def test_a_text_that_hangs_holds_up_no_other(twilio_server: TwilioServer, make: Make) -> None:
    twilio_server.behave(Behaviour(how="hang"), SLOW)
    provider = make(connections=2)
    started = time.monotonic()
    first, *others = provider.send([text_to(SLOW), *texts(40)], NOW)
    assert first == Unknown("Twilio did not answer (timeout)")
    assert all(isinstance(answer, Accepted) for answer in others)
    assert time.monotonic() - started < 5


def test_a_batch_of_one_thread_does_not_wait_for_the_hanging_one_of_another(
    twilio_server: TwilioServer, make: Make
) -> None:
    twilio_server.behave(Behaviour(how="hang"), SLOW)
    provider = make(connections=2, timeout=30.0)
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(provider.send, [text_to(SLOW)], NOW)
        assert all(isinstance(answer, Accepted) for answer in provider.send(texts(20), NOW))
        assert not hanging.done()
        provider.close()
        assert hanging.result(timeout=5) == [Unknown("Twilio did not answer (closed)")]


def test_closing_amid_a_batch_leaves_an_answer_for_each_text(
    twilio_server: TwilioServer, make: Make
) -> None:
    twilio_server.behave(Behaviour(how="hang"))
    provider = make(connections=3, timeout=30.0)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(provider.send, texts(10), NOW)
        while sum(twilio_server.posts.values()) < 3:
            time.sleep(0.001)
        provider.close()
        answers = waiting.result(timeout=5)
    assert answers == [Unknown("Twilio did not answer (closed)")] * 3 + [Retry("closed")] * 7


def test_an_interrupted_batch_ends_at_once_and_the_next_one_goes(
    twilio_server: TwilioServer, make: Make
) -> None:
    twilio_server.behave(Behaviour(how="hang"), SLOW)
    provider = make(connections=1, timeout=30.0)
    main = threading.get_ident()

    def interrupt() -> None:
        while not twilio_server.posts[SLOW]:
            time.sleep(0.001)
        signal.pthread_kill(main, signal.SIGINT)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            provider.send([text_to(SLOW), *texts(5)], NOW)
    [answer] = provider.send(texts(1, 7000), NOW)
    assert isinstance(answer, Accepted)
    assert len(twilio_server.messages) == 1


def test_settling_shares_the_connections(twilio_server: TwilioServer, make: Make) -> None:
    provider = make(connections=2, timeout=30.0)
    batch = texts(20)
    answers = provider.send(batch, NOW)
    asked = [unsettled(one) for one in batch]
    assert provider.settle(asked, NOW + timedelta(minutes=10)) == answers
    assert twilio_server.connections == 2


def test_an_empty_batch_starts_no_thread(make: Make) -> None:
    provider, before = make(), threading.active_count()
    assert provider.send([], NOW) == []
    assert provider.settle([], NOW) == []
    assert threading.active_count() == before


words = st.text(st.characters(codec="utf-8"))


@given(st.dictionaries(words, words | st.integers() | st.lists(words, min_size=1)))
def test_a_form_is_what_the_standard_library_makes_of_it(fields: dict[str, object]) -> None:
    assert form_of(fields).decode() == urlencode(fields, doseq=True)
