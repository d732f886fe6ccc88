"""`import csv` of 20,000 patients against the bare insertion of the same rows."""

import csv
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, select

from drip.content.clinic_file import sample_clinic
from drip.content.sources import content_dir
from drip.intake.booking import Defaults
from drip.intake.csv_file import CsvFile
from drip.services.bookings.importing import import_csv
from drip.services.scope import open_scope
from drip.store.engine import open_engine, reading, writing
from drip.store.migrate import upgrade
from drip.store.schema import Row
from tests.benchmarks.figures import Figure, run_python, timed

PATIENTS = 20_000
NOW = datetime(2030, 1, 7, 15, tzinfo=UTC)

_MEMORY = """
import json, resource, sys
from pathlib import Path
from tests.benchmarks.importing import import_file
import_file(Path(sys.argv[1]), Path(sys.argv[2]))
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
"""


def write_csv(path: Path, patients: int) -> None:
    """A file of patients who do not exist, booked over the coming weeks."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "phone", "email", "session", "consent", "consent_how", "ref"])
        for n in range(patients):
            session = datetime(2030, 1, 10, 9) + timedelta(days=n % 45, minutes=15 * (n % 30))  # noqa: DTZ001
            phone = f"+1{212 + n // 20_000 % 500}555{n % 10_000:04}"
            writer.writerow(
                [
                    f"Patient {_letters(n)}",
                    phone,
                    f"p{n}@example.com",
                    session.isoformat(timespec="minutes"),
                    "sms,email",
                    "paper",
                    f"ref-{n}",
                ]
            )


def import_file(path: Path, database: Path) -> None:
    """Import a file into a new database, as the command does."""
    engine = open_engine(f"sqlite:///{database}")
    upgrade(engine)
    clinic = sample_clinic()
    scope = open_scope(engine, content_dir(), clinic, NOW)
    defaults = Defaults(
        country=clinic.country,
        zone=clinic.zone,
        language="en",
        languages=("en", "es"),
        schedule="ketamine-first-session",
        source="csv",
        consent_by="import",
    )
    file = CsvFile(path, defaults)
    import_csv(scope, file, path.with_suffix(".rejects.csv"), NOW)
    file.close()
    engine.dispose()


def insert_bare(rows: dict[str, list[dict[str, object]]], database: Path) -> None:
    """Put the same rows into a new database with SQLAlchemy Core, 500 patients a transaction."""
    engine = open_engine(f"sqlite:///{database}")
    upgrade(engine)
    for table in Row.metadata.sorted_tables:
        some = rows[table.name]
        size = max(1, len(some) * 500 // PATIENTS)
        for start in range(0, len(some), size):
            with writing(engine) as session:
                session.execute(insert(table), some[start : start + size])
    engine.dispose()


def rows_of(database: Path) -> dict[str, list[dict[str, object]]]:
    """All rows of a database, by table."""
    engine = open_engine(f"sqlite:///{database}")
    with reading(engine) as session:
        return {
            table.name: [dict(row) for row in session.execute(select(table)).mappings()]
            for table in Row.metadata.sorted_tables
        }


def measure() -> list[Figure]:
    """Time, and memory for a quarter of the file against the whole."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        whole, quarter = base / "whole.csv", base / "quarter.csv"
        write_csv(whole, PATIENTS)
        write_csv(quarter, PATIENTS // 4)
        # Memory first: a child's peak is at least what its parent had when it began.
        memory = [
            float(json.loads(run_python(["-c", _MEMORY, str(path), str(base / f"{path.stem}.db")])))
            for path in (whole, quarter)
        ]
        ours = timed(lambda: import_file(whole, base / "ours.db"))
        rows = rows_of(base / "ours.db")
        assert len(rows["patients"]) == PATIENTS
        bare = timed(lambda: insert_bare(rows, base / "bare.db"))
    return [
        Figure(f"import csv of {PATIENTS:,} patients / bare insertion", ours, bare, 4),
        Figure("its memory for the whole file / for a quarter", memory[0], memory[1], 1.1, "MiB"),
    ]


def _letters(n: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(n))
