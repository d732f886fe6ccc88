"""The composition root: settings become an engine, words, a clinic and providers."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from drip.clock import Clock, system_clock
from drip.config import Settings, read_settings
from drip.content.sources import ContentDir, content_dir
from drip.core.clinic import Clinic
from drip.core.schedule import Channel
from drip.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from drip.core.links import Links
    from drip.core.pace import Pace
    from drip.providers.protocol import Provider
    from drip.providers.redis_turns import RedisTurns
    from drip.services.outbound.sending import Sender
    from drip.services.scope import Scope

CLINIC_FILE = Path("clinic.yaml")

# What a command does not use is not imported: previews are asked for many times a day.


@dataclass(frozen=True)
class App:
    """Everything that a command may need, made when it is first asked for."""

    settings: Settings
    clock: Clock = system_clock
    folder: Path = Path()

    @classmethod
    def from_environment(cls) -> "App":
        """The application that the environment and the present folder describe."""
        return cls(read_settings(os.environ, Path()))

    @cached_property
    def content(self) -> ContentDir:
        """The words and the timing: the clinic's own over the built-in ones."""
        return content_dir(self.settings.content_dir)

    @property
    def has_clinic(self) -> bool:
        """Whether there is a clinic.yaml in the folder."""
        return (self.folder / CLINIC_FILE).is_file()

    @cached_property
    def clinic(self) -> Clinic:
        """The clinic of clinic.yaml. Raises SettingsError where there is none."""
        from drip.content.clinic_file import load_clinic

        if not self.has_clinic:
            raise SettingsError("There is no clinic.yaml here: run `drip init` and fill it in.")
        return load_clinic(self.folder / CLINIC_FILE)

    @cached_property
    def clinic_or_sample(self) -> Clinic:
        """The clinic, or the sample one where a command needs no set-up."""
        from drip.content.clinic_file import sample_clinic

        return self.clinic if self.has_clinic else sample_clinic()

    @cached_property
    def engine(self) -> "Engine":
        """The database, as it is set; not necessarily set up."""
        from drip.store import suppressions
        from drip.store.engine import open_engine

        secret = self.settings.secret_key
        suppressions.use_key(secret.reveal().encode() if secret else None)
        return open_engine(self.settings.database_url.reveal())

    @cached_property
    def scope(self) -> "Scope":
        """The clinic with its rows and words. Raises StoreError where nothing is set up."""
        from drip.services.scope import open_scope
        from drip.services.upkeep.setting_up import is_set_up
        from drip.store.migrate import is_current

        clinic = self.clinic
        if not (is_set_up(self.engine) and is_current(self.engine)):
            raise StoreError("The database is not set up, or of another version: run `drip init`.")
        return open_scope(self.engine, self.content, clinic, self.clock())

    def providers(self) -> "dict[Channel, Provider]":
        """Who carries what, by the settings."""
        return {Channel.SMS: self._sms_provider(), Channel.EMAIL: self._email_provider()}

    def sender(self) -> "Sender":
        """The sender, with its providers."""
        from drip.services.outbound.sending import Sender

        return Sender(self.engine, self.content, self.providers(), self.pace, links=self.links)

    @cached_property
    def links(self) -> "Links | None":
        """The signed links of patients' pages; None where nobody could follow them."""
        from drip.core.links import Links

        url, secret = self.settings.public_url, self.settings.secret_key
        return Links(url, secret.reveal()) if url and secret else None

    @property
    def example_page(self) -> str | None:
        """What stands for the link of a patient's page, and leads nowhere; None without links."""
        from drip.core.links import example_page

        url = self.settings.public_url
        return example_page(url) if url and self.links else None

    @cached_property
    def pace(self) -> "Pace":
        """What senders may hand over a second: in Redis where one is set."""
        from drip.core.pace import LocalPace
        from drip.providers.redis_pace import RedisPace

        redis_url = self.settings.redis_url
        return LocalPace() if redis_url is None else RedisPace.at(redis_url.reveal())

    @cached_property
    def turns(self) -> "RedisTurns":
        """Which of many processes does what all would do. Raises SettingsError without Redis."""
        from drip.providers.redis_turns import RedisTurns

        if self.settings.redis_url is None:
            raise SettingsError("DRIP_REDIS_URL is not set.")
        return RedisTurns.at(self.settings.redis_url.reveal())

    def _sms_provider(self) -> "Provider":
        settings = self.settings
        if settings.sms_provider == "outbox":
            return self._outbox()
        from drip.providers.twilio import Twilio

        assert settings.twilio_account_sid is not None, "settings are checked"
        assert settings.twilio_auth_token is not None, "settings are checked"
        return Twilio(
            settings.twilio_account_sid,
            settings.twilio_auth_token.reveal(),
            sender=settings.twilio_from,
            messaging_service_sid=settings.twilio_messaging_service_sid,
            api_url=settings.twilio_api_url,
            public_url=settings.public_url,
            timeout=settings.twilio_timeout,
        )

    def _email_provider(self) -> "Provider":
        settings = self.settings
        if settings.email_provider == "outbox":
            return self._outbox()
        from drip.providers.smtp import Smtp

        assert settings.smtp_url is not None, "settings are checked"
        assert settings.email_from is not None, "settings are checked"
        return Smtp(settings.smtp_url.reveal(), settings.email_from)

    def _outbox(self) -> "Provider":
        from drip.providers.outbox import Outbox

        sender = self.settings.email_from
        folder = self.folder / self.settings.outbox_dir
        return Outbox(folder, sender) if sender else Outbox(folder)
