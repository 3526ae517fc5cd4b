"""How are migrations run? On the connection that `engine` brings, inside its transaction."""

from alembic import context

from arkway.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most of a table in place
)
context.run_migrations()
