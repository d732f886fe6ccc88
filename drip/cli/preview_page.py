"""A page that shows a whole plan: every text in a bubble, every email as it looks."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from drip.core.delivery import SAID
from drip.services.trials.previewing import Preview


def page(made: Preview) -> str:
    """The page, complete in itself: nothing is loaded from elsewhere."""
    return _template().render(made=made, said=SAID)


@cache
def _template() -> Template:
    text = Path(__file__).with_suffix(".html.jinja").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(text)
