"""`drip init` and `drip doctor`."""

import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drip.config import ENV_SAMPLE, setting_names
from tests.cli.conftest import Drip, Run
from tests.servers.smtp_server import SmtpServer

TWILIO = {
    "DRIP_SMS_PROVIDER": "twilio",
    "DRIP_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "DRIP_TWILIO_AUTH_TOKEN": "opensesame",
    "DRIP_TWILIO_FROM": "+15005550006",
}


def levels(done: Run) -> dict[str, str]:
    """The findings of `doctor --json`: what each says, and its level."""
    return {each["says"]: each["level"] for each in done.json["findings"]}


def level_of(done: Run, said: str) -> str:
    """The level of the one finding that says this."""
    (level,) = [level for says, level in levels(done).items() if said in says]
    return level


# --- init ---------------------------------------------------------------------------------------


def test_a_new_folder_gets_everything_and_three_lines_of_what_to_do_next(empty_drip: Drip) -> None:
    done = empty_drip("init")
    assert done.status == 0
    assert "Wrote clinic.yaml and .env." in done.out
    assert [line[:2] for line in done.out.splitlines()[-3:]] == ["1.", "2.", "3."]
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert empty_drip("list").status == 0


def test_what_holds_secrets_and_patients_is_readable_by_its_owner_alone(drip: Drip) -> None:
    for name in (".env", "drip.db"):
        assert stat.S_IMODE((drip.folder / name).stat().st_mode) == 0o600


def test_every_clinic_has_a_secret_of_its_own(empty_drip: Drip) -> None:
    secrets = set()
    for name in ("one", "two"):
        folder = empty_drip.folder / name
        folder.mkdir()
        empty_drip.go_to(folder)
        empty_drip("init")
        (line,) = [
            line
            for line in (folder / ".env").read_text().splitlines()
            if line.startswith("DRIP_SECRET_KEY=")
        ]
        secrets.add(line)
    assert len(secrets) == 2
    assert all(len(line.partition("=")[2]) >= 32 for line in secrets)


def test_every_setting_stands_in_the_written_env_and_all_others_are_comments(drip: Drip) -> None:
    text = (drip.folder / ".env").read_text()
    assert "{" not in text
    for name in setting_names():
        assert f"DRIP_{name.upper()}=" in text
    live = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line.partition("=")[0] for line in live] == ["DRIP_SECRET_KEY"]
    assert ENV_SAMPLE.is_file()


def test_what_is_there_already_is_never_overwritten(drip: Drip) -> None:
    drip.enroll()
    for name in ("clinic.yaml", ".env"):
        path = drip.folder / name
        path.write_text(path.read_text() + "# mine\n")
    done = drip("init")
    assert "Kept what was there: clinic.yaml and .env." in done.out
    assert "was up to date" in done.out
    assert (drip.folder / "clinic.yaml").read_text().endswith("# mine\n")
    assert (drip.folder / ".env").read_text().endswith("# mine\n")
    assert drip("show", 1).status == 0


def test_json_says_what_was_written(empty_drip: Drip) -> None:
    (empty_drip.folder / "clinic.yaml").write_text("clinic: mine\n")
    assert empty_drip("init", "--json").json == {
        "written": [".env"],
        "kept": ["clinic.yaml"],
        "database": "sqlite:///drip.db",
        "database_changed": True,
    }


def test_a_database_that_cannot_be_made_is_an_error_and_the_files_stay(empty_drip: Drip) -> None:
    empty_drip.set(DRIP_DATABASE_URL="sqlite:///nowhere/drip.db")
    done = empty_drip("init")
    assert (done.status, done.out) == (1, "")
    assert "its folder must exist" in done.err
    assert (empty_drip.folder / "clinic.yaml").is_file()


# --- doctor -------------------------------------------------------------------------------------


def test_a_fresh_set_up_has_warnings_and_no_problem(drip: Drip) -> None:
    done = drip("doctor", "--json")
    assert done.status == 0
    assert "problem" not in levels(done).values()
    assert level_of(done, "drip.db works") == "ok"
    assert level_of(done, "still has the sample's") == "warning"
    assert level_of(done, "and to nobody else") == "warning"
    assert level_of(done, "in order") == "ok"


def test_an_empty_folder_is_full_of_problems_and_stays_empty(empty_drip: Drip) -> None:
    done = empty_drip("doctor", "--json")
    assert done.status == 1
    assert level_of(done, "no database drip.db") == "problem"
    assert level_of(done, "no clinic.yaml") == "problem"
    assert list(empty_drip.folder.iterdir()) == []


def test_each_line_says_how_bad_it_is_and_how_to_mend_it(empty_drip: Drip) -> None:
    lines = empty_drip("doctor").out.splitlines()
    found = lines.index("problem  There is no clinic.yaml here.")
    assert lines[found + 1] == "         Run `drip init` and fill it in."


