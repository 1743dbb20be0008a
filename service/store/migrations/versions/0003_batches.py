"""Batches that may be sent again under their key."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ASSIGNMENT_ID = sa.String(26).with_variant(sa.String(26, collation="C"), "postgresql")
TIME = sa.String(27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("first_id", ASSIGNMENT_ID, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_batches"),
    )


def downgrade() -> None:
    op.drop_table("batches")
