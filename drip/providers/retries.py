"""How each kind of refusal is retried, read from `retries.toml`."""

import tomllib
from datetime import timedelta
from functools import cache
from importlib.resources import files

from drip.core.retry import RetryKind, RetryRule


def rule_of(kind: RetryKind) -> RetryRule:
    """The rule of a kind."""
    return _table()[kind]


@cache
def _table() -> dict[RetryKind, RetryRule]:
    text = (files("drip.providers") / "retries.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text)
    return {kind: _rule(**entries[kind]) for kind in RetryKind}


def _rule(
    first: int,
    factor: float = 1.0,
    longest: int = 86_400,
    tries: int | None = None,
    next_day: bool = False,  # noqa: FBT001 - a key of the table
) -> RetryRule:
    return RetryRule(timedelta(seconds=first), factor, timedelta(seconds=longest), tries, next_day)
