"""`drip tasks`: what staff must do."""

import click

from drip.app import App
from drip.cli.enrollment_option import RowId
from drip.cli.printing import as_json, note, print_json, print_table, said, wrapped
from drip.content.words import phone_said
from drip.intake.fields import one_line
from drip.services.staff_tasks import ToDo, finish_task, open_tasks, show_task

_TASK = RowId("a task", "`drip tasks` shows them")


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def tasks(context: click.Context, as_json: bool) -> None:
    """List what staff must do, show one task, or note that it is done."""
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
    """Show one task, open or done."""
    scope = App.from_environment().scope
    todo = show_task(scope, id_)
    zone = scope.clinic.zone
    if as_json:
        print_json(todo.as_json(zone))
        return
    task, patient, enrollment = todo.task, todo.patient, todo.enrollment
    for line in wrapped(f"Task {task.id}: {task.says}", 0):
        click.secho(line, bold=True)
    urgent = ", urgent" if task.urgent and task.status == "open" else ""
    rows = [("Status", f"{task.status}{urgent}"), ("Since", said(task.opened_at, zone))]
    if patient is not None:
        rows += [("Patient", patient.name), ("Phone", _phone(todo)), ("Email", patient.email or "")]
    if enrollment is not None:
        rows += [("Enrollment", str(enrollment.id)), ("Session", said(enrollment.session_at, zone))]
    if task.status == "done":
        rows += [
            ("Done", said(task.done_at, zone)),
            ("By", task.done_by or ""),
            ("Note", task.note or ""),
        ]
    for name, value in rows:
        if value:
            click.echo(f"  {name:12}{value}")


@tasks.command()
@click.argument("id_", metavar="ID", type=_TASK)
@click.option("--by", required=True, metavar="NAME", help="Who has done it.")
@click.option("--note", "remark", metavar="TEXT", help="What came of it.")
@as_json
def done(id_: int, by: str, remark: str | None, as_json: bool) -> None:
    """Note that a task is done."""
    by = one_line("--by", by.strip())
    if not by:
        raise click.UsageError("Say who has done it: --by NAME", click.get_current_context())
    app = App.from_environment()
    todo = finish_task(app.scope, id_, by, remark, app.clock())
    if as_json:
        print_json(todo.as_json(app.clinic.zone))
    else:
        click.echo(f"Task {id_} is done. {todo.task.says}")


def _list(as_json: bool) -> None:
    scope = App.from_environment().scope
    found = open_tasks(scope)
    zone = scope.clinic.zone
    if as_json:
        print_json([todo.as_json(zone) for todo in found])
        return
    if not found:
        click.echo("Nothing is to be done.")
        return
    rows = [
        (
            str(todo.task.id),
            f"{todo.task.opened_at.astimezone(zone):%Y-%m-%d}",
            todo.patient.name if todo.patient is not None else "",
            _phone(todo),
            ("URGENT " if todo.task.urgent else "") + todo.task.says,
        )
        for todo in found
    ]
    print_table(("ID", "Since", "Patient", "Phone", "To do"), rows)
    note("`drip tasks done ID --by NAME` when it is done.")


def _phone(todo: ToDo) -> str:
    if todo.patient is None or todo.patient.phone is None:
        return ""
    return phone_said(todo.patient.phone)
