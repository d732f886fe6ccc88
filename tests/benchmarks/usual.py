"""Running the usual way (`usual_way.py`) over some messages that are due at one moment."""

import time
from datetime import timedelta

from drip.clock import system_clock
from tests.benchmarks import usual_way
from tests.benchmarks.stage import Sink, Stage, connect, expect_each_once, wait_until
from tests.servers.postgres import new_database

WARM_UP = 50


def send_usually(on: Stage, at: Sink, count: int, pool: list[str]) -> float:
    """Messages a second, from the moment at which they are due to the last UPDATE.

    All tasks are in Redis, and on their way to the worker, before that moment. `pool` are the
    options of `celery worker` that say how many work at once.
    """
    redis = on.redis.rpartition("/")[0] + "/1"
    worker = ["-m", "celery", "-A", "tests.benchmarks.usual_way", "worker", *pool,
              "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]  # fmt: skip
    at.ask("reset")
    with new_database(on.server) as database, connect(database) as connection:
        environment = {"BENCH_DATABASE": database, "BENCH_REDIS": redis, "BENCH_SINK": at.url}
        connection.execute(usual_way.TABLE)
        connection.execute(usual_way.MESSAGES.format(count=count + WARM_UP))
        rows = connection.execute("SELECT id, phone, name FROM messages ORDER BY id").fetchall()
        app = usual_way.app
        # By its own producer: that of the application stays with the first server it saw.
        with (
            on.process(worker, environment),
            app.connection_for_write(redis) as broker,
            app.amqp.Producer(broker) as producer,
        ):
            for row in rows[count:]:
                usual_way.send.apply_async(row, eta=system_clock(), producer=producer)
            wait_until(lambda: at.count() >= WARM_UP, 0.05)
            at.ask("reset")
            due_at = system_clock() + timedelta(seconds=2 + count / 600)
            for row in rows[:count]:
                usual_way.send.apply_async(row, eta=due_at, producer=producer)
            ahead = (due_at - system_clock()).total_seconds()
            began = time.perf_counter() + ahead
            time.sleep(max(0.0, ahead))
            undone = f"SELECT count(*) FROM messages WHERE id <= {count} AND status <> 'accepted'"
            wait_until(lambda: at.count() >= count, 0.02)
            ended = wait_until(lambda: connection.execute(undone).fetchone() == (0,), 0.005)
        expect_each_once(at, count)
    return count / (ended - began)
