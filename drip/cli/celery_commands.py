"""`drip worker` and `drip beat`: Celery's own commands on Drip's application."""

import click

from drip.cli.running import configure_logs
from drip.worker.celery_app import QUEUES, from_environment

_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True}


@click.command(context_settings=_PASSED_ON)
@click.option("--queues", default=",".join(QUEUES), show_default=True, help="Which to work on.")
@click.option("--concurrency", default=2, show_default=True, help="Processes.")
@click.pass_context
def worker(ctx: click.Context, queues: str, concurrency: int) -> None:
    """Work on batches of due messages, with Redis and Celery.

    Other options go to `celery worker` as they are.
    """
    configure_logs(as_json=True)
    from_environment().worker_main(
        ["worker", "--queues", queues, "--concurrency", str(concurrency), "--without-gossip",
         "--without-mingle", "--loglevel", "WARNING", *ctx.args]
    )  # fmt: skip


@click.command(context_settings=_PASSED_ON)
@click.pass_context
def beat(ctx: click.Context) -> None:
    """Wake the workers once a second, with Redis and Celery.

    Several at once do no harm. Other options go to `celery beat` as they are.
    """
    configure_logs(as_json=True)
    app = from_environment()
    app.start(["beat", "--loglevel", "WARNING", "--scheduler", "celery.beat:Scheduler", *ctx.args])
