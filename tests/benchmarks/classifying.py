"""Understanding replies on one core: the labelled set, again and again."""

import statistics

from drip.content.reply_rules import load_replies
from drip.content.sources import content_dir
from tests.benchmarks.figures import Figure, timed
from tests.replies.labelled import labelled

ROUNDS = 15
BOUND = 20_000


def measure() -> list[Figure]:
    """Replies a second once the rules are warm, and those of the first round, when they are not."""
    replies = load_replies(content_dir())
    texts = [each.text for each in labelled()]

    def understand_all() -> None:
        for text in texts:
            replies.understand(text)

    first, *rest = (len(texts) / timed(understand_all) for _ in range(ROUNDS))
    warm = statistics.median(rest)
    return [
        Figure("replies understood a second", warm, None, BOUND, "/s", "at least"),
        Figure("the same while each is new", first, None, None, "/s"),
    ]
