"""Run by Alembic for every command, on the connection `service.store.database` hands over."""

from alembic import context

from service.store.schema import metadata

# The connection comes with its transaction begun and its lock held; its owner commits.
context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
