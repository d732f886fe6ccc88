"""The provider that carries nothing: what of a provider's duties makes sense for it."""

from dataclasses import dataclass, field

import pytest

from drip.core.outgoing import Accepted, Outgoing
from drip.core.schedule import Channel
from drip.providers.nothing import Nothing
from drip.providers.protocol import Provider
from tests.providers.rigs import NOW, email_to, text_to
from tests.providers.test_conformance import (
    test_an_empty_batch_has_no_answers,
    test_settling_never_says_accepted_of_what_did_not_arrive,
    test_settling_never_says_not_sent_of_what_arrived,
)

__all__ = [
    "test_an_empty_batch_has_no_answers",
    "test_settling_never_says_accepted_of_what_did_not_arrive",
    "test_settling_never_says_not_sent_of_what_arrived",
]


@dataclass
class _Rig:
    provider: Provider = field(default_factory=Nothing)

    def outgoing(self, number: int, words: str = "Hello") -> Outgoing:
        return text_to(f"+1202555{number:04}", words, number)


@pytest.fixture
def rig() -> _Rig:
    return _Rig()


def test_everything_is_accepted_in_order_counted_and_forgotten() -> None:
    nothing = Nothing()
    texts = [text_to(f"+1202555{n:04}", delivery_id=n) for n in range(100, 200)]
    answers = nothing.send([*texts, email_to("patient@example.com", delivery_id=200)], NOW)
    assert answers == [Accepted(f"nothing-{n}") for n in range(100, 201)]
    assert nothing.counts == {Channel.SMS: 100, Channel.EMAIL: 1}


def test_it_can_be_closed_and_used_again() -> None:
    nothing = Nothing()
    nothing.close()
    nothing.close()
    nothing.send([text_to("+12025550100")], NOW)
    assert nothing.counts[Channel.SMS] == 1
