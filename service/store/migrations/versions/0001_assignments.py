"""The first schema: history, current rows, verified models."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Written out and not imported: a migration must go on meaning what it meant.
CUSTOMER_ID = sa.String(256).with_variant(sa.String(256, collation="C"), "postgresql")
ASSIGNMENT_ID = sa.String(26).with_variant(sa.String(26, collation="C"), "postgresql")
TIME = sa.String(27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    _create_assignments()
    _create_customers()
    op.create_table(
        "verified_models",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("verified_at", TIME, nullable=False),
        sa.Column("libraries", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_verified_models"),
    )


def downgrade() -> None:
    op.drop_table("verified_models")
    op.drop_table("customers")
    op.drop_table("assignments")


def _create_assignments() -> None:
    op.create_table(
        "assignments",
        sa.Column("id", ASSIGNMENT_ID, nullable=False),
        sa.Column("customer_id", CUSTOMER_ID, nullable=False),
        sa.Column("as_of", TIME, nullable=False),
        sa.Column("assigned_at", TIME, nullable=False),
        sa.Column("model_version", sa.String, nullable=False),
        sa.Column("segment_id", sa.Integer, nullable=False),
        sa.Column("segment_name", sa.String, nullable=False),
        sa.Column("runner_up_id", sa.Integer, nullable=False),
        sa.Column("runner_up_name", sa.String, nullable=False),
        sa.Column("confidence", sa.Float(53), nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_assignments"),
        sa.CheckConstraint("length(customer_id) BETWEEN 1 AND 256", name=op.f("ck_assignments_customer_id_length")),
        sa.CheckConstraint("confidence >= 0 AND confidence <= 1", name=op.f("ck_assignments_confidence_range")),
        sa.CheckConstraint("segment_id BETWEEN 0 AND 2147483647", name=op.f("ck_assignments_segment_id_range")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_assignments_customer_id_id", "assignments", ["customer_id", "id"])


def _create_customers() -> None:
    op.create_table(
        "customers",
        sa.Column("customer_id", CUSTOMER_ID, nullable=False),
        sa.Column("assignment_id", ASSIGNMENT_ID, nullable=False),
        sa.Column("segment_id", sa.Integer, nullable=False),
        sa.Column("model_version", sa.String, nullable=False),
        sa.Column("as_of", TIME, nullable=False),
        sa.Column("confidence", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_customers"),
        sqlite_with_rowid=False,
        # Room in each page for the next version of a row, which then touches no index.
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("ix_customers_segment_id_customer_id", "customers", ["segment_id", "customer_id"])
