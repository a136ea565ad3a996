"""Alembic's entry: brings the connection that it is handed to the wanted version, within its transaction."""

from alembic import context

from visavis.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