def test_settings_are_shown_with_their_origin_and_without_their_secrets(drip: Drip) -> None:
    env = drip.folder / ".env"
    env.write_text(env.read_text() + "DRIP_SMTP_URL=smtps://ann:opensesame@mail.example.com\n")
    drip.set(**TWILIO)
    (drip.folder / "clinic.yaml").unlink()
    for args in (("doctor",), ("doctor", "--json")):
        done = drip(*args)
        assert "opensesame" not in done.out + done.err
        assert "DRIP_SECRET_KEY" in done.out
    shown = {each["name"]: (each["value"], each["origin"]) for each in done.json["settings"]}
    assert shown["DRIP_SMTP_URL"] == ("smtps://ann:***@mail.example.com", ".env")
    assert shown["DRIP_TWILIO_AUTH_TOKEN"] == ("(set, not shown)", "environment")
    assert shown["DRIP_OUTBOX_DIR"] == ("outbox", "default")
    assert shown["DRIP_SECRET_KEY"] == ("(set, not shown)", ".env")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:opensesame@db.example.invalid/drip",
        "postgresql://db.example.invalid/drip?user=ann&password=opensesame",
        "postgresql://ann:open@opensesame@db.example.invalid/drip",
    ],
)
def test_no_form_of_an_address_shows_its_password(empty_drip: Drip, address: str) -> None:
    empty_drip.set(DRIP_DATABASE_URL=address)
    done = empty_drip("doctor")
    assert done.status == 1
    assert "opensesame" not in done.out + done.err
    assert "cannot be reached" in done.out


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"DRIP_SMS_PROVIDR": "twilio"}, "Did you mean DRIP_SMS_PROVIDER?"),
        ({"DRIP_SMS_PROVIDER": "twilio"}, "needs DRIP_TWILIO_ACCOUNT_SID"),
        ({"DRIP_PUBLIC_URL": "drip.example.com"}, "DRIP_PUBLIC_URL"),
    ],
)
def test_a_wrong_setting_is_a_problem(empty_drip: Drip, setting: dict[str, str], said: str) -> None:
    empty_drip.set(**setting)
    done = empty_drip("doctor", "--json")
    assert done.status == 1
    assert level_of(done, said) == "problem"


def test_a_database_of_another_kind_is_a_problem(empty_drip: Drip) -> None:
    empty_drip.set(DRIP_DATABASE_URL="mysql://localhost/drip")
    assert level_of(empty_drip("doctor", "--json"), "DRIP_DATABASE_URL") == "problem"


def test_a_file_that_is_no_database_is_a_problem(empty_drip: Drip) -> None:
    (empty_drip.folder / "drip.db").write_text("my shopping list\n" * 100)
    assert level_of(empty_drip("doctor", "--json"), "is not a Drip database") == "problem"


def test_a_database_of_another_version_is_a_problem_that_init_mends(drip: Drip) -> None:
    (drip.folder / "clinic.yaml").unlink()
    with sqlite3.connect(drip.folder / "drip.db") as connection:
        connection.execute("DELETE FROM alembic_version")
    connection.close()
    done = drip("doctor", "--json")
    assert level_of(done, "of another version of Drip") == "problem"
    (mend,) = [each["mend"] for each in done.json["findings"] if "another version" in each["says"]]
    assert "`drip init`" in mend


def test_a_database_that_cannot_be_written_is_a_problem(drip: Drip) -> None:
    (drip.folder / "clinic.yaml").unlink()
    drip.set(DRIP_DATABASE_URL="sqlite:///file:drip.db?mode=ro&uri=true")
    assert level_of(drip("doctor", "--json"), "is read-only") == "problem"


def test_a_clock_that_has_gone_back_is_a_problem(drip: Drip) -> None:
    drip.enroll()
    (drip.folder / "clinic.yaml").unlink()
    drip.now -= timedelta(days=2)
    assert level_of(drip("doctor", "--json"), "an enrollment was made later") == "problem"


def test_a_clock_that_was_never_set_is_a_problem(empty_drip: Drip) -> None:
    empty_drip.now = datetime(1970, 1, 1, tzinfo=UTC)
    assert level_of(empty_drip("doctor", "--json"), "1970") == "problem"


def test_a_broken_clinic_file_is_a_problem_with_its_place(drip: Drip) -> None:
    path = drip.folder / "clinic.yaml"
    path.write_text(path.read_text().replace("America/New_York", "America/New_Yorck"))
    done = drip("doctor", "--json")
    assert done.status == 1
    assert level_of(done, "clinic.yaml:7:11") == "problem"


def test_broken_content_is_a_problem_that_check_shows(drip: Drip) -> None:
    own = drip.folder / "content"
    (own / "messages" / "welcome").mkdir(parents=True)
    (own / "messages" / "welcome" / "en.md").write_text("no front matter\n")
    drip.set(DRIP_CONTENT_DIR=str(own))
    assert level_of(drip("doctor", "--json"), "in the content") == "problem"


