"""Alembic's migrations; `service.store.database` runs them, there is no alembic.ini."""
