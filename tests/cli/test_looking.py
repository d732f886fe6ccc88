"""`drip list` and `drip show`."""

from datetime import timedelta

from drip.core.replies import ReplyClass
from drip.core.schedule import Channel
from tests.cli.conftest import Drip
from tests.cli.terminal import at_terminal
from tests.cli.thread import add_answer, add_receipt, add_reply, add_task
from tests.servers.twilio_server import ACCOUNT_SID, AUTH_TOKEN, SENDER, Behaviour, TwilioServer


def use_twilio(drip: Drip, server: TwilioServer) -> None:
    drip.set(
        DRIP_SMS_PROVIDER="twilio",
        DRIP_TWILIO_ACCOUNT_SID=ACCOUNT_SID,
        DRIP_TWILIO_AUTH_TOKEN=AUTH_TOKEN,
        DRIP_TWILIO_FROM=SENDER,
        DRIP_TWILIO_API_URL=server.url,
    )


def three(drip: Drip) -> None:
    """Enrol three patients: 1, 2 and 3."""
    drip.enroll(name="Ana Lopez", ref="A1")
    drip.enroll("phone=+1 212 555 0102", "email=ben@example.com", name="Ben Ode", ref="B2")
    drip.enroll("phone=+1 212 555 0103", "email=cy@example.com", name="Cy Été", ref="C3")


def ids(drip: Drip, *options: object) -> list[int]:
    return [each["id"] for each in drip("list", "--json", *options).json["enrollments"]]


# --- list ---------------------------------------------------------------------------------------


def test_a_clinic_without_patients_is_told_how_to_add_them(drip: Drip) -> None:
    done = drip("list")
    assert (done.status, done.out) == (0, "")
    assert "`drip enroll`" in done.err


def test_the_list_shows_who_comes_when_and_what_went_out(drip: Drip) -> None:
    three(drip)
    drip.send_for(timedelta(hours=2))
    lines = drip("list").out.splitlines()
    assert lines[0].split() == ["ID", "Patient", "Session", "Status", "Sent", "Next", "message"]
    assert lines[3].split() == [
        "1", "Ana", "Lopez", "2026-12-10", "15:00", "active", "2", "2026-12-02", "10:00",
    ]  # fmt: skip
    assert all(len(line) <= 80 for line in lines)


def test_the_list_is_found_in_by_name_phone_email_and_ref(drip: Drip) -> None:
    three(drip)
    assert ids(drip, "--search", "lopez") == [1]
    assert ids(drip, "--search", "été") == [3]
    assert ids(drip, "--search", "(212) 555-0102") == [2]
    assert ids(drip, "--search", "BEN@") == [2]
    assert ids(drip, "--search", "c3") == [3]
    assert ids(drip, "--search", "%") == []
    assert ids(drip, "--search", "-") == []
    assert "No enrollment is like that" in drip("list", "--search", "nobody").err


def test_the_list_comes_in_pages_and_says_how_to_go_on(drip: Drip) -> None:
    three(drip)
    first = drip("list", "--limit", 2)
    assert "--after 2" in first.err
    page = drip("list", "--limit", 2, "--json").json
    assert ([each["id"] for each in page["enrollments"]], page["next_after"]) == ([3, 2], 2)
    last = drip("list", "--limit", 2, "--after", 2, "--json").json
    assert ([each["id"] for each in last["enrollments"]], last["next_after"]) == ([1], None)
    assert "--after" not in drip("list", "--limit", 3).err


def test_the_list_can_be_of_one_status(drip: Drip) -> None:
    three(drip)
    drip("cancel", 2)
    assert ids(drip, "--status", "cancelled") == [2]
    assert ids(drip, "--status", "active") == [3, 1]


def test_what_a_list_cannot_be_asked_is_wrong_usage(drip: Drip) -> None:
    for wrong in (("--limit", "0"), ("--status", "gone"), ("--after", "x"), ("--after", "0")):
        done = drip("list", *wrong)
        assert (done.status, done.out) == (2, ""), wrong
        assert len(done.err.splitlines()) == 1


def test_without_a_set_up_every_question_names_the_way_out(empty_drip: Drip) -> None:
    for command in (["list"], ["show", "1"], ["status"], ["tasks"], ["tasks", "done", "1"]):
        done = empty_drip(*command, *(["--by", "Sam"] if "done" in command else []))
        assert (done.status, done.out) == (1, "")
        assert "`drip init`" in done.err


# --- show ---------------------------------------------------------------------------------------


def test_an_enrollment_is_shown_with_its_patient_and_all_deliveries_in_order(drip: Drip) -> None:
    drip.enroll("timezone=America/Los_Angeles", "route=nasal")
    drip.send_for(timedelta(hours=8))
    out = drip("show", 1).out
    assert "Enrollment 1: Ana Lopez, active" in out
    assert "Thu 2026-12-10 15:00 (America/New_York)" in out
    assert "A1 (from csv)" in out
    assert "(212) 555-0101, consent paper 2026-12-01 (import)" in out
    assert "on the patient's clock (America/Los_Angeles)" in out
    lines = out[out.index("Deliveries") :].splitlines()[1:]
    times = [line[2:18] for line in lines if line[2:6] == "2026"]
    assert len(times) == 20
    assert times == sorted(times)
    welcome = next(i for i, line in enumerate(lines) if "welcome             sms" in line)
    assert lines[welcome].split() == ["2026-12-01", "09:00", "welcome", "sms", "accepted"]
    assert lines[welcome + 1].strip() == "outbox accepted delivery-1.txt"
    assert "skipped: its time had passed when it was planned" in out


