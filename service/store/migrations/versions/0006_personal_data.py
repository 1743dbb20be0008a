"""Customers of whom nothing may be stored any more, which the database refuses by itself; and what is done in turns.

Code that knows nothing of these tables goes on as before, and cannot store a suppressed customer either.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

CUSTOMER_ID = sa.String(256).with_variant(sa.String(256, collation="C"), "postgresql")
TIME = sa.String(27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")

SQLITE = (
    "CREATE TRIGGER assignments_refuse_suppressed BEFORE INSERT ON assignments"
    " WHEN EXISTS (SELECT 1 FROM suppressions WHERE customer_id = NEW.customer_id)"
    " BEGIN SELECT RAISE(ABORT, 'this customer is suppressed'); END",
)
# Whoever stores answers holds the lock shared, whoever erases alone. The setting tells each row whether there is
# anything to look for: a condition costs little beside a row, a call a lot. After the row and not before it, because
# COPY stores rows one by one where something is to be done before each.
POSTGRESQL = (
    """
    CREATE FUNCTION storing_waits_for_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(7395174022);
      IF TG_TABLE_NAME = 'assignments' THEN
        PERFORM set_config('segmentation.suppressing',
          EXISTS (SELECT 1 FROM suppressions WHERE customer_id IS NOT NULL)::text, true);
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION assignments_refuse_suppressed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT 1 FROM suppressions WHERE customer_id = NEW.customer_id) THEN
        RAISE EXCEPTION 'this customer is suppressed' USING ERRCODE = 'integrity_constraint_violation';
      END IF;
      RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER assignments_wait_for_erasing BEFORE INSERT ON assignments"
    " FOR EACH STATEMENT EXECUTE FUNCTION storing_waits_for_erasing()",
    "CREATE TRIGGER customers_wait_for_erasing BEFORE INSERT ON customers"
    " FOR EACH STATEMENT EXECUTE FUNCTION storing_waits_for_erasing()",
    "CREATE TRIGGER assignments_refuse_suppressed AFTER INSERT ON assignments FOR EACH ROW"
    " WHEN (current_setting('segmentation.suppressing', true) = 'true')"
    " EXECUTE FUNCTION assignments_refuse_suppressed()",
)
POSTGRESQL_DOWN = (
    "DROP TRIGGER assignments_refuse_suppressed ON assignments",
    "DROP TRIGGER customers_wait_for_erasing ON customers",
    "DROP TRIGGER assignments_wait_for_erasing ON assignments",
    "DROP FUNCTION assignments_refuse_suppressed()",
    "DROP FUNCTION storing_waits_for_erasing()",
)


def upgrade() -> None:
    of_list = op.create_table(
        "suppression_list",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_suppression_list"),
    )
    op.bulk_insert(of_list, [{"key": secrets.token_hex(32), "version": 0}])
    op.create_table(
        "suppressions",
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("customer_id", CUSTOMER_ID, nullable=True),
        sa.Column("suppressed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_suppressions"),
    )
    known = sa.text("customer_id IS NOT NULL")
    op.create_index(
        "ix_suppressions_customer_id", "suppressions", ["customer_id"], sqlite_where=known, postgresql_where=known
    )
    op.create_table(
        "chores",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("begun_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_chores"),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in ["DROP TRIGGER assignments_refuse_suppressed"] if sqlite else POSTGRESQL_DOWN:
        op.execute(statement)
    op.drop_table("chores")
    op.drop_table("suppressions")
    op.drop_table("suppression_list")
