"""The labelled replies, written for this project, and how well they are understood.

Each file has the class above its replies, one a line: `[crisis]`, or `[crisis stop]` where the
text also says stop. `first.txt` was there while the rules were written; each later file was
written before the rules were measured on it. The last English ones hold what the rules were then
taught: `told_otherwise.txt` a crisis in words of many kinds, `only_idioms.txt` what frightens and
is none, `whole_sentences.txt` stops that are more than a keyword.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from drip.core.replies import Replies, ReplyClass, Understood

_HEADING = re.compile(r"\[(?P<reply_class>[a-z]+)(?P<stop> stop)?\]")


@dataclass(frozen=True)
class Labelled:
    """A reply with what a person takes it for."""

    text: str
    reply_class: ReplyClass
    stop: bool


@dataclass(frozen=True)
class Judged:
    """A labelled reply beside how it was understood."""

    label: Labelled
    found: Understood

    @property
    def is_right(self) -> bool:
        """Whether the class and the wish to stop are those of the label."""
        return (self.found.reply_class, self.found.stop) == (
            self.label.reply_class,
            self.label.stop,
        )

    def __str__(self) -> str:
        found = self.found.reply_class + (" stop" if self.found.stop else "")
        return f"{self.label.text!r}: {self.label.reply_class}, understood as {found}"


def labelled(files: str = "*.txt") -> list[Labelled]:
    """All labelled replies, or those of some files."""
    return [
        each
        for path in sorted(Path(__file__).parent.glob(files))
        for each in _read(path.read_text(encoding="utf-8").splitlines())
    ]


def _read(lines: Iterable[str]) -> Iterator[Labelled]:
    reply_class, stop = ReplyClass.OTHER, False
    for line in lines:
        if heading := _HEADING.fullmatch(line):
            reply_class = ReplyClass(heading["reply_class"])
            stop = reply_class is ReplyClass.STOP or heading["stop"] is not None
        elif line:
            yield Labelled(line, reply_class, stop)


class Score:
    """How well the labelled replies are understood."""

    def __init__(self, replies: Replies, labels: Iterable[Labelled]) -> None:
        self.judged = [Judged(each, replies.understand(each.text)) for each in labels]
        self.meant = Counter(each.label.reply_class for each in self.judged)
        self.found = Counter(each.found.reply_class for each in self.judged)
        self.right = Counter(
            each.label.reply_class
            for each in self.judged
            if each.found.reply_class is each.label.reply_class
        )

    def precision(self, reply_class: ReplyClass) -> float:
        """How many of those understood so are so."""
        return self.right[reply_class] / (self.found[reply_class] or 1)

    def recall(self, reply_class: ReplyClass) -> float:
        """How many of those that are so are understood so."""
        return self.right[reply_class] / (self.meant[reply_class] or 1)

    def mistakes(self) -> list[Judged]:
        """Those that are not understood as a person would."""
        return [each for each in self.judged if not each.is_right]

    def stops_missed(self) -> list[Judged]:
        """Those that say stop without being heard."""
        return [each for each in self.judged if each.label.stop and not each.found.stop]

    def false_alarms(self) -> float:
        """The part of the replies without a crisis that are taken for one."""
        others = [each for each in self.judged if each.label.reply_class is not ReplyClass.CRISIS]
        alarms = [each for each in others if each.found.reply_class is ReplyClass.CRISIS]
        return len(alarms) / len(others)

    def table(self) -> str:
        """A line a class, the false alarms, and each mistake."""
        lines = [f"{'class':12}{'replies':>8}{'precision':>11}{'recall':>8}"]
        lines += [
            f"{each:12}{self.meant[each]:8}{self.precision(each):11.3f}{self.recall(each):8.3f}"
            for each in ReplyClass
        ]
        lines.append(f"false alarms of crisis: {self.false_alarms():.1%}")
        lines += [str(each) for each in self.mistakes()]
        return "\n".join(lines)
