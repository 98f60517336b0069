"""Alembic's entry: runs the revisions on the connection that hub.store.migrate hands over."""

from alembic import context

from hub.store import (  # noqa: F401 - they join the metadata
    tables_audit,
    tables_auth,
    tables_bulk,
    tables_feeds,
    tables_glass,
    tables_identity,
    tables_limits,
    tables_notices,
    tables_subscriptions,
)
from hub.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
