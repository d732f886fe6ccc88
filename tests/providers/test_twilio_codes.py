"""The table of Twilio's codes, against the rules it was written from."""

import pytest

from drip.core.outgoing import Rejected, Retry
from drip.core.retry import RetryKind
from drip.providers.twilio_codes import CodeKind, meaning_of

RULES = {
    CodeKind.BAD_ADDRESS: "21211 21614 21635 30006 30005",
    CodeKind.SUPPRESS: "21610",
    CodeKind.RETRY_ONCE: "30003 30008 30500",
    CodeKind.BUSY: "20429",
    CodeKind.BACK_OFF: "30022 21611 30001",
    CodeKind.NEXT_DAY: "63038 30023",
    CodeKind.EXPIRED: "30036",
}


@pytest.mark.parametrize(
    ("kind", "code"), [(kind, code) for kind, codes in RULES.items() for code in codes.split()]
)
def test_each_code_of_the_rules_is_of_its_kind(kind: CodeKind, code: str) -> None:
    meaning = meaning_of(code)
    assert (meaning.kind, meaning.code) == (kind, code)
    assert meaning.says.endswith(".")


@pytest.mark.parametrize("code", ["30007", "30034", "30032"])
def test_content_and_registration_are_for_staff_and_not_retried(code: str) -> None:
    assert meaning_of(code).kind in {CodeKind.CONTENT, CodeKind.REGISTRATION}
    assert meaning_of(code).as_answer() == Rejected(code)


def test_a_code_says_whether_the_address_is_bad_or_must_not_be_messaged() -> None:
    assert meaning_of("21211").as_answer() == Rejected("21211", address_is_bad=True)
    assert meaning_of("21610").as_answer() == Rejected("21610", suppress=True)


RETRIED = {
    RetryKind.RETRY_ONCE: "30003",
    RetryKind.BUSY: "20429",
    RetryKind.BACK_OFF: "30022",
    RetryKind.NEXT_DAY: "63038",
    RetryKind.CONFIGURATION: "20003",
}


@pytest.mark.parametrize(("kind", "code"), RETRIED.items())
def test_a_code_that_may_be_retried_says_how(kind: RetryKind, code: str) -> None:
    answer = meaning_of(code).as_answer()
    assert answer == Retry(code)
    assert isinstance(answer, Retry)
    assert answer.kind is kind


def test_an_unknown_code_is_kept_and_not_retried() -> None:
    meaning = meaning_of("99999")
    assert meaning.kind is CodeKind.UNKNOWN
    assert "99999" in meaning.says
    assert meaning.as_answer() == Rejected("99999")


@pytest.mark.parametrize(("code", "alerts"), [("30007", True), ("20003", True), ("21211", False)])
def test_what_staff_must_mend_comes_with_a_sentence_for_them(code: str, alerts: bool) -> None:
    answer = meaning_of(code).as_answer()
    assert (answer.alert == meaning_of(code).says) is alerts
    assert (answer.alert is None) is not alerts
