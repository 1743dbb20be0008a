"""How much of its limit each caller has used, where all processes count together."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

CALLER = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "quotas",
        sa.Column("caller", CALLER, nullable=False),
        sa.Column("full_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("caller", name="pk_quotas"),
        sqlite_with_rowid=False,
        # Room in each page for the next version of a row, which then touches no index.
        postgresql_with={"fillfactor": 50},
    )
    if op.get_bind().dialect.name == "postgresql":
        # What is worth a minute need not outlast the server's crash: no log, and no wait for the disk at each request.
        op.execute("ALTER TABLE quotas SET UNLOGGED")


def downgrade() -> None:
    op.drop_table("quotas")
