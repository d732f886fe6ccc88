"""Settings in `.env`: read as they are written, and refused where they would be read wrong."""

from pathlib import Path

import pytest

from drip.config import read_settings
from drip.errors import SettingsError


@pytest.mark.parametrize(
    "text",
    [
        "DRIP_OUTBOX_DIR=box",
        "\ufeffDRIP_OUTBOX_DIR=box",
        "# a remark\r\n\r\nDRIP_OUTBOX_DIR=box\r\n",
        'export DRIP_OUTBOX_DIR="box"  # where messages go',
        "OTHER=1\nDRIP_OUTBOX_DIR = 'box'\nDRIP_SMTP_URL=",
    ],
)
def test_a_setting_is_read(text: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(text.encode())
    assert read_settings({}, tmp_path).outbox_dir == Path("box")


def test_a_value_is_taken_as_it_stands_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DRIP_TWILIO_AUTH_TOKEN=a${HOME}b\nDRIP_OUTBOX_DIR=box\n")
    found = read_settings({"HOME": "x", "DRIP_OUTBOX_DIR": "other"}, tmp_path)
    assert found.twilio_auth_token is not None
    assert found.twilio_auth_token.reveal() == "a${HOME}b"
    assert found.outbox_dir == Path("other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DRIP_OUTBOX_DIR=box\njust words", r"\.env:2: this is not NAME=value"),
        ('DRIP_SMS_PROVIDER="twilio', r"\.env:1: this is not NAME=value"),
        ("DRIP_SMS_PROVIDER: twilio", r"\.env:1: this is not NAME=value"),
        ("DRIP_OUTBOX_DIR=a\nDRIP_OUTBOX_DIR=b", r"\.env:2: DRIP_OUTBOX_DIR is there twice"),
        ("DRIP_OUTBOX_DRI=a", "no setting DRIP_OUTBOX_DRI. Did you mean DRIP_OUTBOX_DIR?"),
        ("drip_outbox_dir=a", "no setting drip_outbox_dir. Did you mean DRIP_OUTBOX_DIR?"),
        ("DRIP_COLOUR=red", "no setting DRIP_COLOUR. Take it out"),
        ("DRIP_SMS_PROVIDER=Twilio", "must be outbox or twilio"),
    ],
)
def test_what_would_be_read_wrong_is_told_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(text)
    with pytest.raises(SettingsError, match=said) as refused:
        read_settings({}, tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("data", [b"\xff\xfeD\0", b"DRIP_EMAIL_FROM=ren\xe9@example.com"])
def test_a_file_in_another_encoding_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(data)
    with pytest.raises(SettingsError, match="save it as UTF-8"):
        read_settings({}, tmp_path)


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings({}, tmp_path)
