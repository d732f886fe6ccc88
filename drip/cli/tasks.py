"""`drip tasks`: what staff must do."""

import click

from drip.app import App
from drip.cli.conversation import phone_shown
from drip.cli.enrollment_option import RowId
from drip.cli.printing import as_json, note, print_json, print_table
from drip.cli.task_page import task_lines
from drip.core.ages import age_said
from drip.errors import InvalidInput
from drip.intake.fields import one_line
from drip.services.staff import tasks as staff_tasks
from drip.services.staff.conversation import Waiting, open_task_file, waiting_tasks
from drip.store.schema import Task

_TASK = RowId("a task", "`drip tasks` shows them")
_LONGEST_NOTE = 2000

_by = click.option("--by", required=True, metavar="NAME", help="Who it is.")


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def tasks(context: click.Context, as_json: bool) -> None:
    """List what staff must do, show one task, take it, note something, or say it is done."""
    if context.invoked_subcommand is None:
        _list(as_json)
    elif as_json:
        sub = context.invoked_subcommand
        raise click.UsageError(f"Write --json after the word {sub}", context)


@tasks.command("list")
@as_json
def list_(as_json: bool) -> None:
    """List what is to be done: urgent first, then the longest open."""
    _list(as_json)


@tasks.command()
@click.argument("id_", metavar="ID", type=_TASK)
@as_json
def show(id_: int, as_json: bool) -> None:
    """Show one task, open or done, with the replies that it is about."""
    app = App.from_environment()
    file, zone = open_task_file(app.scope, id_), app.clinic.zone
    if as_json:
        print_json(file.as_json(zone))
        return
    for line in task_lines(file, zone, app.clock()):
        click.echo(line)


@tasks.command()
@click.argument("id_", metavar="ID", type=_TASK)
@_by
@as_json
def ack(id_: int, by: str, as_json: bool) -> None:
    """Take a task: others see that you have it, and a crisis is not raised again."""
    by = _name(by)
    app = App.from_environment()
    todo = staff_tasks.ack_task(app.scope, id_, by, app.clock())
    if as_json:
        print_json(todo.as_json(app.clinic.zone))
        return
    click.echo(f"Task {id_} is {by}'s now. {todo.task.says}")
    note(f"`drip tasks show {id_}` shows all of it, `drip tasks done {id_} --by NAME` ends it.")


@tasks.command()
@click.argument("id_", metavar="ID", type=_TASK)
@_by
@click.option("--note", "remark", metavar="TEXT", help="What came of it.")
@as_json
def done(id_: int, by: str, remark: str | None, as_json: bool) -> None:
    """Note that a task is done."""
    by = _name(by)
    app = App.from_environment()
    todo = staff_tasks.finish_task(app.scope, id_, by, remark, app.clock())
    if as_json:
        print_json(todo.as_json(app.clinic.zone))
    else:
        click.echo(f"Task {id_} is done. {todo.task.says}")


@tasks.command("note")
@click.argument("id_", metavar="ID", type=_TASK)
@click.argument("text")
@_by
@as_json
def note_(id_: int, text: str, by: str, as_json: bool) -> None:
    """Write a note on a task, open or done, such as "no answer, I call again at 3"."""
    by, text = _name(by), " ".join(text.split())
    if not text:
        raise InvalidInput("The note is empty: write it in quotes after the ID.")
    if len(text) > _LONGEST_NOTE:
        raise InvalidInput(f"The note must have at most {_LONGEST_NOTE} characters.")
    app = App.from_environment()
    todo = staff_tasks.note_task(app.scope, id_, by, text, app.clock())
    if as_json:
        print_json(todo.as_json(app.clinic.zone))
    else:
        click.echo(f"Noted on task {id_}.")


def _list(as_json: bool) -> None:
    app = App.from_environment()
    found, zone = waiting_tasks(app.scope), app.clinic.zone
    if as_json:
        print_json([each.as_json(zone) for each in found])
        return
    if not found:
        click.echo("Nothing is to be done.")
        return
    now = app.clock()
    rows = [
        (
            str(each.todo.task.id),
            age_said(now - each.todo.task.opened_at),
            ", ".join(each.names),
            _phones(each),
            _headline(each.todo.task),
        )
        for each in found
    ]
    print_table(("ID", "Age", "Patient", "Phone", "To do"), rows)
    note("`drip tasks show ID` shows all of one; `done ID --by NAME` when it is done.")


def _phones(waiting: Waiting) -> str:
    """The phone; where the replies came from another one, that, and which one it is now."""
    phone = "" if waiting.phone is None else phone_shown(waiting.phone)
    if waiting.wrote_from is None:
        return phone
    return f"{phone_shown(waiting.wrote_from)}, now {phone}"


def _headline(task: Task) -> str:
    urgent = "URGENT " if task.urgent else ""
    return f"{urgent}{task.says}" + (f" ({task.acked_by} has it)" if task.acked_by else "")


def _name(by: str) -> str:
    by = one_line("--by", by.strip())
    if not by:
        raise click.UsageError("Say who it is: --by NAME", click.get_current_context())
    return by
