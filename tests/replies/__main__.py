"""Prints how well the labelled replies are understood: all, or those of the files named."""

import sys

from drip.content.reply_rules import load_replies
from drip.content.sources import content_dir
from tests.replies.labelled import Score, labelled

if __name__ == "__main__":
    replies = load_replies(content_dir())
    for files in sys.argv[1:] or ["*.txt"]:
        print(Score(replies, labelled(files)).table())
