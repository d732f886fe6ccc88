"""`drip preview` as a process, against the bare import of the libraries that it imports."""

import json
import sys
import tempfile

from tests.benchmarks.figures import Figure, run_python, side_by_side, timed

COMMAND = ["-m", "drip", "preview", "--session", "2030-01-10T09:00"]
ROUNDS = 15

_LIST = """
import contextlib, io, json, sys
before = set(sys.modules)
from drip.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    with contextlib.suppress(SystemExit):
        main(["preview", "--session", "2030-01-10T09:00"])
ours = [
    name for name in sys.modules if name not in before and name.partition(".")[0] != "drip"
    and name.partition(".")[0] not in sys.stdlib_module_names
    and "_sysconfigdata" not in name
    and getattr(sys.modules[name], "__spec__", None) is not None
]
print(json.dumps(ours))
"""

HEAVY = {
    "sqlalchemy",
    "alembic",
    "celery",
    "kombu",
    "redis",
    "twilio",
    "fastapi",
    "rich",
    "psycopg",
}


def imported() -> list[str]:
    """The third-party modules that a preview really imports, in that order."""
    names: list[str] = json.loads(run_python(["-c", _LIST]))
    if found := HEAVY & {name.partition(".")[0] for name in names}:
        sys.exit(f"drip preview imports {', '.join(sorted(found))}")
    return names


def measure() -> list[Figure]:
    """The whole process against the bare imports."""
    bare = ["-c", f"import {', '.join(imported())}"]
    with tempfile.TemporaryDirectory() as empty:
        for args in (COMMAND, bare):
            run_python(args, empty)
        ours_s, bare_s = side_by_side(
            lambda: timed(lambda: run_python(COMMAND, empty)),
            lambda: timed(lambda: run_python(bare, empty)),
            ROUNDS,
        )
    return [Figure("drip preview, whole process / its libraries imported", ours_s, bare_s, 1.5)]
