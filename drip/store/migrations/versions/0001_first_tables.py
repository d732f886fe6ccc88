"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
WORD = sa.String(32)


def upgrade() -> None:
    op.create_table(
        "clinics",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="clinics_pk"),
        sa.UniqueConstraint("key", name="clinics_key_key"),
    )
    op.create_table(
        "addresses",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("channel", WORD, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("suppressed_at", INSTANT, nullable=True),
        sa.Column("suppressed_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="addresses_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="addresses_clinic_id_fk"),
        sa.UniqueConstraint(
            "clinic_id", "channel", "address", name="addresses_clinic_id_channel_address_key"
        ),
    )
    op.create_table(
        "patients",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("wording", WORD, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="patients_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="patients_clinic_id_fk"),
    )
    op.create_index("patients_clinic_id_email", "patients", ["clinic_id", "email"])
    op.create_index("patients_clinic_id_phone", "patients", ["clinic_id", "phone"])
    op.create_table(
        "schedule_versions",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="schedule_versions_pk"),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name="schedule_versions_clinic_id_fk"
        ),
        sa.UniqueConstraint(
            "clinic_id", "name", "version", name="schedule_versions_clinic_id_name_version_key"
        ),
    )
    op.create_table(
        "consents",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("patient_id", INTEGER, nullable=False),
        sa.Column("channel", WORD, nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("wording_version", sa.Text(), nullable=False),
        sa.Column("by_whom", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="consents_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="consents_clinic_id_fk"),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name="consents_patient_id_fk", ondelete="CASCADE"
        ),
    )
    op.create_index("consents_patient_id_channel_at", "consents", ["patient_id", "channel", "at"])
    op.create_table(
        "enrollments",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("patient_id", INTEGER, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("schedule_version", sa.Integer(), nullable=False),
        sa.Column("booked_at", INSTANT, nullable=False),
        sa.Column("session_at", INSTANT, nullable=False),
        sa.Column("session_local", sa.Text(), nullable=False),
        sa.Column("session_zone", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=True),
        sa.Column("status", WORD, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", INSTANT, nullable=True),
        sa.Column("ride_arranged_at", INSTANT, nullable=True),
        sa.Column("no_show_at", INSTANT, nullable=True),
        sa.Column("cancelled_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="enrollments_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="enrollments_clinic_id_fk"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name="enrollments_patient_id_fk"),
        sa.UniqueConstraint(
            "clinic_id", "source", "reference", name="enrollments_clinic_id_source_reference_key"
        ),
    )
    op.create_index("enrollments_patient_id", "enrollments", ["patient_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("enrollment_id", INTEGER, nullable=False),
        sa.Column("patient_id", INTEGER, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("channel", WORD, nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("weight", WORD, nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("reason", WORD, nullable=True),
        sa.Column("planned_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("session_at", INSTANT, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="deliveries_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="deliveries_clinic_id_fk"),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name="deliveries_enrollment_id_fk"
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name="deliveries_patient_id_fk"),
        sa.UniqueConstraint(
            "enrollment_id",
            "step",
            "channel",
            "occurrence",
            name="deliveries_enrollment_id_step_channel_occurrence_key",
        ),
    )
    _create_partial_index(
        "deliveries_due",
        "deliveries",
        ["clinic_id", "channel", "priority", "due_at", "id"],
        "status = 'scheduled'",
    )
    _create_partial_index(
        "deliveries_leased", "deliveries", ["lease_until"], "status IN ('claimed', 'sending')"
    )
    _create_partial_index("deliveries_held", "deliveries", ["clinic_id"], "status = 'held'")
    _create_partial_index("deliveries_unknown", "deliveries", ["updated_at"], "status = 'unknown'")
    _create_partial_index(
        "deliveries_until", "deliveries", ["until"], "status IN ('scheduled', 'held')"
    )
    op.create_table(
        "attempts",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("delivery_id", INTEGER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("outcome", WORD, nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="attempts_pk"),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="attempts_delivery_id_fk"),
        sa.UniqueConstraint("delivery_id", "number", name="attempts_delivery_id_number_key"),
    )
    op.create_index("attempts_clinic_id_started_at", "attempts", ["clinic_id", "started_at"])
    op.create_table(
        "digests",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="digests_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="digests_clinic_id_fk"),
        sa.UniqueConstraint("clinic_id", "day", name="digests_clinic_id_day_key"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("clinic_id", INTEGER, nullable=False),
        sa.Column("patient_id", INTEGER, nullable=True),
        sa.Column("enrollment_id", INTEGER, nullable=True),
        sa.Column("delivery_id", INTEGER, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="tasks_pk"),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name="tasks_clinic_id_fk"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name="tasks_patient_id_fk"),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name="tasks_enrollment_id_fk"
        ),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="tasks_delivery_id_fk"),
        sa.UniqueConstraint("clinic_id", "key", name="tasks_clinic_id_key_key"),
    )
    _create_partial_index("tasks_open", "tasks", ["clinic_id"], "status = 'open'")


def downgrade() -> None:
    op.drop_table("tasks")
    op.drop_table("digests")
    op.drop_table("attempts")
    op.drop_table("deliveries")
    op.drop_table("enrollments")
    op.drop_table("consents")
    op.drop_table("schedule_versions")
    op.drop_table("patients")
    op.drop_table("addresses")
    op.drop_table("clinics")


def _create_partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
