"""Drop the table of the rate limit shared over instances: a gateway limits requests over several instances.

A process of the version before grants its share of the limit, as it does whenever the database does not count.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

CALLER = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")


def upgrade() -> None:
    op.drop_table("quotas")


def downgrade() -> None:
    """Create the table as revision 0008 does. Its rows are worth a minute and are not restored."""
    op.create_table(
        "quotas",
        sa.Column("caller", CALLER, nullable=False),
        sa.Column("full_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("caller", name="pk_quotas"),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE quotas SET UNLOGGED")
