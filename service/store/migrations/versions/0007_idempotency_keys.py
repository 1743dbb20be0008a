"""What was asked under which Idempotency-Key, and what was answered.

The table of batches stays, for processes of the version before that run until they are replaced.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ASSIGNMENT_ID = sa.String(26).with_variant(sa.String(26, collation="C"), "postgresql")
TIME = sa.String(27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("body_digest", sa.String(64), nullable=True),
        sa.Column("first_id", ASSIGNMENT_ID, nullable=False),
        sa.Column("model_version", sa.String, nullable=True),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("claim", sa.String(32), nullable=True),
        sa.Column("claimed_until", TIME, nullable=True),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("answer", sa.LargeBinary, nullable=True),
        sa.Column("customer_digest", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_started_at", "idempotency_keys", ["started_at"])
    op.create_index("ix_idempotency_keys_customer_digest", "idempotency_keys", ["customer_digest"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
