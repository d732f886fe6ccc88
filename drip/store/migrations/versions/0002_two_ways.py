"""Replies, answers, receipts, and what must not be messaged again.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.String(32)
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")

LEDGERS = ("consents", "wording_choices")
ONLY_ADDED_TO = """\
CREATE OR REPLACE FUNCTION only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT 1 FROM patients WHERE id = OLD.patient_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is only added to', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$"""


def upgrade() -> None:
    op.add_column("enrollments", sa.Column("education_paused_at", INSTANT, nullable=True))
    op.add_column("tasks", sa.Column("acked_at", INSTANT, nullable=True))
    op.add_column("tasks", sa.Column("acked_by", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("raised_at", INSTANT, nullable=True))
    _create_wording_choices()
    _keep_ledgers()
    _create_replies()
    _create_answers()
    op.create_table(
        "receipts",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("delivery_id", INTEGER, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="receipts_pk"),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="receipts_delivery_id_fk"),
        sa.UniqueConstraint(
            "delivery_id",
            "provider_id",
            "status",
            name="receipts_delivery_id_provider_id_status_key",
        ),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("channel", WORD, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="suppressions_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="suppressions_clinic_id_fk"),
        sa.UniqueConstraint(
            "clinic_id", "channel", "digest", name="suppressions_clinic_id_channel_digest_key"
        ),
    )


def _create_wording_choices() -> None:
    op.create_table(
        "wording_choices",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("patient_id", INTEGER, nullable=False),
        sa.Column("wording", WORD, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("by_whom", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="wording_choices_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="wording_choices_clinic_id_fk"),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patients.id"],
            name="wording_choices_patient_id_fk",
            ondelete="CASCADE",
        ),
    )
    op.create_index("wording_choices_patient_id_at", "wording_choices", ["patient_id", "at"])


def _keep_ledgers() -> None:
    """Have the database refuse what would change a ledger: its words go only with their patient."""
    for table in LEDGERS:
        if op.get_bind().dialect.name == "sqlite":
            refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is only added to'); END"
            op.execute(f"CREATE TRIGGER {table}_not_changed BEFORE UPDATE ON {table}\n{refuse}")
            op.execute(
                f"CREATE TRIGGER {table}_not_replaced BEFORE INSERT ON {table}\n"  # noqa: S608
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)\n{refuse}"
            )
            op.execute(
                f"CREATE TRIGGER {table}_not_taken_out BEFORE DELETE ON {table}\n"  # noqa: S608
                f"WHEN EXISTS (SELECT 1 FROM patients WHERE id = OLD.patient_id)\n{refuse}"
            )
        else:
            op.execute(ONLY_ADDED_TO)
            op.execute(
                f"CREATE TRIGGER {table}_only_added_to BEFORE UPDATE OR DELETE ON {table}\n"
                "FOR EACH ROW EXECUTE FUNCTION only_added_to()"
            )


def _create_replies() -> None:
    op.create_table(
        "replies",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("media", sa.Integer(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("reply_class", WORD, nullable=False),
        sa.Column("stop", sa.Boolean(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("task_id", INTEGER, nullable=True),
        sa.PrimaryKeyConstraint("id", name="replies_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="replies_clinic_id_fk"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="replies_task_id_fk"),
        sa.UniqueConstraint("provider", "provider_id", name="replies_provider_provider_id_key"),
    )
    op.create_index(
        "replies_clinic_id_address_received_at", "replies", ["clinic_id", "address", "received_at"]
    )
    where = sa.text("task_id IS NOT NULL")
    op.create_index(
        "replies_of_task", "replies", ["task_id"], sqlite_where=where, postgresql_where=where
    )


def _create_answers() -> None:
    op.create_table(
        "answers",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("reply_id", INTEGER, nullable=True),
        sa.Column("task_id", INTEGER, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", WORD, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("by_whom", sa.Text(), nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="answers_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="answers_clinic_id_fk"),
        sa.ForeignKeyConstraint(["reply_id"], ["replies.id"], name="answers_reply_id_fk"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="answers_task_id_fk"),
    )
    op.create_index(
        "answers_clinic_id_address_created_at", "answers", ["clinic_id", "address", "created_at"]
    )
    where = sa.text("status IN ('waiting', 'sending')")
    op.create_index(
        "answers_waiting", "answers", ["due_at"], sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER consents_not_changed")
        op.execute("DROP TRIGGER consents_not_taken_out")
    else:
        op.execute("DROP FUNCTION only_added_to() CASCADE")
    for table in ("wording_choices", "suppressions", "receipts", "answers", "replies"):
        op.drop_table(table)
    for column in ("raised_at", "acked_by", "acked_at"):
        op.drop_column("tasks", column)
    op.drop_column("enrollments", "education_paused_at")
