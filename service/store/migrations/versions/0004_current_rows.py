"""On SQLite a new assignment takes its customer's current row by itself: one statement writes both tables.

PostgreSQL does so in one statement of its own.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            """
            CREATE TRIGGER assignments_take_current_rows AFTER INSERT ON assignments BEGIN
              INSERT INTO customers (customer_id, assignment_id, segment_id, model_version, as_of, confidence)
              VALUES (NEW.customer_id, NEW.id, NEW.segment_id, NEW.model_version, NEW.as_of, NEW.confidence)
              ON CONFLICT (customer_id) DO UPDATE SET
                assignment_id = excluded.assignment_id, segment_id = excluded.segment_id,
                model_version = excluded.model_version, as_of = excluded.as_of, confidence = excluded.confidence
              WHERE (excluded.as_of, excluded.assignment_id) > (customers.as_of, customers.assignment_id);
            END
            """
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER assignments_take_current_rows")
