"""On SQLite no entry of the audit log can be replaced either.

REPLACE deletes what it conflicts with and calls no trigger for that, unless the connection has set
`recursive_triggers`. So what would conflict is refused before it is inserted: an entry that is not the next one, and a
second head. The table gets no rowid, which would be another key to conflict with. On PostgreSQL every way to replace is
an update, which is refused already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

ENTRIES_STAY = (
    "CREATE TRIGGER audit_keeps_entries BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_keeps_all_entries BEFORE DELETE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
)
NOTHING_IS_REPLACED = (
    "CREATE TRIGGER audit_adds_the_next_entry BEFORE INSERT ON audit"
    " WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM audit)"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_head_is_one BEFORE INSERT ON audit_head WHEN EXISTS (SELECT 1 FROM audit_head)"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(with_rowid=False)
        for statement in NOTHING_IS_REPLACED:
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_head_is_one")
        _rebuild(with_rowid=True)


def _rebuild(*, with_rowid: bool) -> None:
    """The table anew with the same entries; its triggers go with the old one, without being called."""
    op.create_table(
        "audit_rebuilt",
        sa.Column("sequence", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
        sqlite_with_rowid=with_rowid,
    )
    op.execute("INSERT INTO audit_rebuilt SELECT * FROM audit ORDER BY sequence")
    op.drop_table("audit")
    op.rename_table("audit_rebuilt", "audit")
    op.create_index("ix_audit_what_at", "audit", ["what", "at"])
    for statement in ENTRIES_STAY:
        op.execute(statement)