def test_a_delivery_that_failed_is_shown_with_the_providers_own_words(drip: Drip) -> None:
    with TwilioServer() as server:
        use_twilio(drip, server)
        drip.enroll("phone=+1 500 555 0001")
        drip.send_for(timedelta(hours=1))
    out = drip("show", 1).out
    assert "failed: the provider refused it" in out
    assert "twilio rejected 21211" in out
    assert "To do" in out
    assert "Check the patient's sms address" in out
    delivery = next(
        each for each in drip("show", 1, "--json").json["deliveries"] if each["status"] == "failed"
    )
    assert delivery["reason"] == "refused"
    (attempt,) = delivery["attempts"]
    assert (attempt["provider"], attempt["outcome"], attempt["code"]) == (
        "twilio",
        "rejected",
        "21211",
    )
    assert attempt["address"] == "+15005550001"


def test_a_delivery_that_is_tried_again_stands_at_its_next_time_with_all_its_attempts(
    drip: Drip,
) -> None:
    with TwilioServer() as server:
        server.behave(Behaviour(status=429, code=20429), to="+12125550101")
        use_twilio(drip, server)
        drip.enroll("email=")
        drip.send_for(timedelta(hours=3))
    found = next(each for each in drip("show", 1, "--json").json["deliveries"] if each["attempts"])
    assert (found["status"], found["reason"]) == ("scheduled", "retrying")
    assert [each["code"] for each in found["attempts"]] == ["20429"] * 3
    lines = drip("show", 1).out.splitlines()
    row = next(i for i, line in enumerate(lines) if "the provider was busy" in line)
    assert lines[row][2:18] == found["due_at"][:16].replace("T", " ")
    assert lines[row + 3].strip() == "2026-12-01 12:00  twilio retry 20429"


def test_a_patient_who_stopped_and_one_without_an_address_are_shown_so(drip: Drip) -> None:
    drip.enroll("email=")
    drip("stop", 1, "--by", "Sam")
    out = drip("show", 1).out
    assert "(212) 555-0101: the patient stopped these messages" in out
    assert "no address on record" in out
    channels = drip("show", 1, "--json").json["patient"]["channels"]
    assert channels["sms"]["reachable"] is False
    assert channels["sms"]["reason"] == "stopped"
    assert channels["email"]["reason"] == "no_address"


def test_json_gives_moments_with_offset_on_the_patients_clock(drip: Drip) -> None:
    drip.enroll("timezone=America/Los_Angeles")
    shown = drip("show", 1, "--json").json
    assert shown["enrollment"]["session_at"] == "2026-12-10T15:00:00-05:00"
    assert shown["enrollment"]["ref"] == "A1"
    assert shown["patient"]["timezone"] == "America/Los_Angeles"
    assert all(each["due_at"].endswith("-08:00") for each in shown["deliveries"])


def with_a_conversation(drip: Drip) -> None:
    """Two patients with one phone, and words to and fro after the welcome."""
    drip.enroll()
    drip.enroll("email=ben@example.com", name="Ben Ode", ref="B2", days=12)
    drip.send_for(timedelta(hours=2))
    task = add_task(drip, "Read a reply and answer")
    reply = add_reply(drip, "can I eat\nbefore?", task_id=task, media=1)
    add_answer(drip, "A person will read this.", "received", reply_id=reply, task_id=task)
    drip.now += timedelta(minutes=20)
    add_answer(drip, "Yes.", "staff", by_whom="Sam", status="undelivered", code="30006")
    drip.now += timedelta(minutes=1)
    add_reply(drip, "RIDE", ReplyClass.RIDE)


def test_the_conversation_stands_in_order_between_the_deliveries(drip: Drip) -> None:
    with_a_conversation(drip)
    lines = drip("show", 1).out.splitlines()
    start = lines.index("Deliveries and replies, on the patient's clock (America/New_York):")
    said = lines.index(
        "  2026-12-01 12:00  reply: for a person to read, 1 picture, not fetched, task 1"
    )
    assert lines[said : said + 9] == [
        lines[said],
        '                    "can I eat before?"',
        "  2026-12-01 12:00  answer by drip (received), sms: accepted",
        '                    "A person will read this."',
        "  2026-12-01 12:20  answer by Sam, sms: undelivered 30006",
        '                    "Yes."',
        "  2026-12-01 12:21  reply: has a ride home",
        '                    "RIDE"',
        "  2026-12-02 10:00  what-is-ketamine    email  scheduled",
    ]
    times = [line[2:18] for line in lines[start:] if line[2:5] == "202"]
    assert times == sorted(times)


