"""How replies are understood, as anybody may ask who writes rules."""

from collections.abc import Iterable, Iterator

from drip.content.reply_rules import load_replies
from drip.content.sources import ContentDir
from drip.core.replies import Understood


def understand_replies(
    content: ContentDir, texts: Iterable[str]
) -> Iterator[tuple[str, Understood]]:
    """Each text with how it is understood. Raises ContentError where the rules are broken."""
    replies = load_replies(content)
    return ((text, replies.understand(text)) for text in texts)
