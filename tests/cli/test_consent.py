"""`drip consent`: the ledger as staff read it and add to it."""

from datetime import timedelta

import pytest

from drip.core.schedule import Channel
from drip.store import patients
from drip.store.engine import open_engine, writing
from tests.cli.conftest import Drip


def _suppress(drip: Drip, because: str) -> None:
    engine = open_engine("sqlite:///drip.db")
    with writing(engine) as session:
        patients.suppress(session, 1, Channel.SMS, "+12125550101", because, drip.now)
    engine.dispose()


def test_the_ledger_is_printed_in_order(drip: Drip) -> None:
    drip.enroll()
    drip.now += timedelta(hours=1)
    drip("stop", 1, "--how", "verbal", "--by", "Ana")
    drip.now += timedelta(hours=1)
    drip("consent", "grant", 1, "--channel", "sms", "--how", "paper", "--by", "Bea")
    done = drip("consent", "show", "--ref", "A1")
    assert done.status == 0
    ledger = done.out.split("When")[1].splitlines()[1:]
    assert [line.split()[3:] for line in ledger] == [
        ["texts", "given", "paper", *ledger[0].split()[6:]],
        ["emails", "given", "paper", *ledger[1].split()[6:]],
        ["texts", "taken", "back", "verbal", "Ana", "1"],
        ["texts", "given", "paper", "Bea", "1"],
    ]
    assert ledger[0].startswith("Tue 2026-12-01 10:00")
    assert ledger[2].startswith("Tue 2026-12-01 11:00")
    assert "may go out" in done.out
    assert "Wording of the texts: discreet (nothing else was chosen)" in done.out


def test_the_wording_is_shown_with_when_it_was_chosen_and_by_whom(drip: Drip) -> None:
    drip.enroll("wording=plain")
    shown = drip("consent", "show", 1).out
    assert "Wording of the texts: plain, chosen Tue 2026-12-01 10:00 (csv, import)" in shown
    (choice,) = drip("consent", "show", 1, "--json").json["wordings"]
    assert choice.pop("by")
    assert choice == {"at": "2026-12-01T10:00:00-05:00", "wording": "plain", "how": "csv"}


def test_the_ledger_as_json(drip: Drip) -> None:
    drip.enroll("consent=email")
    shown = drip("consent", "show", 1, "--json").json
    assert (shown["enrollment"], shown["patient"], shown["wording"]) == (1, "Ana Lopez", "discreet")
    assert shown["channels"] == [
        {
            "channel": "sms",
            "address": "+12125550101",
            "blocked": "no_consent",
            "suppressed": None,
        },
        {"channel": "email", "address": "ana@example.com", "blocked": None, "suppressed": None},
    ]
    (word,) = shown["ledger"]
    assert word.pop("by")
    assert word == {
        "at": "2026-12-01T10:00:00-05:00",
        "channel": "email",
        "given": True,
        "how": "paper",
        "wording_version": "1",
    }


def test_a_patient_who_never_said_anything(drip: Drip) -> None:
    drip.enroll("consent=", "consent_how=")
    done = drip("consent", "show", 1)
    assert "Nothing was ever said" in done.out
    assert "no consent on record" in done.out


def test_a_grant_prints_what_goes_out_now(drip: Drip) -> None:
    drip.enroll("consent=email")
    done = drip("consent", "grant", 1, "--channel", "sms", "--how", "verbal", "--by", "Bea")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("Noted: texts may go to the patient of enrollment 1 (verbal, Bea).")
    assert "email, sms (" in done.out
    assert "no consent" not in done.out


def test_a_grant_after_stop_by_text_says_what_the_patient_must_do(drip: Drip) -> None:
    drip.enroll()
    drip("stop", 1, "--how", "keyword")
    done = drip("consent", "grant", 1, "--channel", "sms", "--how", "verbal")
    assert done.status == 0
    assert "No texts yet. The patient stopped texts by STOP, and the carrier blocks" in done.err
    assert "text START to" in done.err
    said = drip("consent", "grant", 1, "--channel", "sms", "--how", "verbal", "--json").json
    assert "START" in said["blocked"]
    assert drip("consent", "show", 1, "--json").json["channels"][0]["suppressed"] == "stop"
    done = drip("consent", "grant", 1, "--channel", "sms", "--how", "keyword", "--json")
    assert done.json["blocked"] is None
    assert drip("consent", "show", 1, "--json").json["channels"][0]["blocked"] is None


