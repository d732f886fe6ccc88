"""What makes a Celery worker and a Celery beat give signs of life."""

from typing import Any

import structlog
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler, SchedulingError
from celery.bootsteps import StartStopStep

from drip.worker.health import EVERY, HealthFile

log = structlog.get_logger(__name__)


def worker_pulse(app: Celery, file: HealthFile) -> None:
    """Let the workers of an application touch the file while they listen to Redis.

    The worker's own loop does it: one that hangs falls silent, and so does one that has lost
    Redis. A batch in hand does not hold it up, since batches run in other processes.
    """

    class Pulse(StartStopStep):  # type: ignore[misc] # Celery has no types
        """Begins when the worker listens, ends when it does not."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **options: Any) -> None:
            super().__init__(consumer, **options)
            self._repeated: Any = None

        def start(self, consumer: Any) -> None:
            file.touch()
            self._repeated = consumer.timer.call_repeatedly(EVERY, file.touch)

        def stop(self, consumer: Any) -> None:
            if self._repeated is not None:
                consumer.timer.cancel(self._repeated)
                self._repeated = None
            file.remove()

        shutdown = stop

    app.steps["consumer"].add(Pulse)


def beat_scheduler(file: HealthFile | None) -> type[Scheduler]:
    """A scheduler for beat that keeps nothing on disk and touches the file when Redis took a task.

    When Redis is away it says so in one line and tries again at the next turn.
    """

    class InMemory(Scheduler):  # type: ignore[misc] # Celery has no types
        def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
            try:
                self.apply_async(entry, producer=producer, advance=False)
            except SchedulingError as error:
                log.error("beat.trouble", task=entry.task, what=str(error))
            else:
                if file is not None:
                    file.touch()

    return InMemory
