"""`drip worker` and `drip beat`: Celery's own commands on Drip's application."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from drip.errors import DripError, SettingsError

if TYPE_CHECKING:
    from celery import Celery

# Celery is imported when it is needed: a health check is to cost little.

REDIS_SECONDS = 8.0
"""How long Redis is waited for at the start; one try takes up to two seconds more."""

_EXAMPLE = "\b\nFor example:\n  drip worker\n  drip worker --concurrency 4 --queues sms,email"
_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True}


def _check_health(ctx: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    from drip.clock import system_clock
    from drip.worker.health import what_is_wrong

    if path is None or ctx.resilient_parsing:
        return
    if wrong := what_is_wrong(path, system_clock()):
        raise DripError(wrong)
    click.echo("It works.")
    ctx.exit()


def _health_options(command: Callable[..., None]) -> Callable[..., None]:
    path = click.Path(dir_okay=False, path_type=Path)
    check = click.option(
        "--check-health",
        type=path,
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_check_health,
        help="Start nothing; say whether the process that touches FILE works. Status 1 if not.",
    )
    write = click.option(
        "--health-file", type=path, metavar="FILE", help="Touch FILE while it works."
    )
    return write(check(command))


@click.command(context_settings=_PASSED_ON, epilog=_EXAMPLE)
@click.option("-Q", "--queues", metavar="LIST", help="Which to work on.  [default: all of them]")
@click.option(
    "-c", "--concurrency", metavar="N", help="Processes.  [default: one a core, 2 or more]"
)
@_health_options
@click.pass_context
def worker(
    ctx: click.Context, queues: str | None, concurrency: str | None, health_file: Path | None
) -> None:
    """Work on batches of due messages, with Redis and Celery.

    Stop it with Ctrl-C or SIGTERM: the batches in hand are finished first.

    Any other option goes to `celery worker` as it is; `drip worker -- --help` lists them.
    """
    from drip.worker.celery_app import from_environment
    from drip.worker.health import health_file as opened
    from drip.worker.pulse import worker_pulse

    app = from_environment()
    words = ["worker", "--queues", _chosen(queues)]
    words += ["--concurrency", concurrency or str(_processes())]
    words += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with opened(health_file) as file:
        if file is not None:
            worker_pulse(app, file)
        _run(ctx, app, words, _need_database, _need_redis, _configure_logs, _serve_metrics)


@click.command(context_settings=_PASSED_ON)
@_health_options
@click.pass_context
def beat(ctx: click.Context, health_file: Path | None) -> None:
    """Wake the workers once a second, with Redis and Celery.

    One is enough; several at once do no harm. Nothing is kept on disk.

    Any other option goes to `celery beat` as it is; `drip beat -- --help` lists them.
    """
    from drip.worker.celery_app import from_environment
    from drip.worker.health import health_file as opened
    from drip.worker.pulse import beat_scheduler

    app = from_environment()
    with opened(health_file) as file:
        app.conf.beat_scheduler = beat_scheduler(file)
        _run(ctx, app, ["beat"], _need_redis, _configure_logs)


def _run(
    ctx: click.Context, app: "Celery", words: list[str], *before: Callable[["Celery"], None]
) -> None:
    """Run a command of Celery's on our application and end with its status."""
    from celery.bin.celery import celery

    if "--help" not in ctx.args:
        for prepare in before:
            prepare(app)
    # As `app.start` does it, which forgets the status.
    celery.params[0].default = app
    try:
        status = celery.main(["--quiet", *words, *ctx.args], "celery", standalone_mode=False)
    except click.UsageError as error:
        # Its own hint would name a command that is not ours.
        raise click.UsageError(" ".join(error.format_message().split()), ctx) from None
    ctx.exit(status if isinstance(status, int) else 0)


def _processes() -> int:
    """One a core that this container may use; two at least, so that no tick waits for a batch."""
    from celery.utils.sysinfo import cpu_budget

    return max(2, int(cpu_budget().count))


def _chosen(queues: str | None) -> str:
    """The queues to work on, as Celery takes them. Raises UsageError for one that is not there."""
    from drip.worker.celery_app import QUEUES

    chosen = QUEUES if queues is None else tuple(name.strip() for name in queues.split(","))
    for name in chosen:
        if name not in QUEUES:
            raise click.UsageError(f"There is no queue {name!r}: choose from {', '.join(QUEUES)}.")
    return ",".join(chosen)


def _configure_logs(_app: "Celery") -> None:
    from drip.app import App
    from drip.logs import configure_logs
    from drip.worker import metrics_server  # noqa: F401 - Celery leaves the log to us

    configure_logs(App.from_environment().settings)


def _serve_metrics(_app: "Celery") -> None:
    from drip.app import App
    from drip.worker.metrics_server import serve_metrics_of_worker

    serve_metrics_of_worker(App.from_environment())


def _need_database(_app: "Celery") -> None:
    """Raise StoreError where the tables are not those of this version."""
    from drip.app import App
    from drip.services.upkeep.setting_up import need_set_up

    engine = App.from_environment().engine
    need_set_up(engine)
    engine.dispose()  # the processes that are forked from this one connect by themselves


def _need_redis(app: "Celery") -> None:
    """Wait a while for Redis. Raises DripError where it does not answer."""
    from redis import AuthenticationError, Redis, RedisError
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    url = str(app.conf.broker_url)
    try:
        redis = Redis.from_url(
            url, socket_connect_timeout=2, socket_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        where = urlsplit(url).netloc.rpartition("@")[2] or urlsplit(url).path
    except ValueError:
        raise SettingsError(
            "DRIP_REDIS_URL is not understood; write redis://HOST:6379/0."
        ) from None
    deadline = time.monotonic() + REDIS_SECONDS
    with redis:
        while True:
            try:
                redis.ping()
            except AuthenticationError:
                raise DripError(
                    f"Redis at {where} refuses this user or password; check DRIP_REDIS_URL."
                ) from None
            except RedisError:
                if time.monotonic() > deadline:
                    raise DripError(
                        f"Redis at {where} cannot be reached; check that it runs and that "
                        "DRIP_REDIS_URL is right."
                    ) from None
                time.sleep(0.2)
            else:
                return