@pytest.mark.parametrize(
    ("because", "says"),
    [("21614", "refused this address (21614)"), ("wrong_number", "Somebody else has this phone")],
)
def test_a_phone_that_is_wrong_is_shown_and_not_mended_by_a_grant(
    drip: Drip, because: str, says: str
) -> None:
    drip.enroll()
    _suppress(drip, because)
    assert says in drip("consent", "show", 1).out
    assert says in drip("consent", "grant", 1, "--channel", "sms", "--how", "paper").err


def test_a_phone_that_was_not_reached_says_the_way_out_and_is_tried_again(drip: Drip) -> None:
    drip.enroll()
    _suppress(drip, "30006")
    shown = " ".join(drip("consent", "show", 1).out.split())
    assert "Texts did not reach this phone (30006)." in shown
    assert "`drip consent grant`" in shown
    done = drip("consent", "grant", 1, "--channel", "sms", "--how", "verbal", "--by", "Ana")
    assert done.out.splitlines()[0] == (
        "Noted: texts may go to the patient of enrollment 1 (verbal, Ana)."
    )
    assert "The phone is tried again; it was refused before (30006)." in done.err
    assert "may go out" in drip("consent", "show", 1).out


def test_a_grant_without_an_address_says_so(drip: Drip) -> None:
    drip.enroll("phone=", "consent=email")
    done = drip("consent", "grant", 1, "--channel", "sms", "--how", "paper")
    assert done.status == 0
    assert "No texts yet: there is no address on record." in done.err


def test_a_consent_taken_back_cancels_what_waits(drip: Drip) -> None:
    drip.enroll()
    words = ("consent", "revoke", 1, "--channel", "email", "--how", "verbal", "--by", "Bea")
    done = drip(*words)
    assert (done.status, done.out.splitlines()[0]) == (
        0,
        "Noted: no more emails to the patient of enrollment 1 (verbal, Bea).",
    )
    assert "Cancelled: 0 emails" not in done.out
    again = drip(*words, "--json").json
    assert again["enrollments"] == [{"enrollment": 1, "cancelled": 0, "call": []}]
    shown = drip("consent", "show", 1, "--json").json
    assert [word["given"] for word in shown["ledger"]] == [True, True, False, False]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("show",), "Which enrollment?"),
        (("show", 7), "There is no enrollment 7"),
        (("show", "--ref", "Z9"), "Z9"),
        (("grant", 1, "--how", "paper"), "--channel"),
        (("grant", 1, "--channel", "sms"), "--how"),
        (("grant", 1, "--channel", "fax", "--how", "paper"), "fax"),
        (("grant", 1, "--channel", "sms", "--how", "hearsay"), "hearsay"),
        (("revoke", 7, "--channel", "sms", "--how", "verbal"), "There is no enrollment 7"),
        (("revoke", 1, "--channel", "sms", "--how", "verbal", "--by", "A\nB"), "one line"),
    ],
)
def test_what_cannot_be_noted_is_one_line(drip: Drip, args: tuple[object, ...], says: str) -> None:
    drip.enroll()
    done = drip("consent", *args)
    assert done.status in (1, 2)
    assert done.out == ""
    assert says in done.err
    assert len(done.err.splitlines()) == 1
    assert len(drip("consent", "show", 1, "--json").json["ledger"]) == 2


def test_a_stop_outlives_the_patients_rows(drip: Drip) -> None:
    """`drip init` wrote DRIP_SECRET_KEY, with which the address is known again."""
    drip.enroll()
    drip("stop", "+1 212 555 0101")
    engine = open_engine("sqlite:///drip.db")
    with engine.execution_options(writes=True).begin() as connection:
        for table in ("tasks", "deliveries", "enrollments", "patients", "addresses"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    engine.dispose()
    drip.enroll(ref="A2")
    shown = drip("consent", "show", "--ref", "A2", "--json").json
    assert shown["channels"][0]["blocked"] == "stopped"


def test_the_doctor_asks_for_a_secret_key(drip: Drip) -> None:
    findings = {each["says"]: each["level"] for each in drip("doctor", "--json").json["findings"]}
    assert not any("forgotten" in says for says in findings)
    path = drip.folder / ".env"
    kept = [line for line in path.read_text().splitlines() if "SECRET_KEY" not in line]
    path.write_text("\n".join(kept))
    findings = {each["says"]: each["level"] for each in drip("doctor", "--json").json["findings"]}
    assert [level for says, level in findings.items() if "forgotten" in says] == ["warning"]
