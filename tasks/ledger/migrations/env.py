"""Alembic's entry: runs the migrations on the connection that `tasks.ledger.migrate` holds, inside its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
