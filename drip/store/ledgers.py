"""Ledgers: tables that are only added to, which the database itself sees to.

A word of a patient can be neither changed nor taken out while its patient is there. When the
whole record of a patient is deleted, theirs goes with it.
"""

from sqlalchemy import DDL, event

from drip.store.row import Row
from drip.store.types import SQLITE

_FUNCTION = """\
CREATE OR REPLACE FUNCTION only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT 1 FROM patients WHERE id = OLD.patient_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is only added to', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$"""
_ON_POSTGRESQL = """\
CREATE TRIGGER {table}_only_added_to BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION only_added_to()"""
_ON_SQLITE = (
    """\
CREATE TRIGGER {table}_not_changed BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is only added to'); END""",
    # REPLACE takes a row out without asking the trigger below.
    """\
CREATE TRIGGER {table}_not_replaced BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, '{table} is only added to'); END""",
    """\
CREATE TRIGGER {table}_not_taken_out BEFORE DELETE ON {table}
WHEN EXISTS (SELECT 1 FROM patients WHERE id = OLD.patient_id)
BEGIN SELECT RAISE(ABORT, '{table} is only added to'); END""",
)


def statements(dialect: str, table: str) -> tuple[str, ...]:
    """What makes a table with a `patient_id` a ledger, on "postgresql" or "sqlite"."""
    if dialect == SQLITE:
        return tuple(each.format(table=table) for each in _ON_SQLITE)
    return _FUNCTION, _ON_POSTGRESQL.format(table=table)


def only_added_to(*rows: type[Row]) -> None:
    """Make ledgers of these tables wherever they are made from the models."""
    for row in rows:
        for dialect in (SQLITE, "postgresql"):
            for each in statements(dialect, row.__tablename__):
                make = DDL(each.replace("%", "%%"))  # type: ignore[no-untyped-call]
                event.listen(row.__table__, "after_create", make.execute_if(dialect=dialect))
