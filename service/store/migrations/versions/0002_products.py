"""The products offered to a customer, where they were the customer's own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("assignments", sa.Column("products", sa.Text, nullable=True))


def downgrade() -> None:
    op.drop_column("assignments", "products")