def test_with_a_real_provider_the_samples_address_is_a_problem(drip: Drip) -> None:
    drip.set(**TWILIO)
    done = drip("doctor", "--json")
    assert level_of(done, "still has the sample's") == "problem"
    assert level_of(done, "Twilio's settings have the right form") == "ok"
    assert level_of(done, "cannot tell what became of a text") == "warning"


def test_two_senders_and_an_address_in_the_clear_are_found(empty_drip: Drip) -> None:
    empty_drip.set(
        **TWILIO,
        DRIP_TWILIO_MESSAGING_SERVICE_SID="MG" + "0" * 32,
        DRIP_PUBLIC_URL="http://drip.example.com",
    )
    done = empty_drip("doctor", "--json")
    assert level_of(done, "given two senders") == "problem"
    assert level_of(done, "DRIP_PUBLIC_URL is not encrypted") == "warning"


def test_an_env_that_others_can_read_is_a_warning(drip: Drip) -> None:
    (drip.folder / "clinic.yaml").unlink()
    (drip.folder / ".env").chmod(0o644)
    assert level_of(drip("doctor", "--json"), "Others on this machine") == "warning"


def test_an_outbox_that_is_no_folder_is_a_problem(empty_drip: Drip) -> None:
    (empty_drip.folder / "outbox").write_text("")
    assert level_of(empty_drip("doctor", "--json"), "outbox cannot be written") == "problem"


def test_an_outbox_that_is_not_there_yet_is_not_made(empty_drip: Drip) -> None:
    empty_drip.set(DRIP_OUTBOX_DIR="far/away")
    assert level_of(empty_drip("doctor", "--json"), "go to the folder far/away") == "warning"
    assert list(empty_drip.folder.iterdir()) == []


def use_smtp(drip: Drip, url: str) -> None:
    drip.set(
        DRIP_EMAIL_PROVIDER="smtp",
        DRIP_SMTP_URL=url,
        DRIP_EMAIL_FROM="care@example.com",
    )


def test_a_mail_server_that_takes_the_login_is_fine_and_gets_no_mail(empty_drip: Drip) -> None:
    with SmtpServer(login=("ann", "opensesame")) as server:
        use_smtp(empty_drip, server.url.replace("://", "://ann:opensesame@"))
        done = empty_drip("doctor", "--json")
    assert level_of(done, "takes the login; no mail was sent") == "ok"
    assert server.mails == []
    assert not any(command.startswith("MAIL") for command in server.commands)


def test_a_mail_server_that_refuses_the_password_is_a_problem(empty_drip: Drip) -> None:
    with SmtpServer(login=("ann", "opensesame")) as server:
        use_smtp(empty_drip, server.url.replace("://", "://ann:wrong@"))
        assert level_of(empty_drip("doctor", "--json"), "refuses the user or") == "problem"


def test_a_mail_server_whose_certificate_nobody_knows_is_a_problem(empty_drip: Drip) -> None:
    with SmtpServer(tls="implicit") as server:
        use_smtp(empty_drip, server.url)
        assert level_of(empty_drip("doctor", "--json"), "certificate") == "problem"


def test_a_mail_server_that_is_not_there_is_a_problem(empty_drip: Drip) -> None:
    with SmtpServer() as server:
        url = server.url
    use_smtp(empty_drip, url)
    assert level_of(empty_drip("doctor", "--json"), "cannot be reached") == "problem"


def test_a_mail_server_far_away_without_encryption_is_a_warning(empty_drip: Drip) -> None:
    use_smtp(empty_drip, "smtp://mail.example.invalid")
    assert level_of(empty_drip("doctor", "--json"), "without encryption") == "warning"


def test_a_mail_address_that_is_none_is_a_problem(empty_drip: Drip) -> None:
    use_smtp(empty_drip, "https://mail.example.com")
    assert level_of(empty_drip("doctor", "--json"), "DRIP_SMTP_URL") == "problem"


def test_the_doctor_works_on_postgresql_too(drip: Drip, empty_postgresql: str) -> None:
    (drip.folder / "clinic.yaml").rename(drip.folder / "away.yaml")
    drip.set(DRIP_DATABASE_URL=empty_postgresql)
    assert level_of(drip("doctor", "--json"), "The database is empty") == "problem"
    Path(drip.folder / "away.yaml").rename(drip.folder / "clinic.yaml")
    assert drip("init").status == 0
    (drip.folder / "clinic.yaml").unlink()
    drip.now = datetime(2020, 1, 1, tzinfo=UTC)
    done = drip("doctor", "--json")
    assert level_of(done, "works") == "ok"
    assert level_of(done, "The clocks here and of the database differ") == "warning"
