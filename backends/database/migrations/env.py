"""What Alembic runs for each command: the caller's connection, in the caller's transaction."""

from alembic import context

from backends.database.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite undoes the making of tables too, as the engine begins its transactions here.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
