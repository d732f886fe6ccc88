"""Signed addresses: only ours work, only for what they were made for, and only in time."""

import re
import string
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drip.core.links import Link, LinkBroken, LinkExpired, Links, Purpose, example_page

NOW = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
SECRET = "a secret that is long enough for this"
LINKS = Links("https://drip.example.com/", SECRET)
PURPOSES: tuple[Purpose, ...] = ("page", "unsubscribe", "preferences")
IDS = st.integers(1, 2**63 - 1)
ANY_PURPOSE = st.sampled_from(PURPOSES)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=30_000)).map(lambda after: NOW + after)


@given(purpose=ANY_PURPOSE, clinic_id=IDS, subject_id=IDS, expires_at=MOMENTS)
def test_a_link_says_what_it_was_made_for_until_its_minute(
    purpose: Purpose, clinic_id: int, subject_id: int, expires_at: datetime
) -> None:
    minute = expires_at.replace(second=0, microsecond=0)
    token = LINKS.token(purpose, clinic_id, subject_id, expires_at)
    link = Link(purpose, clinic_id, subject_id, minute)
    assert LINKS.read(purpose, token, minute - timedelta(microseconds=1)) == link
    with pytest.raises(LinkExpired) as expired:
        LINKS.read(purpose, token, minute)
    assert expired.value.link == link


@given(made=ANY_PURPOSE, used=ANY_PURPOSE, subject_id=IDS)
def test_a_link_is_good_for_one_purpose(made: Purpose, used: Purpose, subject_id: int) -> None:
    token = LINKS.token(made, 1, subject_id, NOW + timedelta(days=1))
    if made == used:
        assert LINKS.read(used, token, NOW).purpose == made
    else:
        with pytest.raises(LinkBroken):
            LINKS.read(used, token, NOW)


@given(
    subject_id=IDS,
    place=st.integers(0, 10_000),
    sign=st.sampled_from(string.ascii_letters + string.digits + "-_.=~ é\x00"),
)
def test_a_link_with_one_sign_changed_is_no_link(subject_id: int, place: int, sign: str) -> None:
    token = LINKS.token("page", 1, subject_id, NOW + timedelta(days=1))
    place %= len(token)
    changed = token[:place] + sign + token[place + 1 :]
    if changed != token:
        with pytest.raises(LinkBroken):
            LINKS.read("page", changed, NOW)


@given(subject_id=IDS, cut=st.integers(0, 10_000), more=st.text(max_size=5))
def test_a_link_cut_short_or_longer_is_no_link(subject_id: int, cut: int, more: str) -> None:
    token = LINKS.token("page", 1, subject_id, NOW + timedelta(days=1))
    for other in (token[: cut % len(token)], token + more, more + token):
        if other != token:
            with pytest.raises(LinkBroken):
                LINKS.read("page", other, NOW)


@given(st.text())
def test_whatever_comes_is_a_link_of_ours_or_broken(token: str) -> None:
    with pytest.raises(LinkBroken):
        LINKS.read("unsubscribe", token, NOW)


def test_a_link_of_another_patient_cannot_be_made_of_ones_own() -> None:
    soon = NOW + timedelta(days=1)
    mine, theirs = (LINKS.token("page", 1, n, soon).rpartition(".") for n in (7, 8))
    with pytest.raises(LinkBroken):
        LINKS.read("page", f"{theirs[0]}.{mine[2]}", NOW)


def test_a_link_of_another_installation_is_broken() -> None:
    other = Links("https://drip.example.com", SECRET[::-1])
    with pytest.raises(LinkBroken):
        LINKS.read("page", other.token("page", 1, 7, NOW + timedelta(days=1)), NOW)


def test_who_makes_a_link_expire_later_breaks_it() -> None:
    old = LINKS.token("page", 1, 7, NOW - timedelta(days=1))
    new = LINKS.token("page", 1, 7, NOW + timedelta(days=1))
    with pytest.raises(LinkBroken):
        LINKS.read("page", f"{new.rpartition('.')[0]}.{old.rpartition('.')[2]}", NOW)


def test_a_link_fits_into_a_text() -> None:
    token = LINKS.token("page", 99, 9_999_999, NOW + timedelta(days=30))
    assert len(token) <= len(example_page("").removeprefix("/v/")) == 30
    # Telephones leave a hyphen at the end out of a link.
    assert re.fullmatch(r"[A-Za-z0-9_.-]+[A-Za-z0-9_]", token)


def test_the_address_names_nothing_but_the_place() -> None:
    url = LINKS.url("unsubscribe", 1, 7, NOW + timedelta(days=1))
    assert url == f"https://drip.example.com/u/{url.rpartition('/')[2]}"


def test_an_email_carries_two_links_that_hold_long_enough() -> None:
    links = LINKS.in_email(1, 7, NOW)
    ways = {"u": ("unsubscribe", 365), "p": ("preferences", 30)}
    for url in links:
        path, token = url.removeprefix("https://drip.example.com/").split("/")
        purpose, days = ways.pop(path)
        link = LINKS.read(purpose, token, NOW + timedelta(days=days))  # type: ignore[arg-type]
        assert (link.clinic_id, link.subject_id) == (1, 7)
    assert not ways


def test_no_two_subjects_share_a_link() -> None:
    soon = NOW + timedelta(days=1)
    tokens = Counter(
        LINKS.token(purpose, clinic, subject, soon)
        for purpose in PURPOSES
        for clinic in range(1, 20)
        for subject in range(1, 20)
    )
    assert max(tokens.values()) == 1