def test_both_patients_with_a_phone_are_shown_its_replies_and_their_task(drip: Drip) -> None:
    with_a_conversation(drip)
    first, second = (drip("show", id_, "--json").json for id_ in (1, 2))
    assert first["replies"] == second["replies"]
    assert [each["class"] for each in first["replies"]] == ["other", "ride"]
    assert [(each["kind"], each["by"]) for each in second["answers"]] == [
        ("received", "drip"),
        ("staff", "Sam"),
    ]
    assert [task["id"] for task in second["tasks"]] == [1]
    assert "  1  Read a reply and answer" in drip("show", 2).out


def test_another_phones_words_and_alerts_to_staff_are_not_shown(drip: Drip) -> None:
    with_a_conversation(drip)
    add_reply(drip, "not yours", address="+12125550177")
    add_answer(drip, "URGENT: a patient needs a call", "alert")
    add_answer(drip, "not yours either", address="+12125550177")
    out = drip("show", 1).out
    assert "not yours" not in out
    assert "URGENT" not in out


def test_an_answer_by_email_is_part_of_the_conversation(drip: Drip) -> None:
    drip.enroll("phone=")
    add_answer(drip, "Hello", "staff", address="ana@example.com", channel=Channel.EMAIL)
    assert "answer by drip, email: accepted" in drip("show", 1).out


def test_receipts_stand_below_the_attempt_that_they_are_about(drip: Drip) -> None:
    drip.enroll()
    drip.send_for(timedelta(hours=1))
    add_receipt(drip, 1, "sent")
    drip.now += timedelta(minutes=2)
    add_receipt(drip, 1, "undelivered", "30003")
    lines = drip("show", 1).out.splitlines()
    attempt = next(i for i, line in enumerate(lines) if "outbox accepted delivery-1" in line)
    assert lines[attempt + 1].strip() == (
        "receipts: sent 2026-12-01 11:00, undelivered 30003 2026-12-01 11:02"
    )
    shown = drip("show", 1, "--json").json["deliveries"]
    (receipts,) = (each["receipts"] for each in shown if each["id"] == 1)
    assert [(each["status"], each["code"]) for each in receipts] == [
        ("sent", None),
        ("undelivered", "30003"),
    ]


def test_in_a_terminal_of_80_columns_a_conversation_is_readable(drip: Drip) -> None:
    with_a_conversation(drip)
    add_reply(drip, "is the side door open when I come, or do I ring? " * 4)
    status, lines = at_terminal(drip, "show", 1)
    assert status == 0
    assert max(map(len, lines)) <= 80
    at = next(i for i, line in enumerate(lines) if '"is the side door' in line)
    assert all(line.startswith(" " * 20) for line in lines[at : at + 4])


def test_an_enrollment_is_found_by_the_clinics_own_ref(drip: Drip) -> None:
    three(drip)
    assert drip("show", "--ref", "B2", "--json").json["enrollment"]["id"] == 2


def test_a_ref_that_two_sources_use_needs_the_id(drip: Drip) -> None:
    drip.enroll(ref="7")
    second = drip.folder / "ehr.csv"
    second.write_text("name,phone,session,ref\nBen Ode,+12125550102,2026-12-10T09:00,7\n")
    drip("import", "csv", second, "--source", "ehr")
    done = drip("show", "--ref", "7")
    assert done.status == 2
    assert "1 (csv), 2 (ehr)" in done.err


def test_an_enrollment_that_is_not_clearly_named_is_an_error_of_one_line(drip: Drip) -> None:
    drip.enroll()
    for args, status, said in (
        (("9",), 1, "no enrollment 9"),
        (("--ref", "Z9"), 1, "'Z9'"),
        ((), 2, "--ref"),
        (("1", "--ref", "A1"), 2, "not both"),
        (("A1",), 2, "goes with --ref"),
        (("0",), 2, "not the number"),
        (("99999999999999999999999",), 2, "not the number"),
        (("9223372036854775807",), 1, "no enrollment"),
    ):
        done = drip("show", *args)
        assert (done.status, done.out) == (status, ""), args
        assert said in done.err, args
        assert len(done.err.splitlines()) == 1, args


def test_what_was_said_from_a_phone_that_was_changed_is_shown_with_that_phone(drip: Drip) -> None:
    drip.enroll()
    drip.send_for(timedelta(minutes=10))
    add_reply(drip, "can I eat?")
    add_answer(drip, "Yes.", "staff")
    assert "from (212)" not in drip("show", 1).out
    path = drip.folder / "one.csv"
    path.write_text(path.read_text().replace("555 0101", "555 0143"))
    assert drip("import", "csv", path).status == 0
    out = drip("show", 1).out
    for said in ("Deliveries and replies", '"can I eat?"', "from (212) 555-0101", '"Yes."'):
        assert said in out
    assert "to (212) 555-0101" in out
    (reply,) = drip("show", 1, "--json").json["replies"]
    assert reply["address"] == "+12125550101"
