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


def upgrade() -> None:
    op.add_column("enrollments", sa.Column("education_paused_at", INSTANT, nullable=True))
    op.add_column("tasks", sa.Column("acked_at", INSTANT, nullable=True))
    op.add_column("tasks", sa.Column("acked_by", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("raised_at", INSTANT, nullable=True))
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
    for table in ("suppressions", "receipts", "answers", "replies"):
        op.drop_table(table)
    for column in ("raised_at", "acked_by", "acked_at"):
        op.drop_column("tasks", column)
    op.drop_column("enrollments", "education_paused_at")
