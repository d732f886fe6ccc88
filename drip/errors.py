"""The errors that Drip raises: one small tree, each message one line that names the way out."""


class DripError(Exception):
    """Something could not be done. The message is one line for a person."""

    exit_status = 1


class InvalidInput(DripError):
    """A value that somebody gave is wrong: a zone, a phone, a date, a column."""

    exit_status = 2


class NotFound(DripError):
    """No such enrollment, task, schedule or step."""


class NotAllowed(DripError):
    """The thing exists but cannot be done to it now: pausing a cancelled enrollment, say."""


class ContentError(DripError):
    """A schedule, message or clinic profile is broken; the message begins with file:line:column."""


class SettingsError(DripError):
    """A setting is missing or wrong."""


class StoreError(DripError):
    """The database cannot be opened, read or written."""
