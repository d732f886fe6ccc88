"""Takes every figure and keeps them in RESULTS.md; ends with 1 if a bound is not kept."""

import os
import platform
import sys
from pathlib import Path

from tests.benchmarks import demo, importing, planning, preview
from tests.benchmarks.figures import Figure

RESULTS = Path(__file__).with_name("RESULTS.md")
HEADERS = ("what", "ours", "bare", "measured", "bound")


def main() -> None:
    """Run the benchmarks, print each as it is done, and write the table."""
    figures: list[Figure] = []
    for module in (preview, planning, demo, importing):
        for figure in module.measure():
            print("  ".join(figure.row()), "" if figure.holds else "  NOT KEPT", flush=True)
            figures.append(figure)
    RESULTS.write_text(_page(figures), encoding="utf-8")
    sys.exit(0 if all(figure.holds for figure in figures) else 1)


def _page(figures: list[Figure]) -> str:
    rows = [HEADERS, tuple("---" for _ in HEADERS), *(figure.row() for figure in figures)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return (
        "# The last run of `make bench`\n\n"
        f"On a machine with {machine}. Each ratio is taken side by side in one run; absolute\n"
        "times differ from machine to machine.\n\n"
        f"{table}\n"
    )


if __name__ == "__main__":
    main()
