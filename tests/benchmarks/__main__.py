"""Takes the figures, all or those named, and keeps them in RESULTS.md.

Ends with 1 if a bound is not kept.
"""

import argparse
import sys
from collections.abc import Callable

from tests.benchmarks import (
    claiming,
    classifying,
    demo,
    emails,
    enrolling,
    importing,
    latency,
    planning,
    preview,
    receiving,
    results,
    texts,
)
from tests.benchmarks.figures import Figure

BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "preview": preview.measure,
    "planning": planning.measure,
    "demo": demo.measure,
    "importing": importing.measure,
    "engine": texts.measure,
    "slow-provider": texts.measure_slow_provider,
    "emails": emails.measure,
    "latency": latency.measure,
    "claiming": claiming.measure,
    "enrolling": enrolling.measure,
    "classifying": classifying.measure,
    "receiving": receiving.measure,
}


def main() -> None:
    """Run the benchmarks, print each figure as it is done, and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := ", ".join(sorted(set(names) - set(BENCHMARKS))):
        parser.error(f"no benchmark {unknown}; there are {', '.join(BENCHMARKS)}")
    kept = True
    for name in names:
        figures = BENCHMARKS[name]()
        for figure in figures:
            print("  ".join(figure.row()), "" if figure.holds else "  NOT KEPT", flush=True)
        results.keep({name: figures}, list(BENCHMARKS))
        kept = kept and all(figure.holds for figure in figures)
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
