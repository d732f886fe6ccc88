"""Alembic's environment: runs on the connection that `drip.store.migrate` gives it."""

from alembic import context

from drip.store.schema import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
