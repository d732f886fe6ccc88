"""The `drip` command: each subcommand is imported only when it is called."""

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

import click

from drip import __version__
from drip.errors import DripError

COMMANDS = {
    "demo": ("drip.cli.demo", "Play a whole journey on a fast clock, with no set-up."),
    "simulate": ("drip.cli.simulate", "Run weeks of sending on a fast clock; show the pace."),
    "init": ("drip.cli.setting_up", "Write clinic.yaml and .env, and set up the database."),
    "check": ("drip.cli.checking", "Check schedules, messages and the clinic's profile."),
    "preview": ("drip.cli.preview", "Show what a patient would get, and when."),
    "enroll": ("drip.cli.enrolling", "Enrol one patient and print the plan."),
    "import": ("drip.cli.importing", "Enrol many patients from a file."),
    "list": ("drip.cli.looking", "List enrollments."),
    "show": ("drip.cli.looking", "Show one enrollment with all its deliveries."),
    "reschedule": ("drip.cli.changing", "Move a session; the messages move with it."),
    "cancel": ("drip.cli.changing", "Cancel a session and tell the patient."),
    "pause": ("drip.cli.changing", "Hold an enrollment's messages."),
    "resume": ("drip.cli.changing", "Let a paused enrollment go on."),
    "no-show": ("drip.cli.changing", "Note that the patient did not come."),
    "stop": ("drip.cli.changing", "Stop messages to a patient who said so."),
    "consent": ("drip.cli.consent", "What a patient agreed to: show, grant, revoke."),
    "reply": ("drip.cli.reply", "Answer a patient with a text."),
    "tasks": ("drip.cli.tasks", "What staff must do: list, show, ack, note, done."),
    "classify": ("drip.cli.classify", "Show how a patient's reply is understood."),
    "send-test": ("drip.cli.send_test", "Send one message to yourself, marked as a test."),
    "run": ("drip.cli.running", "Send what is due, in one process, until stopped."),
    "serve": ("drip.cli.serve", "Serve webhooks and patients' pages."),
    "worker": ("drip.cli.celery_commands", "Work on batches, with Redis and Celery."),
    "beat": ("drip.cli.celery_commands", "Wake the workers, with Redis and Celery."),
    "status": ("drip.cli.status", "How sending goes: what waits, what failed."),
    "doctor": ("drip.cli.setting_up", "Check the set-up and say how to mend it."),
}
"""Every command: the module that has it, and what it does."""

_NAMES = {"import": "import_", "list": "list_"}
"""Commands that Python has other uses for the names of."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which somebody would use them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        # What is imported stays to the end: looking through it for garbage is a tenth of a start.
        gc.disable()
        module = importlib.import_module(COMMANDS[cmd_name][0])
        gc.freeze()
        gc.enable()
        command = getattr(module, _NAMES.get(cmd_name, cmd_name.replace("-", "_")))
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or name the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean `drip {near[0]}`?" if near else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint} `drip --help` lists them.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="drip")
def drip() -> None:
    """Reminders and education around a first ketamine therapy session."""


def main(args: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 could not, 2 wrong usage. Errors are one line."""
    _prepare_streams()
    words = sys.argv[1:] if args is None else args
    colour = False if os.environ.get("NO_COLOR") else None
    try:
        _refuse_broken(words)
        status = drip.main(words, "drip", standalone_mode=False, color=colour)
    except click.exceptions.Abort:
        _fail("Stopped.", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        _fail(_usage_said(error), 2)
    except click.ClickException as error:
        _fail(error.format_message(), 1)
    except DripError as error:
        _fail(str(error), error.exit_status)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _fail(f"{error.filename or 'The output'} cannot be written: {error.strerror}.", 1)
    else:
        if isinstance(status, int) and status:
            sys.exit(status)


def _prepare_streams() -> None:
    """Write to nowhere where output is closed, and a "?" for a letter that it cannot show."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _refuse_broken(words: Sequence[str]) -> None:
    """Refuse what is not text: bytes that stand for no letter in the terminal's encoding."""
    for word in words:
        if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
            shown = word.encode(errors="replace").decode()
            raise click.UsageError(f"{shown!r} has letters that cannot be read: type them again")


def _usage_said(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx is not None else "drip"
    said = error.format_message().rstrip(".")
    end = "" if said.endswith(("?", "?)")) else "."
    return f"{said}{end} `{path} --help` shows how." if "--help" not in said else f"{said}{end}"


def _fail(said: str, status: int) -> None:
    click.echo(f"drip: {said}", err=True)
    sys.exit(status)
