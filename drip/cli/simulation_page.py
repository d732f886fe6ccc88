"""A page with the charts of a simulation, complete in itself."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from drip.cli import simulation_chart as chart
from drip.cli import simulation_words as words
from drip.services.trials.simulation_report import TOO_LATE, Report


def page(made: Report) -> str:
    """The page: nothing is loaded from elsewhere, and no script is in it."""
    late = made.lateness
    return _template().render(
        made=made,
        words=words,
        on_time=late.longest <= TOO_LATE,
        summary=words.summary(made),
        fates=words.fates(dict(made.counts)),
        parts=words.parts(made),
        waits=list(
            zip(words.wait_classes(), late.classes, chart.shares(late.classes), strict=True)
        ),
        by_hour=chart.by_hour(made),
        by_day=chart.by_day(made),
        queue=None if made.queue is None else chart.queue(made.queue),
        top=chart.TOP,
        height=chart.HEIGHT,
    )


@cache
def _template() -> Template:
    text = Path(__file__).with_suffix(".html.jinja").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["n"] = words.number
    return environment.from_string(text)
